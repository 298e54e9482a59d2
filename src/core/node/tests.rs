//! The reference word, bit by bit.

use super::super::tracked;
use super::*;

static TABLE: VTable = VTable::reaction(Kind::Job, no_reaction, no_discard);

fn head(refs: u32) -> Head {
    Head::new(&TABLE, Word::PENDING, refs, 0)
}

fn refs(head: &Head) -> u32 {
    head.refs.load(Ordering::Relaxed)
}

/// Every combination of the flags, a producer or none, and so many consumers.
#[test]
fn every_reference_word_answers_every_question() {
    let pairs = [0, TAKEN, TRACKED, TAKEN | TRACKED];
    for flags in pairs.into_iter().chain(pairs.map(|flags| flags | HANDLED)) {
        for producer in [0, PRODUCER] {
            for count in [0, 1, 2, COUNT / 2] {
                let word = flags | producer | count;
                let head = head(word);
                assert_eq!(head.has_consumer(), count > 0, "{word:x}");
                assert_eq!(head.is_only_producer(), count == 0 && producer != 0, "{word:x}");
                assert_eq!(head.is_handled(), flags & HANDLED != 0, "{word:x}");
                assert_eq!(head.is_taken(), flags & TAKEN != 0, "{word:x}");
                if count > 0 {
                    let claim = match (count, producer) {
                        (1, 0) => Claim::Whole,
                        (1, _) => Claim::Outcome,
                        _ => Claim::Shared,
                    };
                    assert!(head.consumer_claim() == claim, "{word:x}");
                    assert_eq!(head.is_only_consumer(), count == 1, "{word:x}");
                    // Half of what the bits hold is not too many yet.
                    head.retain();
                    assert_eq!(refs(&head), word + 1);
                    head.refs.store(word, Ordering::Relaxed);
                }
                let alive = count > 0 || producer != 0;
                assert_eq!((head.try_retain(), refs(&head)), (alive, word + u32::from(alive)), "{word:x}");
                head.refs.store(word, Ordering::Relaxed);
                head.mark_handled();
                head.mark_handled();
                assert_eq!(refs(&head), word | HANDLED);
            }
        }
    }
}

#[test]
fn half_of_the_bits_are_left_for_threads_that_count_at_once() {
    for flags in [0, HANDLED | PRODUCER | TAKEN | TRACKED] {
        assert!([0, 1, COUNT / 2].iter().all(|count| !is_too_many(flags | count)));
        assert!([COUNT / 2 + 1, COUNT].iter().all(|count| is_too_many(flags | count)));
    }
}

/// The list of what is pending is everybody's: only promises that are in it look for themselves there.
#[test]
fn only_a_tracked_promise_is_looked_for() {
    // A place that nothing else has.
    let place = PlaceId::MAX - 4;
    for tracked in [false, true] {
        let head = head(if tracked { TRACKED | PRODUCER } else { PRODUCER });
        let listed = || tracked::pending_on(place).iter().map(|(name, _)| name.is_some()).next();
        tracked::track(&head, Location::caller(), place);
        head.rename(&hub::Name::from("name"));
        assert_eq!(listed(), Some(tracked));
        head.untrack();
        assert_eq!(listed(), (!tracked).then_some(false));
        tracked::forget(&head);
    }
}
