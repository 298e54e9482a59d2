//! A state machine whose states are functions that return promises. Each state takes a second, reads a bit and goes on
//! to the next state; what the last state returns comes back through all of them, and each puts a line of its own before.
//!
//! ```text
//!            S0 (start)   S1   S2   S3   S4 (end)
//! after 0    S2           S3   S1   S1
//! after 1    S1           S2   S3   S4
//! ```
//!
//! `cargo run --example state_machine 0101001` gives the bits; without them they are 11001. A machine that runs out of
//! bits ends in a rejection, whose trace names the states that it came back through.

use std::env;
use std::time::Duration;

use thenable::{EventLoop, LoopHandle, Promise, delay};

/// What is left of the bits.
type Bits = std::vec::IntoIter<bool>;

/// A state: it is entered with the bit that led there.
type State = fn(bool, Bits) -> Promise<String>;

fn start(bits: Bits) -> Promise<String> {
    println!("start state");
    go_on(bits, s2, s1).map(|rest| format!("start state calling {rest}"))
}

fn s1(entered: bool, bits: Bits) -> Promise<String> {
    go_on(bits, s3, s2).map(move |rest| format!("{}\nstate 1 calling {rest}", named("state 1", entered)))
}

fn s2(entered: bool, bits: Bits) -> Promise<String> {
    go_on(bits, s1, s3).map(move |rest| format!("{}\nstate 2 calling {rest}", named("state 2", entered)))
}

fn s3(entered: bool, bits: Bits) -> Promise<String> {
    go_on(bits, s1, end).map(move |rest| format!("{}\nstate 3 calling {rest}", named("state 3", entered)))
}

fn end(entered: bool, _rest: Bits) -> Promise<String> {
    println!("stop");
    Promise::resolve(named("end state", entered))
}

fn named(state: &str, entered: bool) -> String {
    format!("{state} with value {}", u8::from(entered))
}

/// After a second, the promise of one state or the other. No state calls another one inside of its own call: however
/// long the way is, the stack stays where it is.
fn go_on(mut bits: Bits, after_0: State, after_1: State) -> Promise<String> {
    delay(Duration::from_secs(1)).then(move |()| {
        let Some(bit) = bits.next() else { return Promise::reject("no bits left") };
        println!("evaluating {}", u8::from(bit));
        if bit { after_1(bit, bits) } else { after_0(bit, bits) }
    })
}

fn main() -> thenable::Result<()> {
    let bits = env::args().nth(1).unwrap_or_else(|| "11001".to_owned());
    let bits: Vec<bool> = bits.chars().map(|bit| bit == '1').collect();
    EventLoop::builder().virtual_clock().build().run(async {
        let clock = LoopHandle::current().ok_or("no loop")?;
        let began = clock.now();
        let way = start(bits.into_iter()).await?;
        println!("after {:?}, the way back:\n{way}", clock.now() - began);
        Ok(())
    })
}
