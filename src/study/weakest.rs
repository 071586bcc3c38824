//! Which sources to look for next: each figure of the hardware with a range at both ends of it, alone, and how far the result moves.

use rayon::prelude::*;

use super::progress::Progress;
use super::sensitivity::{SensitivityCase, Shared, served_per_chip, served_per_joule};
use super::simulate::{MappingChoice, Simulation};
use super::uncertainty::Assumption;
use crate::input::edit::Edits;
use crate::input::problem::Problems;

/// How far the range of a figure moves a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Weakness {
    /// Where the figure stands.
    pub path: String,
    /// Both ends of its range, as its file writes them.
    pub ends: [String; 2],
    /// How sure it is; `assumed` where nothing says so.
    pub confidence: String,
    /// Address of its source, where one is named.
    pub source: Option<String>,
    /// Served tokens per second of a chip at both ends over those as written, less one; `None` where nothing can be built or served.
    pub tokens: [Option<f64>; 2],
    /// Tokens per joule, likewise.
    pub per_joule: [Option<f64>; 2],
}

impl Weakness {
    /// Distance between the two ends in tokens; that of tokens per joule where the tokens stay. An end where nothing is served loses all.
    #[must_use]
    pub fn swing(&self) -> f64 {
        let across = |ends: [Option<f64>; 2]| (ends[0].unwrap_or(-1.0) - ends[1].unwrap_or(-1.0)).abs();
        across(self.tokens).max(across(self.per_joule))
    }
}

/// Files whose figures describe hardware and its libraries, and not what is asked of it.
fn is_of_the_machine(assumption: &Assumption) -> bool {
    let asked = ["workload", "model", "clip", "training", "study", "prices", "reliability"];
    !assumption.path.file_kind().is_some_and(|kind| asked.contains(&kind))
}

/// Every figure of the machine with a range, the one that moves the result farthest first; equals by path.
///
/// # Errors
/// Problems of the design as it is.
pub fn weakest(case: &SensitivityCase, progress: Progress<'_>) -> Result<(Simulation, Vec<Weakness>), Problems> {
    let shared = Shared::default();
    let (before, leaves) = case.fabric_metrics(&shared)?;
    let assumptions: Vec<Assumption> = Assumption::all(&leaves).into_iter().filter(is_of_the_machine).collect();
    let pieces = progress.pieces(assumptions.len());
    let tried = assumptions.into_par_iter().with_max_len(1).map(|assumption| {
        let ends = [0.0, 1.0].map(|end| assumption.text(assumption.quantile(end)));
        let moved = ends.clone().map(|text| {
            let edits = Edits::unwritten("weakest", [(assumption.path.clone(), text)]);
            let after = case.with(&shared, &edits, &MappingChoice::default()).ok();
            [served_per_chip, served_per_joule].map(|figure| {
                let (new, old) = (figure(after.as_ref()?)?, figure(&before)?);
                (old > 0.0).then(|| new / old - 1.0)
            })
        });
        pieces.one_done();
        let [low, high] = moved;
        Weakness {
            path: assumption.path.to_string(),
            ends,
            confidence: assumption.confidence.unwrap_or_else(|| "assumed".to_owned()),
            source: assumption.source,
            tokens: [low[0], high[0]],
            per_joule: [low[1], high[1]],
        }
    });
    let mut found: Vec<Weakness> = tried.collect();
    found.sort_by(|a, b| b.swing().total_cmp(&a.swing()).then_with(|| a.path.cmp(&b.path)));
    Ok((before, found))
}
