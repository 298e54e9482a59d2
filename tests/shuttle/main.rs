//! Scenarios above the core, on the schedules that shuttle makes: `ci/shuttle.sh`, which also says how to replay one.
//!
//! Each scenario is a test whose name begins with its number. It is a small program of some threads; shuttle runs them one
//! at a time and decides at every step which. What must hold is asserted on the program's own threads, never inside a handler
//! or a job, where the library would catch the panic. A program in which everybody waits is reported by shuttle as a deadlock.
//!
//! Time is a choice too (see `src/primitive/shuttled.rs`): a timer fires and a timed wait ends after a number of steps that
//! is drawn like everything else. There is no global loop: a thread that chains has a loop of its own.
#![cfg(shuttle)]
#![expect(dropping_copy_types, reason = "a closure that ends in a settle drops the result, whatever its type")]

mod kit;

mod adopting;
mod combining;
mod limiting;
mod loops;
mod pools;
mod pools_ending;
mod scopes;
mod settling;
mod timing;
