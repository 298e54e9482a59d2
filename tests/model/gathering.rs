//! `all`, `allSettled`, `any` and `race`, as ECMAScript has them.

use super::interpreter::{Gather, Id, Model, Reaction, Step, aggregate, fold, fold_settled};
use super::planted::Planted;
use super::program::{Combinator, Outcome};

impl Model {
    pub(super) fn combine(&mut self, combinator: Combinator, inputs: Vec<Id>) -> Id {
        let result = self.promise();
        let gather = self.gathers.len();
        self.promises[result].depends.clone_from(&inputs);
        let outcomes = vec![None; inputs.len()];
        self.gathers.push(Gather {
            combinator,
            result,
            outcomes,
            arrived: 0,
            inputs: inputs.clone(),
            done: inputs.is_empty(),
        });
        if inputs.is_empty() {
            match combinator {
                Combinator::All if self.has(Planted::EmptyAllTakesATick) => {
                    let empty = self.settled(Ok(fold([])));
                    let late = self.link(empty, Step::Pass);
                    return self.link(late, Step::Pass);
                }
                Combinator::Race if self.has(Planted::EmptyRaceRejects) => self.settle(result, Err("empty".into())),
                Combinator::All | Combinator::AllSettled => self.settle(result, Ok(fold([]))),
                Combinator::Any => self.settle(result, Err(aggregate([""; 0]))),
                Combinator::Race => {}
            }
        } else {
            self.promises[result].gather = Some(gather);
        }
        for (index, input) in inputs.into_iter().enumerate() {
            self.subscribe(input, Reaction::Member { gather, index });
        }
        // Programs know one type of value and one of reason: all but `race` are followed by a conversion.
        if combinator == Combinator::Race { result } else { self.link(result, Step::Pass) }
    }

    pub(super) fn member(&mut self, gather: usize, index: usize, outcome: Outcome) {
        let all_waits = self.has(Planted::AllWaitsForAll);
        let settled_rejects = self.has(Planted::AllSettledRejects);
        let in_order_of_time = match self.gathers[gather].combinator {
            Combinator::All => self.has(Planted::AllCollectsInOrderOfTime),
            Combinator::Any => self.has(Planted::AnyCollectsInOrderOfTime),
            _ => false,
        };
        let this = &mut self.gathers[gather];
        if this.done {
            return;
        }
        let (is_value, combinator) = (outcome.is_ok(), this.combinator);
        let place = if in_order_of_time { this.arrived } else { index };
        this.outcomes[place] = Some(outcome.clone());
        this.arrived += 1;
        let all_in: Option<Vec<Outcome>> = this.outcomes.iter().cloned().collect();
        let result = match (combinator, all_in) {
            (Combinator::Race, _) => outcome,
            (Combinator::All, _) if !is_value && !all_waits => outcome,
            (Combinator::AllSettled, _) if !is_value && settled_rejects => outcome,
            (Combinator::Any, _) if is_value => outcome,
            (_, None) => return,
            (Combinator::All, Some(all)) => all.into_iter().collect::<Result<Vec<_>, _>>().map(fold),
            (Combinator::AllSettled, Some(all)) => Ok(fold_settled(all)),
            (Combinator::Any, Some(all)) => Err(aggregate(all.into_iter().filter_map(Result::err))),
        };
        this.done = true;
        let result_of = this.result;
        for index in 0..self.gathers[gather].inputs.len() {
            if let (Some(input), true) = (self.take_off(gather, index), self.has(Planted::LosersAreUnhandled)) {
                self.promises[input].handled = false;
            }
        }
        self.settle(result_of, result);
    }
}
