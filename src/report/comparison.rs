//! Predictions beside measurements, line by line: shared by `simulate` and `validate`.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use crate::validation::Comparison;

/// One entry of `cases[]`.
pub fn comparison_json(case: &Comparison) -> Json {
    json!({
        "id": case.id,
        "system": case.system,
        "quantity": case.quantity,
        "settings": case.settings,
        "unit": case.unit.name(),
        "predicted": case.predicted.as_ref().ok(),
        "measured": case.measured.0,
        "measured_to": case.measured.1,
        "error": case.error(),
        "not_predicted": case.predicted.as_ref().err(),
        "source": case.source,
        "confidence": case.confidence,
    })
}

/// Every case with its error, and those that were not predicted by reason.
pub fn comparison_sections(cases: &[Comparison]) -> Vec<Section> {
    let mut table = Table::new(&["<id", "<system", "<quantity", "<settings", "<unit", "measured", "predicted", "error", "<confidence"]);
    for case in cases {
        let (Ok(predicted), Some(error)) = (&case.predicted, case.error()) else { continue };
        let (low, high) = case.measured;
        table.row([
            case.id.clone(),
            case.system.clone(),
            case.quantity.clone(),
            case.settings.clone(),
            case.unit.name().to_owned(),
            match high {
                Some(high) if case.is_limit() => format!("below {}", significant(high)),
                Some(high) => format!("{} to {}", significant(low), significant(high)),
                None => significant(low),
            },
            significant(*predicted),
            if case.is_limit() && error == 0.0 { "holds".to_owned() } else { format!("{:+.1} %", 100.0 * error) },
            case.confidence.name().to_owned(),
        ]);
    }
    let mut sections = vec![Section::Table(table)];
    let left_out = not_predicted(cases);
    if !left_out.is_empty() {
        sections.push(Section::Note("Not predicted, and why:".into()));
        sections.push(Section::Facts(left_out));
    }
    sections
}

/// Reasons and the ids of the cases that they hold for, in order of first appearance.
pub fn not_predicted(cases: &[Comparison]) -> Vec<(String, String)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in cases {
        let reason = match (&case.predicted, case.error()) {
            (Err(reason), _) => reason.as_str(),
            (Ok(_), None) => "measured as zero, so there is no relative error",
            _ => continue,
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, ids)) => ids.push(&case.id),
            None => reasons.push((reason, vec![&case.id])),
        }
    }
    reasons.into_iter().map(|(reason, ids)| (reason.to_owned(), shortened(&ids))).collect()
}

/// `8: A, B, C ...`: how many, and the first few.
fn shortened(ids: &[&str]) -> String {
    const SHOWN: usize = 6;
    let more = if ids.len() > SHOWN { " ..." } else { "" };
    format!("{}: {}{more}", ids.len(), ids[..ids.len().min(SHOWN)].join(", "))
}

/// Three significant digits or all digits before the point.
pub fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 100.0 || magnitude == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
