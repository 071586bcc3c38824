//! `--draws`: how far values with a range move a result.

use crate::input::catalog::STANDARD_INPUT;
use crate::study::{DRAWS, DrawnRanges, FEWEST_DRAWS, SensitivityCase, Simulation, drawn_ranges};

/// How often values with a range are drawn beside a result.
#[derive(Debug, clap::Args)]
pub struct DrawsArgument {
    /// Draws of every value that has a range, for the 5 to 95 % of the results and how often one machine beats another; 0 for none. 24 if absent, but none on
    /// machines of more than 1 024 chips, where every draw lays out a large fabric again
    #[arg(long, value_name = "N", value_parser = draws)]
    draws: Option<u64>,
}

/// Chips of the largest machine that is drawn without being asked: every draw lays out its fabric anew.
const MOST_CHIPS: u64 = 1024;

fn draws(text: &str) -> Result<u64, String> {
    let fits = |draws: &u64| *draws == 0 || (FEWEST_DRAWS..=100_000).contains(draws);
    text.parse()
        .ok()
        .filter(fits)
        .ok_or_else(|| format!("`{text}` is not 0 or a number from {FEWEST_DRAWS} to 100000: fewer draws have no 5 and 95 %"))
}

impl DrawsArgument {
    /// Tells that nothing was drawn because the machine is large and no number was asked for.
    pub fn note(&self, nominal: &Simulation) -> Option<String> {
        let left_out = self.draws.is_none() && nominal.inventory.chips > MOST_CHIPS;
        left_out.then(|| format!("No 5 to 95 % is drawn on machines of more than {MOST_CHIPS} chips unless --draws asks for it"))
    }

    /// The ranges of a design; nothing where none are asked for, or where a draw cannot be built: the result stands without them.
    pub fn ranges(&self, case: &SensitivityCase, nominal: &Simulation) -> Option<DrawnRanges> {
        // Standard input is read once.
        let once = [Some(&case.supernode), case.serves.workload.as_ref(), case.serves.model.as_ref(), Some(&case.target)];
        let is_once = once.into_iter().flatten().any(|name| name == STANDARD_INPUT);
        let usual = if nominal.inventory.chips > MOST_CHIPS { 0 } else { DRAWS };
        let draws = self.draws.unwrap_or(usual);
        (draws > 0 && !is_once).then(|| drawn_ranges(case, nominal, draws).ok()).flatten()
    }
}
