//! How much of a machine's steady rate may be asked for at the busiest moment, so that limits still hold.
//!
//! A steady rate has every place taken, always. Requests come at random: of a machine with `N` places (sequences that decode within the
//! limit of time per token, prompts that are read within the limit of time to first token) a number that is Poisson distributed with mean
//! `M` wants one (M/G/infinity: whatever the lengths of answers). Limits hold in 99 of 100 moments if
//!
//! ```text
//! M + z sqrt(M) = N,   z = 2.326         utilisation of a phase u = M / N
//! ```
//!
//! Places of decode are `tokens/s x TPOT`; those of prefill `prompts/s x (pass + what the limit leaves beyond the time to first token)`. Chips that
//! take shares `p` and `d` of the time at full use need `p / u_p + d / u_d` of it; clips have no limit and wait in a queue.

use super::verdict::ServedMix;
use crate::input::document::{PrefillPhase, Target};
use crate::serving::PhasePoint;
use crate::units::Seconds;

/// Standard deviations above the mean that one moment in a hundred exceeds.
const DEVIATIONS: f64 = 2.326;

/// Where a utilisation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UtilisationBasis {
    /// From the places of the machine.
    Derived,
    /// The target states it.
    Target,
    /// The user states it.
    User,
}

impl UtilisationBasis {
    /// The word for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Derived => "derived",
            Self::Target => "target",
            Self::User => "user",
        }
    }
}

/// The share of the steady rate that the busiest moment may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Utilisation {
    /// The share.
    pub value: f64,
    /// Where it comes from.
    pub basis: UtilisationBasis,
    /// Places of one machine: prompts being read, sequences being made.
    pub places: [Option<f64>; 2],
}

impl Utilisation {
    /// What the user states, else what the target states, else what follows from the places of both phases.
    #[must_use]
    pub fn new(
        stated: Option<f64>,
        target: &Target,
        prefill: Option<(&PhasePoint, &PrefillPhase)>,
        decode: Option<&PhasePoint>,
        service: ServedMix,
    ) -> Self {
        let places =
            [prefill.map(|(phase, asked)| prompts_in_reach(phase, asked)), decode.and_then(|phase| Some(phase.rate.get() * phase.point.tpot?.get()))];
        let target = target.utilisation.as_ref().map(|figure| figure.value.get());
        let (value, basis) = match (stated, target) {
            (Some(value), _) => (value, UtilisationBasis::User),
            (None, Some(value)) => (value, UtilisationBasis::Target),
            (None, None) => {
                let texts = 1.0 - service.video_share;
                let shares = [service.prefill_share, texts - service.prefill_share];
                let taken: f64 = shares.into_iter().zip(places).map(|(share, places)| share.max(0.0) / places.map_or(1.0, busiest)).sum();
                (1.0 / (service.video_share + taken), UtilisationBasis::Derived)
            }
        };
        Self { value, basis, places }
    }
}

/// Prompts that the machine reads within what the limit allows beyond waiting for a pass to end.
fn prompts_in_reach(phase: &PhasePoint, asked: &PrefillPhase) -> f64 {
    let fresh = (f64::from(*asked.prompt) * (1.0 - asked.cache_hit)).max(1.0);
    let left = asked.ttft_limit.value - phase.point.ttft.unwrap_or(Seconds::ZERO);
    phase.rate.get() / fresh * (phase.point.step.time + left.max(Seconds::ZERO)).get()
}

/// Of `places`, the mean number that may be wanted.
fn busiest(places: f64) -> f64 {
    let root = (DEVIATIONS.mul_add(DEVIATIONS, 4.0 * places).sqrt() - DEVIATIONS) / 2.0;
    root * root / places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 places: a mean of 79.3 with 2.326 x 8.9 above it. Of one place a mean of 0.137 is wanted; of many, nearly all.
    #[test]
    fn more_places_are_used_better() {
        assert!((busiest(100.0) - 0.7929).abs() < 1e-3, "{}", busiest(100.0));
        assert!((busiest(1.0) - 0.1375).abs() < 1e-3, "{}", busiest(1.0));
        assert!(busiest(1e6) > 0.997);
    }
}
