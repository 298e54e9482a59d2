//! The places that a rejection came by.

use std::panic::Location;

/// A place in the source, as `#[track_caller]` takes it.
pub(super) type Site = &'static Location<'static>;

/// How many sites a trace keeps: the first one and the newest. A chain of a million links must not grow it.
pub(super) const KEPT: usize = 32;

/// How many sites need no block of their own.
const INLINE: usize = 3;

/// Where a rejection was made, then what it passed, oldest first.
#[derive(Clone)]
pub(super) enum Trace {
    /// The first `len` of `sites`; the others only fill up.
    Few { len: u8, sites: [Site; INLINE] },
    /// The first site and the newest ones; `omitted` were between them.
    Many { sites: Vec<Site>, omitted: u64 },
}

impl Trace {
    /// The trace of something made at `first`, or at a place that could not be told.
    pub(super) fn new(first: Option<Site>) -> Self {
        Trace::Few { len: u8::from(first.is_some()), sites: [first.unwrap_or(Location::caller()); INLINE] }
    }

    pub(super) fn push(&mut self, at: Site) {
        match self {
            Trace::Few { len, sites } if usize::from(*len) < INLINE => {
                sites[usize::from(*len)] = at;
                *len += 1;
            }
            Trace::Few { sites, .. } => {
                let mut many = Vec::with_capacity(2 * INLINE);
                many.extend_from_slice(sites);
                many.push(at);
                *self = Trace::Many { sites: many, omitted: 0 };
            }
            Trace::Many { sites, omitted } => {
                if sites.len() == KEPT {
                    sites.remove(1);
                    *omitted += 1;
                }
                sites.push(at);
            }
        }
    }

    pub(super) fn sites(&self) -> &[Site] {
        match self {
            Trace::Few { len, sites } => &sites[..usize::from(*len)],
            Trace::Many { sites, .. } => sites,
        }
    }

    /// How many sites were left out, right after the first one.
    pub(super) fn omitted(&self) -> u64 {
        match self {
            Trace::Few { .. } => 0,
            Trace::Many { omitted, .. } => *omitted,
        }
    }
}

/// `at`, unless it only names an adapter of the standard library.
///
/// In `result.map_err(Rejection::from)` the caller is `FnOnce::call_once`: a place that helps nobody.
pub(super) fn outside_std(at: Site) -> Option<Site> {
    let file = at.file();
    // `ops/function.rs` and `convert/mod.rs`; the ends are compared first because nearly every place fails there.
    let adapter = (file.ends_with("function.rs") || file.ends_with("mod.rs"))
        && (file.contains("library/core/src/") || file.contains(r"library\core\src\"));
    (!adapter).then_some(at)
}
