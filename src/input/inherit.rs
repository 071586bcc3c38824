//! Kernel constants that a chip takes from the file it extends: what was calibrated on one chip is derived for another.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Half of the range around an inherited constant: nine of ten kernels of a chip lie within a quarter of what its nearest measured relative
/// predicts (`supernode validate`, column "p90 from relative").
const SPREAD: f64 = 0.25;

/// Marks the calibrated figures of `[chip.kernels]` as derived and widens their ranges.
pub(super) fn inherit_kernels(base: &mut DeTable<'_>) {
    let chip = base.get_mut("chip").and_then(|chip| table_of(chip.get_mut()));
    if let Some(kernels) = chip.and_then(|chip| chip.get_mut("kernels")) {
        inherit(kernels.get_mut());
    }
}

fn table_of<'t, 'i>(value: &'t mut DeValue<'i>) -> Option<&'t mut DeTable<'i>> {
    match value {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn inherit(value: &mut DeValue<'_>) {
    let Some(table) = table_of(value) else { return };
    if table.get("confidence").and_then(|word| word.get_ref().as_str()) != Some("calibrated") {
        table.iter_mut().for_each(|(_, value)| inherit(value.get_mut()));
        return;
    }
    let Some(value) = table.get("value") else { return };
    let span = value.span();
    if let Some(ends) = ends(value.get_ref()) {
        let ends: DeArray<'_> = ends.into_iter().map(|end| Spanned::new(span.clone(), end)).collect();
        table.insert(Spanned::new(span.clone(), "range".into()), Spanned::new(span.clone(), DeValue::Array(ends)));
    }
    table.insert(Spanned::new(span.clone(), "confidence".into()), Spanned::new(span, DeValue::String("derived".into())));
}

/// Both ends of the range around a figure, in its unit; a share stays below one.
fn ends<'i>(value: &DeValue<'_>) -> Option<[DeValue<'i>; 2]> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        _ => return None,
    };
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number: f64 = number.parse().ok()?;
    Some([1.0 - SPREAD, 1.0 + SPREAD].map(|factor| {
        let end = number * factor;
        let text = if unit.is_empty() { format!("{:.2} %", 100.0 * end.min(1.0)) } else { format!("{end:.4} {unit}") };
        DeValue::String(text.into())
    }))
}
