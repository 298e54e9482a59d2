//! What the benchmarks share: rounds that alternate between this crate and a peer, clocks, and fresh processes.
//!
//! A benchmark is a question (`then` links in chains of 10), one answer by this crate and one by each peer. Criterion chooses how
//! often to ask, and estimates the *ratio* with a confidence interval: within each sample the two sides take turns, so
//! that whatever slows the machine down for a while slows both.

pub mod child;
pub mod clock;
mod interleave;
mod ratio;
mod report;

pub use interleave::{Bench, Question, Subject, main};
pub use report::Budget;
