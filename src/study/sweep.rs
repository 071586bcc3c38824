//! All designs of a space, or a shard of them, in parallel; then which keep the constraints and which are on the Pareto front.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::columns::{Better, dimension};
use super::space::{DesignOutcome, Space};
use crate::input::document::{Any, At};
use crate::input::problem::{Problem, Problems, suggest};
use crate::units::{Dimension, parse_dimension};

/// A finished design.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptRow {
    /// Its number in the space.
    pub index: u64,
    /// What it gives.
    pub outcome: DesignOutcome,
}

/// A part of a space: every `of`-th design, from `number` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub number: u64,
    /// Shards in all.
    pub of: u64,
}

impl Shard {
    /// The whole.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// Whether a design is in it: neighbours are alike in cost, so they go to different shards.
    #[must_use]
    pub fn holds(&self, index: u64) -> bool {
        index % self.of == self.number
    }
}

/// Simulates the designs `indices`, on all threads; each is handed to `finished` as soon as it is done, in any order, one at a time for
/// each thread.
///
/// # Errors
/// What `finished` gives when it stops the sweep.
pub fn sweep<E: Send>(space: &Space, indices: &[u64], finished: impl Fn(SweptRow) -> ControlFlow<E> + Sync) -> Result<(), E> {
    let stopped = indices.par_iter().with_max_len(1).find_map_any(|&index| {
        let outcome = space.evaluate(&space.point(index));
        finished(SweptRow { index, outcome }).break_value()
    });
    stopped.map_or(Ok(()), Err)
}

/// A bound on a figure, in SI.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FigureBound {
    figure: usize,
    least: f64,
    most: f64,
}

/// What is asked of designs, with columns found and bounds read.
#[derive(Clone, Debug)]
pub struct Demands {
    bounds: Vec<FigureBound>,
    /// Figures to make large or small.
    pub objectives: Vec<(usize, Better)>,
}

impl Demands {
    /// Finds the columns of a study's constraints and objectives.
    ///
    /// # Errors
    /// A column that is not one; a bound that does not fit its column.
    pub fn of(space: &Space) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut bounds = Vec::new();
        for constraint in &space.spec.constraints {
            let figure = note(&mut problems, figure(space, &constraint.column));
            let mut bound = |text: &Option<At<Any>>, absent: f64| match text {
                // A bound on a column that is not there has no unit.
                _ if figure.is_none() => None,
                Some(text) => note(&mut problems, amount(space, &constraint.column, text)),
                None => Some(absent),
            };
            let (least, most) = (bound(&constraint.least, f64::NEG_INFINITY), bound(&constraint.most, f64::INFINITY));
            if let (Some(figure), Some(least), Some(most)) = (figure, least, most) {
                bounds.push(FigureBound { figure, least, most });
            }
        }
        let mut objectives = Vec::new();
        for goal in &space.spec.objectives {
            let goals = [(&goal.maximise, Better::More), (&goal.minimise, Better::Less)];
            for (column, better) in goals.into_iter().filter_map(|(column, better)| Some((column.as_ref()?, better))) {
                objectives.extend(note(&mut problems, figure(space, column)).map(|figure| (figure, better)));
            }
        }
        Problems::check(problems, Self { bounds, objectives })
    }

    /// Whether a design runs all that is asked of it and keeps to every constraint; a figure that it does not have keeps to none.
    #[must_use]
    pub fn met(&self, outcome: &DesignOutcome) -> bool {
        outcome.note.is_empty() && self.violation(outcome) == 0.0
    }

    /// By how much constraints are broken, as shares of their bounds; infinite where a figure is missing.
    #[must_use]
    pub fn violation(&self, outcome: &DesignOutcome) -> f64 {
        let broken = |bound: &FigureBound| match outcome.figures[bound.figure] {
            None => f64::INFINITY,
            Some(value) if value > bound.most => (value - bound.most) / bound.most.abs().max(f64::MIN_POSITIVE),
            Some(value) if value < bound.least => (bound.least - value) / bound.least.abs().max(f64::MIN_POSITIVE),
            Some(_) => 0.0,
        };
        self.bounds.iter().map(broken).sum()
    }

    /// A design's objectives, larger is better; `None` where it misses a figure or a constraint.
    #[must_use]
    pub fn merits(&self, outcome: &DesignOutcome) -> Option<Vec<f64>> {
        if !self.met(outcome) {
            return None;
        }
        let merit = |&(figure, better): &(usize, Better)| {
            let value = outcome.figures[figure]?;
            Some(if better == Better::Less { -value } else { value })
        };
        self.objectives.iter().map(merit).collect()
    }

    /// Which rows no other row beats: none is as good in every objective and better in one. Empty without objectives.
    #[must_use]
    pub fn front(&self, rows: &[SweptRow]) -> Vec<bool> {
        let mut on_front = vec![false; rows.len()];
        if self.objectives.is_empty() {
            return on_front;
        }
        let mut merits: Vec<(usize, Vec<f64>)> = rows.iter().enumerate().filter_map(|(at, row)| Some((at, self.merits(&row.outcome)?))).collect();
        // Best first: whoever beats a row then stands before it, and only the front so far has to be asked.
        merits.sort_by(|a, b| b.1.iter().zip(&a.1).map(|(b, a)| b.total_cmp(a)).find(|order| order.is_ne()).unwrap_or(a.0.cmp(&b.0)));
        let mut front: Vec<&Vec<f64>> = Vec::new();
        for (at, merit) in &merits {
            let beaten = front.iter().any(|other| *other != merit && other.iter().zip(merit).all(|(other, own)| other >= own));
            if !beaten {
                on_front[*at] = true;
                front.push(merit);
            }
        }
        on_front
    }
}

fn note<T>(problems: &mut Vec<Problem>, found: Result<T, Problem>) -> Option<T> {
    found.map_err(|problem| problems.push(problem)).ok()
}

/// The number of a figure's column.
///
/// # Errors
/// A problem with the near name.
pub fn figure(space: &Space, column: &At<String>) -> Result<usize, Problem> {
    let known = space.figures();
    known.iter().position(|key| *key == **column).ok_or_else(|| {
        let problem = Problem::new(format!("no column is named `{}`", **column)).at(space.spec.place(column), "not a figure of the results");
        problem.help(suggest(column, known.iter().map(String::as_str).collect::<Vec<_>>()))
    })
}

/// A bound in the SI unit of a column.
///
/// # Errors
/// A problem that says what was expected.
pub fn amount(space: &Space, column: &str, bound: &At<Any>) -> Result<f64, Problem> {
    let dimension = dimension(column);
    let text = bound.label();
    let value = if bound.value().is_str() || dimension == Dimension::Ratio { parse_dimension(&text, dimension).ok() } else { None };
    value.ok_or_else(|| {
        let expected = format!("expected a {} such as {}", dimension.name(), dimension.example());
        Problem::new(format!("`{text}` is no bound for `{column}`")).at(space.spec.place(bound), expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64, figures: [f64; 2]) -> SweptRow {
        SweptRow { index, outcome: DesignOutcome { figures: figures.map(Some).to_vec(), note: String::new() } }
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let demands =
            Demands { bounds: vec![FigureBound { figure: 1, least: 0.0, most: 10.0 }], objectives: vec![(0, Better::More), (1, Better::Less)] };
        // (5, 5) is beaten by (6, 5); (9, 11) breaks the bound; two equal points both stay.
        let rows = [[1.0, 1.0], [5.0, 5.0], [6.0, 5.0], [8.0, 9.0], [8.0, 9.0], [9.0, 11.0], [0.5, 1.0]];
        let rows: Vec<SweptRow> = rows.into_iter().enumerate().map(|(index, figures)| row(index as u64, figures)).collect();
        assert_eq!(demands.front(&rows), [true, false, true, true, true, false, false]);
        assert!((demands.violation(&rows[5].outcome) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn shards_hold_every_design_once() {
        for of in [1, 3, 7] {
            assert!((0..50).all(|index| (0..of).filter(|number| Shard { number: *number, of }.holds(index)).count() == 1));
        }
    }
}
