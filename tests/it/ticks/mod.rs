//! On which tick a handler runs, and what that makes of programs with several chains: Node's numbers, exactly.
//!
//! A tick is one generation of jobs: those that the jobs of the tick before have queued. Every row holds its JavaScript in
//! lines that begin with `js:`, and the number or the log that Node 20 gives for it. There, `h` is the observed handler,
//! `log` appends to a list, and
//!
//! ```js
//! const deferred = () => { const d = {}; d.promise = new Promise((a, b) => { d.resolve = a; d.reject = b }); return d };
//! const onTick = (k, f) => { let p = Promise.resolve(); for (let i = 1; i < k; i++) p = p.then(() => {}); p.then(f) };
//! ```
//!
//! Where Rust has a method that JavaScript lacks, the JavaScript is what one would write in its place.

mod adoption;
mod combinators;
mod interleaved;
mod table;
mod tasks;
