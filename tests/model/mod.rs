//! Random programs for the library and for a reference model of ECMAScript's promises.
//!
//! | file | what it has |
//! |---|---|
//! | `program.rs` | what programs consist of |
//! | `generate.rs`, `shrink.rs` | a program from a seed or from bytes; a smaller program that still fails |
//! | `interpreter.rs`, `promises.rs`, `gathering.rs` | ECMAScript's rules |
//! | `departures.rs` | where the library departs from them, and why that is not a difference |
//! | `planted.rs` | changed rules, which a comparison must notice |
//! | `run.rs`, `values.rs` | runs a program on the library |
//! | `check.rs` | compares, and prints what differs |
//! | `node.rs`, `node.js` | the same programs for Node |
//! | `seeds.txt` | seeds of programs that failed once |

pub(crate) mod check;
mod departures;
mod gathering;
mod generate;
mod interpreter;
pub(crate) mod node;
pub(crate) mod planted;
pub(crate) mod program;
mod promises;
pub(crate) mod run;
mod shrink;
mod values;

pub(crate) use departures::LIBRARY_ONLY;
pub(crate) use interpreter::{Record, run as interpret, run_planted as interpret_planted};
