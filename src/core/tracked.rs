//! What is pending on loops with a virtual clock: such a loop can tell that it is stalled, and then says on what.
//!
//! A promise made while such a loop is current has a flag in its reference word and an entry here, from before it is
//! shared until just before it settles or ends. An entry is found by the promise's address and never followed.

use super::hub::Name;
use super::node::{Head, Site};
use super::place::PlaceId;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

struct Entry {
    name: Option<Name>,
    site: Site,
    place: PlaceId,
    serial: u64,
}

#[derive(Default)]
struct Tracked {
    entries: HashMap<usize, Entry>,
    serial: u64,
}

static TRACKED: LazyLock<Mutex<Tracked>> = LazyLock::new(Mutex::default);

fn lock() -> MutexGuard<'static, Tracked> {
    TRACKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enters a promise that is not shared yet.
#[cold]
pub(super) fn track(head: *const Head, site: Site, place: PlaceId) {
    let mut tracked = lock();
    tracked.serial += 1;
    let serial = tracked.serial;
    tracked.entries.insert(head.addr(), Entry { name: None, site, place, serial });
}

/// Gives an entry its name.
#[cold]
pub(super) fn rename(head: *const Head, name: &Name) {
    if let Some(entry) = lock().entries.get_mut(&head.addr()) {
        entry.name = Some(name.clone());
    }
}

/// Takes a promise out, if it is in.
#[cold]
pub(super) fn forget(head: *const Head) {
    lock().entries.remove(&head.addr());
}

/// Names and creation sites of what was made under this loop and is pending, oldest first.
pub(crate) fn pending_on(place: PlaceId) -> Vec<(Option<Name>, Site)> {
    let tracked = lock();
    let mut found: Vec<&Entry> = tracked.entries.values().filter(|entry| entry.place == place).collect();
    found.sort_by_key(|entry| entry.serial);
    found.into_iter().map(|entry| (entry.name.clone(), entry.site)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::Location;
    use std::ptr;

    #[test]
    fn what_is_pending_is_listed_oldest_first() {
        // Places and addresses that nothing else has.
        let (here, elsewhere) = (PlaceId::MAX, PlaceId::MAX - 2);
        let head = |n: usize| ptr::without_provenance::<Head>(n);
        let site = Location::caller();
        let names = || -> Vec<Option<String>> {
            let listed = pending_on(here);
            assert!(listed.iter().all(|(_, at)| ptr::eq(*at, site)));
            listed.into_iter().map(|(name, _)| name.map(|name| name.to_string())).collect()
        };
        for n in [5, 1, 4, 2] {
            track(head(n), site, here);
            rename(head(n), &Name::from(n.to_string()));
        }
        track(head(3), site, elsewhere);
        let named = |names: &[&str]| names.iter().map(|name| Some(name.to_string())).collect::<Vec<_>>();
        assert_eq!(names(), named(&["5", "1", "4", "2"]));
        forget(head(1));
        forget(head(3));
        // Nobody is entered under these.
        forget(head(6));
        rename(head(6), &Name::from("6"));
        assert_eq!(names(), named(&["5", "4", "2"]));
        track(head(1), site, here);
        assert_eq!(names().pop(), Some(None));
        for n in [5, 4, 2, 1] {
            forget(head(n));
        }
        assert_eq!((pending_on(here).len(), pending_on(elsewhere).len()), (0, 0));
    }
}
