//! Makes a program that fails smaller.

use super::program::{Body, Handler, Link, Op, Program, Return};
use std::sync::Arc;

impl Program {
    /// The smallest program found for which `fails` holds still. It holds for this one.
    pub(crate) fn shrink(mut self, fails: impl Fn(&Program) -> bool) -> Self {
        let mut nth = 0;
        let mut since_success = false;
        loop {
            let mut change = Change { nth, done: false };
            let smaller = Self { ops: change.ops(&self.ops), ..self.clone() };
            match (change.done, fails(&smaller)) {
                (true, true) => {
                    self = smaller;
                    since_success = true;
                }
                (true, false) => nth += 1,
                (false, _) if since_success => (nth, since_success) = (0, false),
                (false, _) => return self,
            }
        }
    }
}

/// Makes the n-th of all possible simplifications.
struct Change {
    nth: usize,
    done: bool,
}

impl Change {
    fn is_now(&mut self) -> bool {
        let now = !self.done && self.nth == 0;
        self.done |= now;
        self.nth = self.nth.saturating_sub(1);
        now
    }

    fn ops(&mut self, ops: &[Op]) -> Vec<Op> {
        let mut changed = Vec::new();
        for op in ops {
            if !self.is_now() {
                changed.push(self.op(op));
            }
        }
        changed
    }

    fn op(&mut self, op: &Op) -> Op {
        match op {
            Op::Link(to, from, Link::ThenOr(fulfilled, _)) if self.is_now() => {
                Op::Link(*to, *from, Link::Then(fulfilled.clone()))
            }
            Op::Link(to, from, Link::ThenOr(_, rejected)) if self.is_now() => {
                Op::Link(*to, *from, Link::Catch(rejected.clone()))
            }
            Op::Link(to, from, link) => Op::Link(*to, *from, self.link(link)),
            Op::Combine(to, combinator, from) => {
                Op::Combine(*to, *combinator, from.iter().filter(|_| !self.is_now()).copied().collect())
            }
            Op::Soon(body) => Op::Soon(Arc::new(self.body(body))),
            Op::Attempt(var, handler) => Op::Attempt(*var, self.handler(handler)),
            op => op.clone(),
        }
    }

    fn link(&mut self, link: &Link) -> Link {
        match link {
            Link::Then(handler) => Link::Then(self.handler(handler)),
            Link::Catch(handler) => Link::Catch(self.handler(handler)),
            Link::Handle(handler) => Link::Handle(self.handler(handler)),
            Link::Finally(handler) => Link::Finally(self.handler(handler)),
            Link::ThenOr(fulfilled, rejected) => Link::ThenOr(self.handler(fulfilled), self.handler(rejected)),
            link => link.clone(),
        }
    }

    fn handler(&mut self, handler: &Handler) -> Arc<Handler> {
        let simple = matches!(handler.result, Return::Value(_));
        let result = if !simple && self.is_now() { Return::Value(0) } else { handler.result.clone() };
        Arc::new(Handler { body: self.body(&handler.body), result })
    }

    fn body(&mut self, body: &Body) -> Body {
        Body { id: body.id, ops: self.ops(&body.ops) }
    }
}
