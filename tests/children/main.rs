//! What only a process of its own can show: small stacks, flat memory, exits, forks, thread-local destructors, and a system
//! that has nothing left to give.
//!
//! Each test starts this program again with itself as the only test, and looks at how that ends.

#[macro_use]
#[path = "../it/support/assert_fault.rs"]
mod assert_fault;
mod support;

mod combined;
mod counts;
mod exits;
#[cfg(unix)]
mod forks;
mod locals;
#[cfg(target_os = "linux")]
mod memory;
mod reports;
#[cfg(target_os = "linux")]
mod scarce;
mod stacks;
