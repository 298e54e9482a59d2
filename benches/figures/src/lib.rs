//! Medians, Markdown tables and SVG charts for the benchmarks.

mod bars;
mod lines;
mod machine;
mod splice;
mod spread;
mod svg;

pub use bars::{Bar, Panel, bar_chart};
pub use lines::{Series, line_chart};
pub use machine::{machine, today};
pub use splice::splice;
pub use spread::{Spread, short};
