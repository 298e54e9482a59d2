//! All questions, one module for each subject. `cargo bench -- chain` asks those of `chain.rs` alone.

mod chain;
mod combinators;
mod cross_thread;
mod doxbee;
mod fan_out;
mod pools;
mod settle;
mod spawn;
mod timers;

use thenable_benches::Subject;

fn main() {
    thenable_benches::main(&[
        Subject { name: "chain", ask: chain::ask, tasks: chain::TASKS },
        Subject { name: "settle", ask: settle::ask, tasks: settle::TASKS },
        Subject { name: "fan_out", ask: fan_out::ask, tasks: &[] },
        Subject { name: "combinators", ask: combinators::ask, tasks: &[] },
        Subject { name: "pools", ask: pools::ask, tasks: &[] },
        Subject { name: "cross_thread", ask: cross_thread::ask, tasks: &[] },
        Subject { name: "spawn", ask: spawn::ask, tasks: &[] },
        Subject { name: "timers", ask: timers::ask, tasks: &[] },
        Subject { name: "doxbee", ask: doxbee::ask, tasks: &[] },
    ]);
}
