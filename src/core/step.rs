//! What a watched loop is doing right now, for the thread that watches it.
//!
//! One writer, the loop's thread, and one reader. The number is odd while a step runs. The reader reads number, site,
//! number; if both numbers are the same, the site belongs to that step.

use super::node::Site;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct CurrentStep {
    number: AtomicUsize,
    /// Null, or from a `Site`.
    site: AtomicPtr<Location<'static>>,
}

impl CurrentStep {
    /// A step begins. On the loop's thread.
    pub(crate) fn begin(&self, site: Option<Site>) {
        self.set_site(site);
        // ORDERING: Relaxed load, this thread alone writes it. Release publishes the site with the number;
        // not visible to loom: the watchdog, which reads it, is not in its build.
        self.number.store(self.number.load(Ordering::Relaxed) | 1, Ordering::Release);
    }

    /// Says more of the step that has begun. On the loop's thread.
    pub(crate) fn set_site(&self, site: Option<Site>) {
        let site = site.map_or(ptr::null_mut(), |site| ptr::from_ref(site).cast_mut());
        // ORDERING: Release: a reader that sees this site sees the number of the step, or that of the end before it;
        // not visible to loom: as above.
        self.site.store(site, Ordering::Release);
    }

    /// The step is over. On the loop's thread.
    pub(crate) fn end(&self) {
        let number = self.number.load(Ordering::Relaxed);
        // ORDERING: Relaxed: the next site is stored with Release, after it.
        self.number.store(number.wrapping_add(number & 1), Ordering::Relaxed);
    }

    /// The number of the step that runs now, and its site. None: no step runs, or it has just changed.
    pub(crate) fn read(&self) -> Option<(usize, Option<Site>)> {
        // ORDERING: Acquire, twice: what is read next is not older than what was read here; not visible to loom: as above.
        let number = self.number.load(Ordering::Acquire);
        let site = self.site.load(Ordering::Acquire);
        let same = self.number.load(Ordering::Relaxed) == number;
        // SAFETY: null or from a `&'static`.
        let site = unsafe { site.as_ref() };
        (same && number & 1 == 1).then_some((number, site))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_seen_while_it_runs() {
        let (step, here) = (CurrentStep::default(), Location::caller());
        assert_eq!(step.read(), None);
        step.begin(None);
        let (first, site) = step.read().unwrap();
        assert_eq!(site, None);
        // Still the same step.
        step.begin(None);
        assert_eq!(step.read(), Some((first, None)));
        step.set_site(Some(here));
        assert_eq!(step.read(), Some((first, Some(here))));
        for _ in 0..3 {
            step.end();
            assert_eq!(step.read(), None);
        }
        step.begin(Some(here));
        assert!(step.read().is_some_and(|(second, site)| second != first && site == Some(here)));
    }
}
