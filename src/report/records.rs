//! The rows of a study as a file for other tools: CSV, JSON lines, Parquet. One row a design, one column a label or figure, SI base
//! units; counts are whole; an absent figure is empty or null.

use crate::input::study::{AxisSpec, Values};
use crate::study::{Demands, Space, SweptRow, is_count};
use crate::units::si;

/// A column's cells; an absent one is null, and the column keeps its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Words.
    Text(Vec<Option<String>>),
    /// Figures.
    Number(Vec<Option<f64>>),
    /// Counts.
    Whole(Vec<Option<i64>>),
    /// Yes or no.
    Truth(Vec<Option<bool>>),
}

/// Named columns of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// Name and cells.
    pub columns: Vec<(String, Cells)>,
    /// What the file says about itself, where its format can.
    pub about: Vec<(String, String)>,
}

impl Records {
    /// The rows of a study, in order of their numbers: `design`, its labels, its figures, `feasible`, `pareto` where there are
    /// objectives, `note`.
    #[must_use]
    pub fn of(space: &Space, demands: &Demands, rows: &[SweptRow]) -> Self {
        let labels: Vec<Vec<String>> = rows.iter().map(|row| space.labels(&space.point(row.index))).collect();
        let design = Cells::Whole(rows.iter().map(|row| i64::try_from(row.index).ok()).collect());
        let mut columns = vec![("design".to_owned(), design)];
        for (at, name) in space.label_names().into_iter().enumerate() {
            let texts = labels.iter().map(|labels| labels[at].clone());
            let axis = at.checked_sub(3).map(|axis| &space.spec.axes[axis]);
            let cells = match axis {
                Some(axis) if whole(axis) => Cells::Whole(texts.map(|text| text.parse().ok()).collect()),
                Some(axis) if numeric(axis) => Cells::Number(texts.map(|text| si(&text)).collect()),
                _ => Cells::Text(texts.map(Some).collect()),
            };
            columns.push((name, cells));
        }
        for (at, key) in space.figures().into_iter().enumerate() {
            let cells = figures(&key, rows.iter().map(|row| row.outcome.figures[at]));
            columns.push((key, cells));
        }
        columns.push(("feasible".to_owned(), Cells::Truth(rows.iter().map(|row| Some(demands.met(&row.outcome))).collect())));
        if !demands.objectives.is_empty() {
            columns.push(("pareto".to_owned(), Cells::Truth(demands.front(rows).into_iter().map(Some).collect())));
        }
        columns.push(("note".to_owned(), Cells::Text(rows.iter().map(|row| Some(row.outcome.note.clone())).collect())));
        let about = vec![("study".to_owned(), space.spec.id.clone()), ("program".to_owned(), format!("supernode {}", env!("CARGO_PKG_VERSION")))];
        Self { columns, about }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, cells)| match cells {
            Cells::Text(cells) => cells.len(),
            Cells::Number(cells) => cells.len(),
            Cells::Whole(cells) => cells.len(),
            Cells::Truth(cells) => cells.len(),
        })
    }
}

/// The figures of a column; counts are whole.
pub(super) fn figures(key: &str, figures: impl Iterator<Item = Option<f64>>) -> Cells {
    #[expect(clippy::cast_possible_truncation, reason = "counts are whole and far below 2^53")]
    let count = |figure: f64| figure as i64;
    if is_count(key) { Cells::Whole(figures.map(|figure| figure.map(count)).collect()) } else { Cells::Number(figures.collect()) }
}

/// Whether all values of an axis are whole numbers without a unit.
fn whole(axis: &AxisSpec) -> bool {
    matches!(&axis.values, Values::Listed(values) if values.iter().all(|value| value.label.parse::<i64>().is_ok()))
}

/// Whether all values of an axis are numbers or quantities.
fn numeric(axis: &AxisSpec) -> bool {
    match &axis.values {
        Values::Listed(values) => values.iter().all(|value| si(&value.label).is_some()),
        Values::Between(..) => true,
    }
}
