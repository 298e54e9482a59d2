//! States and settling, where handlers run and in what order, and what becomes of values.

mod places;
mod settling;
mod values;
