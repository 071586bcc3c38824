//! Sentences that a study's results bear out, or not: each with a figure, a ratio or a winner taken from the rows.

use super::probability::Probability;
use super::space::Space;
use super::sweep::{Demands, SweptRow};
use super::telling::{CheckedFinding, Labelled, check, chosen, tell};
use super::validity::Validity;
use crate::input::document::Finding;
use crate::input::problem::Problems;

/// A sentence with its figure in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The sentence.
    pub text: String,
    /// The figure in SI, or the ratio; `None` where a winner is named or rows are missing.
    pub value: Option<f64>,
    /// Whether the results bear the sentence out.
    pub holds: bool,
    /// Whether the sentence is part of the study's answer.
    pub answer: bool,
    /// How probable the sentence is over the ranges of the parts, where that was asked for and computed.
    pub probability: Option<Probability>,
    /// Where along an axis the sentence is true, where that was asked for.
    pub validity: Option<Validity>,
}

/// Tells every finding of a study from its rows.
///
/// # Errors
/// Columns that are not there; bounds that do not fit.
pub fn findings(space: &Space, demands: &Demands, rows: &[SweptRow]) -> Result<Vec<Claim>, Problems> {
    let mut problems = Vec::new();
    let labelled: Vec<Labelled<'_>> =
        rows.iter().filter(|row| demands.met(&row.outcome)).map(|row| (space.labels(&space.point(row.index)), &row.outcome)).collect();
    let mut told = Vec::new();
    for finding in &space.spec.findings {
        match check(space, finding) {
            Ok(checked) => told.push(claim(space, finding, &checked, &labelled)),
            Err(problem) => problems.push(problem),
        }
    }
    Problems::check(problems, told)
}

/// Numbers of the designs that findings take their figures from.
#[must_use]
pub fn named_designs(space: &Space) -> Vec<u64> {
    let names = space.label_names();
    let named = |index: &u64| {
        let labels = space.labels(&space.point(*index));
        let entries = space.spec.findings.iter().flat_map(|finding| [Some(&finding.of), finding.over.as_ref()]);
        entries.flatten().any(|entries| chosen(&names, &labels, entries))
    };
    (0..space.points).filter(named).collect()
}

fn claim(space: &Space, finding: &Finding, checked: &CheckedFinding, rows: &[Labelled<'_>]) -> Claim {
    let validity = checked.along.map(|axis| Validity::of(space, finding, checked, axis, rows));
    let told = tell(space, finding, checked, (&finding.of, finding.over.as_ref()), rows);
    let text = finding.say.replace("{}", told.as_ref().map_or("(no such design)", |told| &told.shown));
    let range = validity.as_ref().and_then(Validity::range);
    let text = text.replace("{range}", range.as_deref().unwrap_or("(no such designs)"));
    let (value, holds) = told.map_or((None, false), |told| (told.value, told.holds));
    Claim { text, value, holds, answer: finding.answer, probability: None, validity }
}
