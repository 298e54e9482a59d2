//! One promise follows others.

use super::{Promise, first, watch};
use crate::cells::{CANCELLED, Cells, VALUE, Why, must};
use crate::duel::{Right, Round};
use thenable::CancelOutcome;

pub(super) fn adopt_settle(random: u32, cells: &'static Cells) -> Round {
    let (outer, resolver) = Promise::pending();
    let (inner, settler) = Promise::pending();
    let value = cells.token();
    if random & 1 == 0 {
        drop(inner.clone()); // with a hub
    }
    drop(watch(outer, cells));
    Round {
        left: Box::new(move |_| {
            let early = inner.is_pending();
            must(resolver.adopt(inner).is_ok(), || "an adoption was refused".into());
            drop(resolver);
            first(early)
        }),
        right: Right::Now(Box::new(move |_| settler.resolve(value).is_ok().into())),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}

pub(super) fn drop_outer(random: u32, cells: &'static Cells) -> Round {
    let (outer, resolver) = Promise::pending();
    let (inner, settler) = Promise::pending();
    let value = cells.token();
    if random & 1 == 0 {
        must(resolver.adopt(inner).is_ok(), || "an adoption was refused".into());
        drop(resolver);
    } else {
        drop(Promise::fulfilled(cells.token()).then(move |_| inner));
    }
    Round {
        left: Box::new(move |event_loop| {
            event_loop.tick();
            let early = outer.is_pending();
            outer.mark_handled();
            drop(outer);
            first(early)
        }),
        right: Right::Now(Box::new(move |_| settler.resolve(value).is_ok().into())),
        check: |_, _, _| {},
    }
}

pub(super) fn cancel_outer(random: u32, cells: &'static Cells) -> Round {
    let (inner, settler) = Promise::pending();
    let value = cells.token();
    let outer = if random & 1 == 0 {
        Promise::fulfilled(cells.token()).then(move |_| inner)
    } else {
        let (outer, resolver) = Promise::pending();
        must(resolver.adopt(inner).is_ok(), || "an adoption was refused".into());
        outer
    };
    let kept = outer.clone();
    drop(watch(outer, cells));
    Round {
        left: Box::new(move |event_loop| {
            event_loop.tick();
            let cancelled = kept.cancel("stop") == CancelOutcome::Cancelled;
            u32::from(cancelled) | first(cancelled)
        }),
        right: Right::Now(Box::new(move |_| {
            // On its way upstream the cancellation may have come first.
            if let Err(value) = settler.resolve(value) {
                value.look();
            }
            0
        })),
        check: |cells, cancelled, _| cells.must_have_run(1, if cancelled == 1 { CANCELLED } else { VALUE }),
    }
}

pub(super) fn race_loser(_: u32, cells: &'static Cells) -> Round {
    let (loser, resolver) = Promise::pending();
    let value = cells.token();
    Round {
        left: Box::new(move |event_loop| {
            let race = Promise::race([Promise::fulfilled(cells.token()), loser]);
            drop(watch(race, cells));
            event_loop.tick();
            first(resolver_is_late(cells))
        }),
        right: Right::Now(Box::new(move |_| {
            let resolved = resolver.resolve(value).is_ok();
            cells.extra.store(1, std::sync::atomic::Ordering::Relaxed);
            resolved.into()
        })),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}

fn resolver_is_late(cells: &Cells) -> bool {
    cells.extra.load(std::sync::atomic::Ordering::Relaxed) == 0
}

pub(super) fn all_inputs(random: u32, cells: &'static Cells) -> Round {
    let (inputs, settlers): (Vec<_>, Vec<_>) = (0..3).map(|_| Promise::pending()).unzip();
    let bad = (random & 3) as usize; // 3: none of them
    let captured = cells.token();
    Round {
        left: Box::new(move |event_loop| {
            let early = inputs[2].is_pending();
            let all = Promise::all(inputs).handle::<(), Why, _, _>(move |outcome| {
                captured.look();
                match outcome {
                    Ok(values) if values.len() == 3 => cells.ran(VALUE),
                    Ok(_) => must(false, || "values are missing".into()),
                    Err(why) => cells.saw(&Err(why)),
                }
                Ok(())
            });
            drop(all);
            event_loop.tick();
            first(early)
        }),
        right: Right::Now(Box::new(move |_| {
            for (number, settler) in settlers.into_iter().enumerate() {
                let token = cells.token();
                let outcome = if number == bad { Err(Why::Said(token)) } else { Ok(token) };
                must(settler.settle(outcome).is_ok(), || "a settle was refused".into());
            }
            u32::from(bad < 3)
        })),
        check: |cells, _, bad| cells.must_have_run(1, if bad == 1 { crate::cells::REASON } else { VALUE }),
    }
}
