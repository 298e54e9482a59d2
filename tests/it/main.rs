//! Integration tests, by subject. They use the public API only.

#[macro_use]
mod support;

mod aplus;
mod cancel;
mod chain;
mod children;
mod combinators;
mod common;
mod event_loop;
mod hostile;
mod interop;
mod order;
mod pool;
mod regressions;
mod seeds;
mod ticks;
mod time;
mod wakers;
