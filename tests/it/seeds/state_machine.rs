//! A finite state machine whose states are coroutines that call each other, so that the result comes back through all
//! of them. Each state takes a second.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use thenable::{Promise, delay};

use super::{Output, SECOND, assert_main};

const END: usize = 4;

/// The state that follows each state after a 0 and after a 1.
const NEXT: [[usize; 2]; END] = [[2, 1], [3, 2], [1, 3], [1, END]];

#[derive(Clone)]
struct Machine {
    output: Output,
    bits: Arc<Mutex<VecDeque<usize>>>,
}

impl Machine {
    fn new<const N: usize>(output: Output, bits: [usize; N]) -> Self {
        output.line("Finite State Machine simulation with Asyncio Coroutine");
        Self { output, bits: Arc::new(Mutex::new(bits.into())) }
    }

    fn input(&self) -> usize {
        self.bits.lock().unwrap().pop_front().expect("a bit for each state")
    }

    fn end(&self, transition: usize) -> String {
        self.output.line("...stop computation...");
        format!("End State with transition value = {transition}")
    }

    fn resume(&self, result: &str) {
        self.output.line("Resume of the Transition:");
        format!("Start State calling {result}").lines().for_each(|line| self.output.line(line));
    }

    // ---- as an async function that calls itself

    async fn start(self) -> thenable::Result<()> {
        self.output.line("Start State called");
        let input = self.input();
        delay(SECOND).await?;
        let result = self.state(NEXT[0][input], input).await?;
        self.resume(&result);
        Ok(())
    }

    async fn state(&self, state: usize, transition: usize) -> thenable::Result<String> {
        if state == END {
            return Ok(self.end(transition));
        }
        let input = self.input();
        delay(SECOND).await?;
        self.output.line("...evaluating...");
        let result = Box::pin(self.state(NEXT[state][input], input)).await?;
        Ok(format!("State {state} with transition value = {transition}\nState {state} calling {result}"))
    }

    // ---- as handlers that return promises

    fn start_promise(self) -> Promise<()> {
        self.output.line("Start State called");
        let input = self.input();
        let resumed = self.clone();
        delay(SECOND)
            .then(move |()| self.state_promise(NEXT[0][input], input))
            .map(move |result| resumed.resume(&result))
    }

    fn state_promise(self, state: usize, transition: usize) -> Promise<String> {
        if state == END {
            return Promise::resolve(self.end(transition));
        }
        let input = self.input();
        delay(SECOND)
            .then(move |()| {
                self.output.line("...evaluating...");
                self.state_promise(NEXT[state][input], input)
            })
            .map(move |result| {
                format!("State {state} with transition value = {transition}\nState {state} calling {result}")
            })
    }
}

const SAMPLE: [&str; 13] = [
    "Finite State Machine simulation with Asyncio Coroutine",
    "Start State called",
    "...evaluating...",
    "...evaluating...",
    "...evaluating...",
    "...evaluating...",
    "...stop computation...",
    "Resume of the Transition:",
    "Start State calling State 1 with transition value = 1",
    "State 1 calling State 2 with transition value = 1",
    "State 2 calling State 1 with transition value = 0",
    "State 1 calling State 3 with transition value = 0",
    "State 3 calling End State with transition value = 1",
];

#[test]
fn the_sample_run() {
    assert_main(5 * SECOND, SAMPLE, |output| Machine::new(output, [1, 1, 0, 0, 1]).start());
}

#[test]
fn the_sample_run_with_promises() {
    assert_main(5 * SECOND, SAMPLE, |output| Machine::new(output, [1, 1, 0, 0, 1]).start_promise());
}

#[test]
fn a_run_through_every_edge_but_the_samples() {
    let lines = [
        "Finite State Machine simulation with Asyncio Coroutine",
        "Start State called",
        "...evaluating...",
        "...evaluating...",
        "...evaluating...",
        "...evaluating...",
        "...evaluating...",
        "...evaluating...",
        "...stop computation...",
        "Resume of the Transition:",
        "Start State calling State 2 with transition value = 0",
        "State 2 calling State 3 with transition value = 1",
        "State 3 calling State 1 with transition value = 0",
        "State 1 calling State 2 with transition value = 1",
        "State 2 calling State 1 with transition value = 0",
        "State 1 calling State 3 with transition value = 0",
        "State 3 calling End State with transition value = 1",
    ];
    assert_main(7 * SECOND, lines, |output| Machine::new(output.clone(), [0, 1, 0, 1, 0, 0, 1]).start());
    assert_main(7 * SECOND, lines, |output| Machine::new(output, [0, 1, 0, 1, 0, 0, 1]).start_promise());
}

#[test]
fn a_long_run_returns_through_all_states() {
    // To and fro between S1 and S2, a second each, and back through three thousand frames of the heap.
    const ROUNDS: usize = 1_500;
    let expected = 2 * ROUNDS + 4;
    let mut bits = vec![1];
    bits.extend([1, 0].repeat(ROUNDS));
    bits.extend([0, 1]);
    crate::support::on_virtual_clock(|event_loop| {
        let output = Output::default();
        let machine = Machine { output: output.clone(), bits: Arc::new(Mutex::new(bits.into())) };
        event_loop.run(machine.start_promise()).unwrap();
        let lines = output.lines();
        let resumed = lines.iter().skip_while(|line| !line.starts_with("Resume")).skip(1).count();
        assert_eq!(resumed, expected - 1);
    });
}
