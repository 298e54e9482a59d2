//! The core: one heap block per promise, and the protocol that every access to it obeys.
//!
//! This is the only module with `unsafe` code. The rest of the crate sees [`Handle`] (a consumer), [`Producer`] (a
//! resolver), [`derive`] (a chain link), [`gather`] (a combinator), [`JobQueue`] (a loop's jobs) and their constructors, all
//! of them safe.
//!
//! # Blocks
//!
//! Every block starts with a [`Head`](node::Head): type table, state word, reference word, auxiliary word. Its memory comes
//! from the thread's own pages ([`block`]).
//!
//! | block | content | made by |
//! |---|---|---|
//! | root promise | head, slot, (companion) | `pending`, `settled`: a promise that resolvers settle |
//! | derived promise | head, source, next, (handler, then slot) | every chain method: promise and reaction in one |
//! | waker | head, source, next, waker | an await that has to wait |
//! | adopter | head, source, next, outer promise | `Resolver::adopt` |
//! | member | head, source, next, gather | a combinator, in one slab |
//! | notice | head, source, next, closure | `on_settled` |
//! | plain job | head, source, next, closure | `call_soon` and the library itself |
//!
//! All but the first are *reactions*: they wait on one promise's list, and then stand in one loop's queue, which takes a page
//! for some thousands of them at a time ([`queue`]), so neither settling nor enqueueing allocates a block.
//!
//! # The state word
//!
//! A pointer with tag bits ([`Word`](state::Word)).
//!
//! ```text
//!                   claim by a resolver (DECIDED)
//!   PENDING ───────────────────────────────────────► DECIDED ──┐
//!     │  pointer: nothing, the only reaction, or the hub       │ write the slot
//!     │                                                        ▼
//!     ├── a derived promise's job: write the slot ───────► one exchange: SETTLED, pointer: nothing or the hub
//!     │                                                        ▲    the replaced pointer's reactions are delivered
//!     └── cancel, also from DECIDED: fault into the hub ───────┘
//! ```
//!
//! # Rules
//!
//! 1. **Slot.** While a promise is unsettled its slot belongs to its producer: the resolver that owns the claim, or the
//!    derived promise's own job (which keeps its handler there). Once settled it is read-only, except that the only consumer
//!    may move the outcome out, after which nobody reads it.
//! 2. **Publication.** The exchange that sets SETTLED releases the slot; whoever acquires a settled word may read it. A
//!    publisher that loses the exchange (to a cancel) still owns the slot and takes its outcome back.
//! 3. **References.** One word counts the *consumers* (handles, and the reactions that wait for the outcome), and has a bit
//!    for the *producer* (all resolvers together, which count themselves in the auxiliary word; or the derived promise's
//!    reaction, listed, queued or running), a bit for an outcome that was moved out, and a bit for a rejection that is
//!    somebody's business. Whoever gives back the last of both frees the block. A consumer that finds itself the only one
//!    stays the only one: consumers are made by consumers.
//! 4. **Reactions.** A reaction belongs to the list that it is on, then to the queue, then to the job that runs it; taking it
//!    off (list: one exchange, or under the hub's lock) is what makes its fields the taker's. `source` changes on the
//!    reaction's place only.
//! 5. **Unshared promises.** Without a hub a promise has at most one consumer. So when a derived promise settles and finds a
//!    reaction, that reaction has the only consumer share; the producer gives it its own share too (the queue's entry may say so
//!    until its turn comes) and touches the promise no more, and the reaction frees it without counting. A `then` link costs
//!    two read-modify-writes, link and settle; or none, by rule 10.
//! 6. **Order.** Reactions of one promise are delivered in registration order even while others register: with a second
//!    consumer or reaction there is a hub, and the settler enqueues under its lock what stands in it, so that a later
//!    registration, which enqueues by itself, finds the earlier ones already in their queues. Without a hub there is nobody to
//!    race with.
//! 7. **Rest.** Foreign code (handlers, wakers, `Clone`, `From`, `Drop`) runs when no lock is held, no word is half changed,
//!    and every pointer it could reach is counted; and under protection against panics.
//! 8. **No recursion.** Settling enqueues; freeing and discarding go through a work list ([`trampoline`]); adoption passes
//!    followers on ([`adopt`]).
//! 9. **Faults.** A fault stays a fault in the slot (or the hub) until it is delivered: `From<Fault>` is foreign code.
//! 10. **Local reactions.** A derived promise is pending, without a hub and without a reaction: then whoever registers the
//!     first reaction holds its only consumer share. If source and reaction run on the same place, and this is its thread, the
//!     word says DECIDED too, which a derived promise has no other use for: the reaction is *local*. From there on nobody else
//!     comes by: the share is the reaction's, which is taken off on its place only, and the producer runs on the same place. So
//!     neither registering nor settling takes a read-modify-write, only a load and a store; nor does dropping the only handle
//!     on that place. Once the loop has closed its reactions are discarded, on any thread: whoever does that has found the
//!     queue closed, and so sees what was stored.

#![expect(unsafe_code, reason = "the core is where the crate's unsafe code lives")]

mod adopt;
mod block;
#[cfg(all(test, not(loom)))]
mod budgets;
mod callable;
mod cancel;
mod companion;
mod derived;
mod gather;
mod guarded;
mod handle;
mod headstart;
mod hub;
mod huge;
mod job;
mod life;
#[cfg(all(test, loom))]
pub(crate) mod models;
mod node;
mod notice;
#[cfg(any(all(test, loom), not(any(loom, shuttle, thenable_no_reuse, miri))))]
mod pages;
mod place;
mod queue;
mod reaction;
mod root;
mod slot;
mod state;
#[cfg(not(loom))]
mod step;
mod takeable;
#[cfg(not(loom))]
mod tracked;
mod trampoline;
mod type_eq;
mod unhandled;
mod waker;

#[cfg(not(loom))]
pub(crate) use block::tidy;
pub(crate) use callable::call;
pub(crate) use cancel::Canceller;
pub(crate) use companion::{Companion, Working, pending_with};
pub(crate) use derived::{Step, derive};
pub(crate) use gather::{Collect, GatherHandle, gather, gather_with_handle};
pub(crate) use guarded::{Guarded, Supervise, Supervised};
pub(crate) use handle::{Handle, Status};
pub(crate) use huge::large_vec;
pub(crate) use job::post;
pub(crate) use node::Site;
pub(crate) use notice::Watch;
pub(crate) use place::{Entered, NOWHERE, PlaceId, current, current_or_global, register, unregister};
pub(crate) use queue::JobQueue;
pub(crate) use root::{Producer, faulted, never, pending, settled};
#[cfg(not(loom))]
pub(crate) use step::CurrentStep;
#[cfg(not(loom))]
pub(crate) use tracked::pending_on;

#[cfg(all(test, not(loom)))]
mod tests;
