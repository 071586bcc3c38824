//! `supernode calibrate`: constants, their uncertainty, and how well they predict what they were not fitted to.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::validation::calibrate::Calibration;

/// Families, fitted.
#[derive(Clone, Debug)]
pub struct CalibrateReport {
    /// Machines whose measurements were used.
    pub systems: Vec<String>,
    /// In the order asked for.
    pub calibrations: Vec<Calibration>,
}

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "not fixed".into() }
}

impl Report for CalibrateReport {
    fn output(&self) -> &'static str {
        "calibrate"
    }

    fn json(&self) -> Json {
        let families = self.calibrations.iter().map(|calibration| {
            json!({
                "family": calibration.family.to_string(),
                "count": calibration.count,
                "median_absolute_error": calibration.median,
                "p90_absolute_error": calibration.ninetieth,
                "constants": calibration.constants.iter().map(|constant| json!({
                    "name": constant.name, "unit": constant.unit, "before": constant.before, "value": constant.value,
                    "relative_error": constant.relative_error.is_finite().then_some(constant.relative_error),
                })).collect::<Vec<_>>(),
                "hold_outs": calibration.hold_outs.iter().map(|held| json!({
                    "left_out": held.left_out, "count": held.count, "median_absolute_error": held.median, "p90_absolute_error": held.ninetieth,
                })).collect::<Vec<_>>(),
            })
        });
        json!({ "systems": self.systems, "families": families.collect::<Vec<_>>() })
    }

    fn sections(&self) -> Vec<Section> {
        let mut constants = Table::new(&["<family", "<constant", "<unit", "before", "fitted", "standard error"]);
        let mut errors = Table::new(&["<family", "<left out of the fit", "cases", "median error", "p90 error"]);
        for calibration in &self.calibrations {
            let family = calibration.family.to_string();
            for constant in &calibration.constants {
                constants.row([
                    family.clone(),
                    constant.name.to_owned(),
                    constant.unit.to_owned(),
                    format!("{:.4}", constant.before),
                    format!("{}", constant.value),
                    percent(constant.relative_error),
                ]);
            }
            errors.row([
                family.clone(),
                "nothing".into(),
                calibration.count.to_string(),
                percent(calibration.median),
                percent(calibration.ninetieth),
            ]);
            for held in &calibration.hold_outs {
                errors.row([family.clone(), held.left_out.clone(), held.count.to_string(), percent(held.median), percent(held.ninetieth)]);
            }
        }
        vec![
            Section::Title(format!("Constants from measurements of {}", self.systems.join(", "))),
            Section::Table(constants),
            Section::Title("Errors on what was left out".into()),
            Section::Table(errors),
        ]
    }
}
