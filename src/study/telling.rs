//! What rows say of a finding: the best of the rows that it chooses, a ratio, or a winner.

use std::collections::BTreeMap;

use super::columns::Better;
use super::space::{DesignOutcome, Space, columns};
use super::sweep::{amount, figure};
use crate::input::document::{Any, At, Finding};
use crate::input::problem::{Problem, suggest};
use crate::units::si;

/// A finding with its columns found.
pub(super) struct CheckedFinding {
    pub figure: usize,
    pub better: Better,
    pub scale: f64,
    which: Option<usize>,
    pub least: f64,
    pub most: f64,
    /// Number of the axis along which it is tested, among the labels.
    pub along: Option<usize>,
}

#[cfg(test)]
impl CheckedFinding {
    /// A finding of which only the bounds count.
    pub fn bare(figure: usize, better: Better, least: f64, most: f64) -> Self {
        Self { figure, better, scale: 1.0, which: None, least, most, along: None }
    }
}

/// A design that keeps to the constraints: its labels and its figures.
pub(super) type Labelled<'a> = (Vec<String>, &'a DesignOutcome);

/// What rows say of a finding.
pub(super) struct FindingResult {
    /// Figure, ratio or winner as it is printed.
    pub shown: String,
    /// The figure in SI, or the ratio.
    pub value: Option<f64>,
    /// Whether it is within its bounds.
    pub holds: bool,
}

pub(super) fn check(space: &Space, finding: &Finding) -> Result<CheckedFinding, Problem> {
    let figure = figure(space, &finding.column)?;
    for column in finding.of.iter().chain(finding.over.iter().flatten()) {
        label(space, column.0, column.1)?;
    }
    let which = finding.which.as_ref().map(|axis| label(space, axis, axis)).transpose()?;
    let along = finding.along.as_ref().map(|axis| label(space, axis, axis)).transpose()?;
    let bound = |text: &Option<At<Any>>, absent: f64| match text {
        // A ratio of two figures has no unit.
        Some(text) if finding.over.is_some() => amount(space, "ratio", text),
        Some(text) => amount(space, &finding.column, text),
        None => Ok(absent),
    };
    let column = columns().nth(figure);
    let checked = CheckedFinding {
        figure,
        better: column.map_or(Better::Less, |column| column.better),
        scale: column.map_or(1e-6, |column| column.scale),
        which,
        least: bound(&finding.least, f64::NEG_INFINITY)?,
        most: bound(&finding.most, f64::INFINITY)?,
        along,
    };
    let bounded = finding.least.is_some() || finding.most.is_some() || finding.is.is_some();
    if finding.chance && !bounded {
        let problem = Problem::new("a finding without bounds is always true").at(space.spec.place(&finding.column), "`chance` needs bounds");
        return Err(problem.help("give `least`, `most` or, beside `which`, `is`"));
    }
    if finding.say.contains("{range}") && (finding.along.is_none() || finding.which.is_some()) {
        let problem = Problem::new("`{range}` needs an axis to range along").at(space.spec.place(&finding.column), "the figure without a range");
        return Err(problem.help("give `along`, and no `which`"));
    }
    Ok(checked)
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

/// Entries that choose rows, and those that the figure is taken over.
pub(super) type ChosenRows<'a> = (&'a BTreeMap<String, At<Any>>, Option<&'a BTreeMap<String, At<Any>>>);

/// The best of the rows that entries choose: its number among `rows`, and its figure.
pub(super) fn best(names: &[String], checked: &CheckedFinding, of: &BTreeMap<String, At<Any>>, rows: &[Labelled<'_>]) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for (number, (_, outcome)) in rows.iter().enumerate().filter(|(_, (labels, _))| chosen(names, labels, of)) {
        let Some(value) = outcome.figures[checked.figure] else { continue };
        if best.is_none_or(|(_, known)| checked.better.prefers(value, known)) {
            best = Some((number, value));
        }
    }
    best
}

/// What rows say of a finding; `None` where designs are missing.
pub(super) fn tell(
    space: &Space,
    finding: &Finding,
    checked: &CheckedFinding,
    (of, over): ChosenRows<'_>,
    rows: &[Labelled<'_>],
) -> Option<FindingResult> {
    let names = space.label_names();
    let delivered: Vec<Labelled<'_>>;
    let own = if finding.delivered {
        delivered = rows.iter().filter(|(labels, _)| space.standing(&labels[0]).is_none()).cloned().collect();
        &delivered
    } else {
        rows
    };
    let (number, value) = best(&names, checked, of, own)?;
    if let Some(which) = checked.which {
        let winner = &own[number].0[which];
        let holds = finding.is.as_ref().is_none_or(|wanted| wanted.label() == *winner);
        return Some(FindingResult { shown: winner.clone(), value: None, holds });
    }
    let (value, shown) = match over {
        None => (value, digits(value / checked.scale)),
        Some(over) => {
            let ratio = value / best(&names, checked, over, rows)?.1;
            (ratio, digits(ratio))
        }
    };
    Some(FindingResult { shown, value: Some(value), holds: (checked.least..=checked.most).contains(&value) })
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
