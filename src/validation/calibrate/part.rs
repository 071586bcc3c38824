//! Writes fitted constants into the text of a part file; everything else in it stays as it is.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Calibration;

/// `text` with the constants of `calibrations` in place of the old ones, ranges of two standard errors around them, cut where they
/// leave what makes sense.
///
/// # Errors
/// A constant that the text does not hold.
pub fn with_constants(text: &str, calibrations: &[Calibration]) -> Result<String, String> {
    let table = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
    let base = table.get_ref().get("extends").and_then(|base| base.get_ref().as_str());
    let missing = |what: String| match base {
        Some(base) => format!("{what}; the part extends `{base}`: calibrate a machine with that one"),
        None => what,
    };
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for calibration in calibrations {
        let path = calibration.family.path();
        let kernel = at(table.get_ref(), &path).ok_or_else(|| missing(format!("the part has no table `{}`", path.join("."))))?;
        // What the measurements do not fix stays as it is.
        for constant in calibration.constants.iter().filter(|constant| constant.relative_error.is_finite()) {
            let old = kernel.get(constant.name).ok_or_else(|| missing(format!("`{}` has no `{}`", path.join("."), constant.name)))?;
            let source = old.get_ref().as_table().and_then(|table| table.get("source")).and_then(|source| source.get_ref().as_str());
            let written = |value: f64| if constant.unit.is_empty() { format!("{value}") } else { format!("\"{value} {}\"", constant.unit) };
            let spread = 2.0 * constant.relative_error;
            // Beyond half of its value a constant is not known well enough for a range to say anything.
            let range = if spread < 0.5 {
                let end = |factor: f64| written(format!("{:.2e}", constant.value * factor).parse().unwrap_or(constant.value).min(constant.highest));
                format!(", range = [{}, {}]", end(1.0 - spread), end(1.0 + spread))
            } else {
                String::new()
            };
            let source = source.map_or_else(String::new, |source| format!(", source = \"{source}\""));
            edits.push((old.span(), format!("{{ value = {}{range}{source}, confidence = \"calibrated\" }}", written(constant.value))));
        }
    }
    edits.sort_by_key(|edit| edit.0.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (span, value) in edits {
        out.push_str(&text[from..span.start]);
        out.push_str(&value);
        from = span.end;
    }
    out.push_str(&text[from..]);
    Ok(out)
}

fn at<'a, 'i>(table: &'a DeTable<'i>, path: &[&str]) -> Option<&'a DeTable<'i>> {
    path.iter().try_fold(table, |table, key| table.get(*key).map(Spanned::get_ref).and_then(DeValue::as_table))
}
