//! `validation/outside.csv`: by how far fits missed each measurement that they had not seen. `supernode calibrate --outside` writes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::input::catalog::{Mention, find_in};
use crate::input::problem::{Place, Problem, Problems};

const HEADER: &str = "id,left_out_percent,relative_percent";

/// Predicted over measured, less one, for one measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OutsideError {
    /// By a fit to this chip's other measurements, the group of this one left out; `None` where too few others remain.
    pub left_out: Option<f64>,
    /// With the kernels of the chip's nearest measured relative; `None` if it has none.
    pub relative: Option<f64>,
}

/// Errors by the id of the measurement.
pub type OutsideErrors = BTreeMap<String, OutsideError>;

/// Reads the shipped file, or another.
///
/// # Errors
/// A line that is not of this form.
pub fn load_outside(name: &str) -> Result<OutsideErrors, Problems> {
    let found = find_in(name, &Mention::on_command_line(), "validation", "table of errors outside the fit", "csv")?;
    let source = &found.source;
    let (mut errors, mut problems, mut start) = (OutsideErrors::new(), Vec::new(), 0);
    for (number, line) in source.text.split_inclusive('\n').enumerate() {
        let fields: Vec<&str> = line.trim().split(',').collect();
        match (number, fields.as_slice()) {
            (0, _) if line.trim() == HEADER => {}
            (1.., [id, left_out, relative]) if is_share(left_out) && is_share(relative) => {
                errors.insert((*id).to_owned(), OutsideError { left_out: share(left_out), relative: share(relative) });
            }
            _ => {
                let place = Place { source: Arc::clone(source), span: start..start + line.trim_end().len() };
                problems.push(Problem::new("this is not a line of errors outside the fit").at(place, format!("expected {HEADER}")));
            }
        }
        start += line.len();
    }
    Problems::check(problems, errors)
}

fn is_share(text: &str) -> bool {
    text.is_empty() || share(text).is_some_and(f64::is_finite)
}

fn share(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().map(|percent| percent / 100.0)
}

/// The errors as such a file, in per cent with one decimal.
#[must_use]
pub fn outside_text(errors: &OutsideErrors) -> String {
    let percent = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{:.1}", 100.0 * share));
    let rows = errors.iter().map(|(id, error)| format!("{id},{},{}\n", percent(error.left_out), percent(error.relative)));
    std::iter::once(format!("{HEADER}\n")).chain(rows).collect()
}
