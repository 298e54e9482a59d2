//! Integration tests, by subject. They use the public API only.

#[macro_use]
mod support;

mod aplus;
mod blocked;
mod cancel;
mod chain;
mod combinators;
mod common;
mod debug;
mod event_loop;
mod hostile;
mod interop;
mod limiter;
mod many;
mod order;
mod pool;
mod pumped;
mod regressions;
mod scope;
mod seeds;
mod ticks;
mod time;
mod turns;
mod wakers;
