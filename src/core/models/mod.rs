//! Loom models of the protocol: two or three threads that use the core's own operations, in every interleaving and with
//! every value that the memory model lets a load see.
//!
//! All of them look for the same three things besides what their names say: a token (a value, a waker, a closure's
//! capture) that is not dropped exactly once, a block that is leaked or used after its end (see `life`), and two threads
//! that touch a cell in no order. Each must also fail when its planted bug is compiled in: `ci/loom-plants.sh`.

mod adopting;
mod cancelling;
mod gathering;
mod kit;
mod local;
mod paging;
mod polling;
mod settling;
mod sharing;
mod sleeping;

pub(crate) use kit::count_report;
