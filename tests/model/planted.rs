//! Changes of single rules of the interpreter. A run with any of them must differ from the library, and soon: otherwise the
//! comparison would not notice if the library had that rule wrong.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Planted {
    /// Following a promise begins in the job that resolved with it, not in one more.
    AdoptsOneTickEarly,
    /// The outcome of a settled promise is taken over at once.
    AdoptsSettledAtOnce,
    /// The handlers of one promise run in the order opposite to their registration.
    RunsLastHandlerFirst,
    /// A handler that is registered late runs before the jobs that were there.
    LateHandlerGoesFirst,
    /// A handler that is registered late runs inside `then`.
    LateHandlerRunsAtOnce,
    /// What is locked in to another promise may be resolved again.
    LockedInMayBeResolved,
    /// A missing handler passes an outcome on without a job.
    PassesOnAtOnce,
    /// The second handler of `then_or` hears of the first one's error.
    SecondHandlerGuardsFirst,
    /// `finally` with a plain result takes no ticks of its own.
    FinallyIsQuick,
    /// The rejection of a promise that a `finally` handler returns changes nothing.
    FinallyIgnoresRejection,
    /// `all` rejects when all are settled.
    AllWaitsForAll,
    /// `all` of nothing takes a tick.
    EmptyAllTakesATick,
    /// `all` collects values in the order of their arrival.
    AllCollectsInOrderOfTime,
    /// `any` collects reasons in the order of their arrival.
    AnyCollectsInOrderOfTime,
    /// `all_settled` rejects as `all` does.
    AllSettledRejects,
    /// `race` of nothing rejects.
    EmptyRaceRejects,
    /// A rejection is handled if a sibling branch of the rejected promise is.
    SiblingHandles,
    /// The losers of combinators are not handled.
    LosersAreUnhandled,
    // And those of departures.rs.
    OwnPromiseStaysPending,
    AbandonedStaysPending,
    CancelStopsNothingElse,
}

impl Planted {
    pub(crate) const ALL: [Planted; 21] = [
        Self::AdoptsOneTickEarly,
        Self::AdoptsSettledAtOnce,
        Self::RunsLastHandlerFirst,
        Self::LateHandlerGoesFirst,
        Self::LateHandlerRunsAtOnce,
        Self::LockedInMayBeResolved,
        Self::PassesOnAtOnce,
        Self::SecondHandlerGuardsFirst,
        Self::FinallyIsQuick,
        Self::FinallyIgnoresRejection,
        Self::AllWaitsForAll,
        Self::EmptyAllTakesATick,
        Self::AllCollectsInOrderOfTime,
        Self::AnyCollectsInOrderOfTime,
        Self::AllSettledRejects,
        Self::EmptyRaceRejects,
        Self::SiblingHandles,
        Self::LosersAreUnhandled,
        Self::OwnPromiseStaysPending,
        Self::AbandonedStaysPending,
        Self::CancelStopsNothingElse,
    ];
}
