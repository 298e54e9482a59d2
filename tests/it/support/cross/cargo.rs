//! The value that the cross product ships, and the names of what can come of it.

use thenable::Fault;

use crate::support::Token;
use crate::support::values::detonate;

/// Who made a value: nobody may get another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Maker {
    Settler,
    Handler,
    /// Refused, because the promise was resolved already.
    TooLate,
}

/// A value that is on record and may panic in `clone` and `drop`.
pub(super) struct Cargo {
    token: Token,
    maker: Maker,
    pub(super) bomb_drop: bool,
    bomb_clone: bool,
}

impl Cargo {
    pub(super) fn new(token: Token, maker: Maker, bomb_drop: bool, bomb_clone: bool) -> Self {
        Self { token, maker, bomb_drop, bomb_clone }
    }
}

impl Clone for Cargo {
    fn clone(&self) -> Self {
        if self.bomb_clone {
            detonate("bomb: clone");
        }
        Self { token: self.token.clone(), ..*self }
    }
}

impl Drop for Cargo {
    fn drop(&mut self) {
        if self.bomb_drop {
            detonate("bomb: drop");
        }
    }
}

#[derive(Clone)]
pub(super) enum Reason {
    Fault(Fault),
    Cargo(Cargo),
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// An outcome without what it carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Value(Maker),
    Reason(Maker),
    Abandoned { line: u32 },
    Panicked(Whose),
    Cycle,
    LoopClosed,
    OtherFault,
}

/// Whose panic it was, by its message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Whose {
    Handler,
    Clone,
    /// Its payload is no text.
    Unnamed,
    Other,
}

impl Kind {
    pub(super) fn of(outcome: &Result<Cargo, Reason>) -> Self {
        match outcome {
            Ok(cargo) => Self::Value(cargo.maker),
            Err(Reason::Cargo(cargo)) => Self::Reason(cargo.maker),
            Err(Reason::Fault(Fault::Abandoned { created_at })) => Self::Abandoned { line: created_at.line() },
            Err(Reason::Fault(Fault::Panicked { message, .. })) => Self::Panicked(match &**message {
                "bomb: handler" => Whose::Handler,
                "bomb: clone" => Whose::Clone,
                text if text.starts_with("bomb") => Whose::Other,
                _ => Whose::Unnamed,
            }),
            Err(Reason::Fault(Fault::Cycle)) => Self::Cycle,
            Err(Reason::Fault(Fault::LoopClosed)) => Self::LoopClosed,
            Err(Reason::Fault(_)) => Self::OtherFault,
        }
    }
}

/// Names an outcome, and puts its value away without a bang.
pub(super) fn kind_of(mut outcome: Result<Cargo, Reason>) -> Kind {
    let kind = Kind::of(&outcome);
    if let Ok(cargo) | Err(Reason::Cargo(cargo)) = &mut outcome {
        cargo.bomb_drop = false;
    }
    kind
}
