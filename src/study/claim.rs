//! Sentences that a study's results bear out, or not: each with a figure, a ratio or a winner taken from the rows.

use std::collections::BTreeMap;

use super::columns::Better;
use super::space::{Space, columns};
use super::sweep::{Demands, SweptRow, amount, figure};
use crate::input::document::{Any, At, Finding};
use crate::input::problem::{Problem, Problems, suggest};
use crate::units::si;

/// A sentence with its figure in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The sentence.
    pub text: String,
    /// The figure in SI, or the ratio; `None` where a winner is named or rows are missing.
    pub value: Option<f64>,
    /// Whether the results bear the sentence out.
    pub holds: bool,
}

/// A finding with its columns found.
struct Checked {
    figure: usize,
    better: Better,
    scale: f64,
    which: Option<usize>,
    least: f64,
    most: f64,
}

/// Tells every finding of a study from its rows.
///
/// # Errors
/// Columns that are not there; bounds that do not fit.
pub fn findings(space: &Space, demands: &Demands, rows: &[SweptRow]) -> Result<Vec<Claim>, Problems> {
    let mut problems = Vec::new();
    let labelled: Vec<(Vec<String>, &SweptRow)> =
        rows.iter().filter(|row| demands.met(&row.outcome)).map(|row| (space.labels(&space.point(row.index)), row)).collect();
    let mut told = Vec::new();
    for finding in &space.spec.findings {
        match check(space, finding) {
            Ok(checked) => told.push(tell(space, finding, &checked, &labelled)),
            Err(problem) => problems.push(problem),
        }
    }
    Problems::check(problems, told)
}

fn check(space: &Space, finding: &Finding) -> Result<Checked, Problem> {
    let figure = figure(space, &finding.column)?;
    for column in finding.of.iter().chain(finding.over.iter().flatten()) {
        label(space, column.0, column.1)?;
    }
    let which = finding.which.as_ref().map(|axis| label(space, axis, axis)).transpose()?;
    let bound = |text: &Option<At<Any>>, absent: f64| match text {
        // A ratio of two figures has no unit.
        Some(text) if finding.over.is_some() => amount(space, "ratio", text),
        Some(text) => amount(space, &finding.column, text),
        None => Ok(absent),
    };
    let column = columns().nth(figure);
    Ok(Checked {
        figure,
        better: column.map_or(Better::Less, |column| column.better),
        scale: column.map_or(1e-6, |column| column.scale),
        which,
        least: bound(&finding.least, f64::NEG_INFINITY)?,
        most: bound(&finding.most, f64::INFINITY)?,
    })
}

/// The number of a label's column.
pub(super) fn label<T>(space: &Space, name: &str, at: &At<T>) -> Result<usize, Problem> {
    let known = space.label_names();
    known.iter().position(|known| known == name).ok_or_else(|| {
        let problem = Problem::new(format!("no axis is named `{name}`")).at(space.spec.place(at), "not what tells designs apart");
        problem.help(suggest(name, known.iter().map(String::as_str).collect::<Vec<_>>()))
    })
}

/// Whether a design has these entries.
#[must_use]
pub fn chosen(names: &[String], labels: &[String], of: &BTreeMap<String, At<Any>>) -> bool {
    of.iter().all(|(name, wanted)| {
        let wanted = wanted.label();
        let is = |label: &String| *label == wanted || si(label).is_some_and(|value| si(&wanted) == Some(value));
        names.iter().position(|known| known == name).is_some_and(|at| is(&labels[at]))
    })
}

fn tell(space: &Space, finding: &Finding, checked: &Checked, rows: &[(Vec<String>, &SweptRow)]) -> Claim {
    let names = space.label_names();
    let best = |of: &BTreeMap<String, At<Any>>| {
        let mut best: Option<(f64, &Vec<String>)> = None;
        for (labels, row) in rows.iter().filter(|(labels, _)| chosen(&names, labels, of)) {
            let Some(value) = row.outcome.figures[checked.figure] else { continue };
            if best.is_none_or(|(known, _)| checked.better.prefers(value, known)) {
                best = Some((value, labels));
            }
        }
        best
    };
    let own = best(&finding.of);
    let say = |figure: &str| finding.say.replace("{}", figure);
    let Some((value, labels)) = own else { return Claim { text: say("(no such design)"), value: None, holds: false } };
    if let Some(which) = checked.which {
        let holds = finding.is.as_ref().is_none_or(|wanted| wanted.label() == labels[which]);
        return Claim { text: say(&labels[which]), value: None, holds };
    }
    let (value, shown) = match &finding.over {
        None => (value, digits(value / checked.scale)),
        Some(over) => match best(over) {
            Some((other, _)) => (value / other, digits(value / other)),
            None => return Claim { text: say("(no such design)"), value: None, holds: false },
        },
    };
    Claim { text: say(&shown), value: Some(value), holds: (checked.least..=checked.most).contains(&value) }
}

/// Three significant digits, or all digits before the point.
#[must_use]
pub fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 || large == 0.0 => grouped(value),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Thousands apart: 12 345.
#[must_use]
pub fn grouped(value: f64) -> String {
    let whole = format!("{value:.0}");
    let (sign, number) = whole.strip_prefix('-').map_or(("", whole.as_str()), |number| ("-", number));
    let parts: Vec<&str> = number.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    format!("{sign}{}", parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(
            [1.234, 45.67, 123.4, 12_345.0, 1_234_567.0, 0.05, 0.0].map(digits),
            ["1.23", "45.7", "123", "12 345", "1 234 567", "0.0500", "0"]
        );
    }
}
