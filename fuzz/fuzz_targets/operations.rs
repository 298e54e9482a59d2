//! Bytes become a program of promise operations, which runs on the library and on the reference model of `tests/model`.
//!
//! The loop runs on this thread alone, so that one input always does the same.

#![no_main]

#[expect(dead_code, unused_imports, reason = "tests/model.rs uses the rest")]
#[path = "../../tests/model/mod.rs"]
mod model;

use libfuzzer_sys::fuzz_target;
use model::check::{self, Totals};
use model::program::Program;
use model::{interpret, run};

unsafe extern "C" {
    safe fn __lsan_disable();
    safe fn __lsan_enable();
}

fuzz_target!(init: run::collect_unhandled(), |bytes: &[u8]| {
    let program = Program::from_bytes(bytes);
    // Promises that wait for each other in a ring are never freed, and neither is what waits for `race` of nothing.
    let is_stuck = interpret(&program).is_stuck;
    if is_stuck {
        __lsan_disable();
    }
    let checked = check::check("input", &program, &mut Totals::default());
    if is_stuck {
        __lsan_enable();
    }
    if let Err(why) = checked {
        panic!("{why}");
    }
});
