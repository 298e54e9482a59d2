//! Makes a program of a seed, or of the bytes that a fuzzer gives.
//!
//! The file of seeds that once failed rests on this: what a seed means must not change. A test holds it to that.

use super::program::{Body, Combinator, Drive, Handler, Link, Op, Program, Return, Source, Var};
use std::sync::Arc;

/// How many operations a program has at most.
const MAX_OPS: usize = 64;

impl Program {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self::from_choices(Choices::Random(seed))
    }

    /// Each byte is a choice: small changes of the bytes are small changes of the program, mostly.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_choices(Choices::Bytes(bytes))
    }

    fn from_choices(mut random: Choices<'_>) -> Self {
        let style = Style {
            clones: random.chance(50),
            cancels: random.chance(20),
            nesting: [15, 50, 90][random.below(3)],
            eager: random.chance(50),
            body: 1 + random.below(4),
            turns: random.chance(30),
        };
        let counted = random.chance(50);
        let drive = [Drive::RunReady, Drive::RunUntilIdle, Drive::Tick][random.below(3)];
        let left = 4 + random.below(MAX_OPS - 3);
        let mut maker = Maker { random, style, left, vars: 0, ids: 0 };
        let mut ops = Vec::new();
        let mut scope = Scope::default();
        while maker.is_going_on() {
            if maker.style.turns && maker.random.chance(10) {
                ops.push(Op::Turn);
            }
            ops.push(maker.op(&mut scope));
        }
        Self { ops, vars: maker.vars, counted, drive }
    }
}

/// What a program is mostly made of. Programs without clones matter most: there the library takes its shortest ways.
struct Style {
    clones: bool,
    cancels: bool,
    /// How many handlers of a hundred return a promise.
    nesting: usize,
    /// Handlers mostly work on promises of their own.
    eager: bool,
    /// How many operations a handler has at most.
    body: usize,
    /// More than one turn of the loop.
    turns: bool,
}

/// What an operation may expect to find.
#[derive(Clone, Default)]
struct Scope {
    promises: Vec<Var>,
    resolvers: Vec<Var>,
}

struct Maker<'a> {
    random: Choices<'a>,
    style: Style,
    left: usize,
    vars: usize,
    ids: usize,
}

impl Maker<'_> {
    fn is_going_on(&self) -> bool {
        self.left > 0 && !self.random.is_exhausted()
    }

    fn op(&mut self, scope: &mut Scope) -> Op {
        self.left = self.left.saturating_sub(1);
        let no_promise = scope.promises.is_empty();
        loop {
            return match self.random.below(100) {
                0..=12 => {
                    let var = self.var(scope);
                    scope.resolvers.push(var);
                    Op::Pending(var)
                }
                13..=19 => Op::Settled(self.var(scope), Ok(self.value())),
                20..=23 => Op::Settled(self.var(scope), Err(self.reason())),
                24..=57 if !no_promise => {
                    let from = self.source(scope);
                    let to = self.vars;
                    self.vars += 1;
                    let link = self.link(scope, to);
                    scope.promises.push(to);
                    Op::Link(to, from, link)
                }
                58..=65 if !no_promise => {
                    let count = self.random.below(4.min(scope.promises.len()) + 1);
                    let from = (0..count).filter_map(|_| self.maybe_source(scope)).collect();
                    let combinators = [Combinator::All, Combinator::AllSettled, Combinator::Any, Combinator::Race];
                    let combinator = combinators[self.random.below(4)];
                    Op::Combine(self.var(scope), combinator, from)
                }
                66..=71 => match self.resolver(scope) {
                    Some(resolver) => Op::Resolve(resolver, self.value()),
                    None => continue,
                },
                72..=75 => match self.resolver(scope) {
                    Some(resolver) => Op::Reject(resolver, self.reason()),
                    None => continue,
                },
                76..=82 if !no_promise => match self.resolver(scope) {
                    Some(resolver) => Op::Adopt(resolver, self.source(scope)),
                    None => continue,
                },
                83 => match self.resolver(scope) {
                    Some(resolver) => Op::Abandon(resolver),
                    None => continue,
                },
                84..=89 => Op::Soon(Arc::new(self.body(&mut scope.clone()))),
                90..=91 => {
                    let handler = self.handler(scope);
                    Op::Attempt(self.var(scope), handler)
                }
                92..=94 if self.style.clones && !no_promise => {
                    let from = scope.promises[self.random.below(scope.promises.len())];
                    Op::Copy(self.var(scope), from)
                }
                95..=96 if !no_promise => Op::Drop(self.source(scope).var),
                97 if !no_promise => Op::State(self.recent(scope)),
                98.. if self.style.cancels && !no_promise => Op::Cancel(self.recent(scope)),
                _ => continue,
            };
        }
    }

    fn var(&mut self, scope: &mut Scope) -> Var {
        let var = self.vars;
        self.vars += 1;
        scope.promises.push(var);
        var
    }

    fn value(&mut self) -> i64 {
        i64::try_from(self.random.below(100)).unwrap_or_default()
    }

    fn reason(&mut self) -> String {
        format!("e{}", self.random.below(100))
    }

    fn recent(&mut self, scope: &Scope) -> Var {
        let count = scope.promises.len();
        let back = if self.random.chance(60) { 0 } else { self.random.below(count) };
        scope.promises[count - 1 - back]
    }

    fn resolver(&mut self, scope: &mut Scope) -> Option<Var> {
        let count = scope.resolvers.len();
        if count == 0 {
            return None;
        }
        let nth = self.random.below(count);
        // Most are used once.
        Some(if self.random.chance(80) { scope.resolvers.remove(nth) } else { scope.resolvers[nth] })
    }

    fn source(&mut self, scope: &mut Scope) -> Source {
        let var = self.recent(scope);
        let keep = self.style.clones && self.random.chance(50);
        // Now and then an empty variable is tried again.
        if !keep && !self.random.chance(5) {
            scope.promises.retain(|other| *other != var);
        }
        Source { var, keep }
    }

    fn maybe_source(&mut self, scope: &mut Scope) -> Option<Source> {
        if scope.promises.is_empty() { None } else { Some(self.source(scope)) }
    }

    fn link(&mut self, scope: &Scope, to: Var) -> Link {
        let mut scope = scope.clone();
        if self.random.chance(4) {
            // The handler may come to return the promise of its own result.
            scope.promises.push(to);
        }
        match self.random.below(20) {
            0..=9 => Link::Then(self.handler(&scope)),
            10..=12 => Link::Catch(self.handler(&scope)),
            13 => Link::ThenOr(self.handler(&scope), self.handler(&scope)),
            14 => Link::Handle(self.handler(&scope)),
            15..=17 => Link::Finally(self.handler(&scope)),
            18 => Link::Map,
            _ => Link::RoundTrip,
        }
    }

    fn handler(&mut self, outer: &Scope) -> Arc<Handler> {
        let mut scope = outer.clone();
        if self.style.eager {
            scope.promises.clear();
        }
        let body = self.body(&mut scope);
        if scope.promises.is_empty() && self.random.chance(50) {
            scope.promises.clone_from(&outer.promises);
        }
        let result = match self.random.below(100) {
            roll if roll < self.style.nesting && !scope.promises.is_empty() => Return::Promise(self.source(&mut scope)),
            _ => match self.random.below(10) {
                0..=3 => Return::Value(self.value()),
                4..=5 => Return::Same,
                6..=7 => Return::Throw(self.reason()),
                8 => Return::Ready(self.value()),
                _ => Return::Panic,
            },
        };
        Arc::new(Handler { body, result })
    }

    fn body(&mut self, scope: &mut Scope) -> Body {
        let id = self.ids;
        self.ids += 1;
        let count = self.random.below(self.style.body + 1);
        let mut ops = Vec::new();
        while ops.len() < count && self.is_going_on() {
            ops.push(self.op(scope));
        }
        Body { id, ops }
    }
}

/// Where the choices come from.
enum Choices<'a> {
    /// `SplitMix64`: the same programs on every machine.
    Random(u64),
    Bytes(&'a [u8]),
}

impl Choices<'_> {
    fn next(&mut self) -> u64 {
        match self {
            Self::Random(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = *state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            }
            Self::Bytes(bytes) => match bytes.split_first() {
                Some((first, rest)) => {
                    *bytes = rest;
                    u64::from(*first)
                }
                None => 0,
            },
        }
    }

    /// The limit is 100 at most.
    fn below(&mut self, limit: usize) -> usize {
        // Reduced modulo a small number: no matter that it is a little uneven.
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn is_exhausted(&self) -> bool {
        matches!(self, Self::Bytes([]))
    }
}
