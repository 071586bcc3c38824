//! Video clips on one supernode.

use crate::execution::Communication;
use crate::fabric::Fabric;
use crate::footprint::{Duty, Inventory, Power, power};
use crate::input::document::Clip;
use crate::input::spec::Spec;
use crate::network::Network;
use crate::serving::{ClipPoint, clip_degrees, clip_points};
use crate::units::{Flop, TokensPerSecond, render};
use crate::workload::{Device, video_flop};

/// Everything that is said about a clip.
#[derive(Clone, Debug)]
pub struct ClipSimulation {
    /// Name of the clip.
    pub name: String,
    /// Tokens of one clip.
    pub tokens: u32,
    /// Tokens that it is sold as.
    pub billed: f64,
    /// Operations of one pass of the model.
    pub flop_per_pass: Flop,
    /// Every sequence-parallel degree that fits, fewest ranks first.
    pub points: Vec<ClipPoint>,
    /// The one with most clips an hour within the limit; `None` if none is fast enough or fits.
    pub best: Option<ClipPoint>,
    /// Watts while the whole supernode makes clips in the best way; waiting if there is none.
    pub power: Power,
}

impl ClipSimulation {
    /// Tokens that the clips of a second are sold as.
    #[must_use]
    pub fn rate(&self) -> Option<TokensPerSecond> {
        self.best.as_ref().map(|best| TokensPerSecond::new(best.clips_per_second() * self.billed))
    }

    /// Why no clip is made; `None` if some are.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        if self.best.is_some() {
            return None;
        }
        let fastest = self.points.iter().min_by(|a, b| a.time.get().total_cmp(&b.time.get()));
        Some(fastest.map_or("the weights do not fit on a rank".to_owned(), |point| {
            format!("none is fast enough: {} on {} ranks is the fastest", render(point.time), point.ranks)
        }))
    }
}

/// Simulates a supernode that makes clips.
#[must_use]
pub fn simulate_clip(spec: &Spec, network: &Network<'_>, inventory: &Inventory, clip: &Clip) -> ClipSimulation {
    let fabric = network.fabric();
    let degrees = clip_degrees(clip, spec.ranks());
    let communication = Communication::new(network, &spec.library);
    let points = clip_points(&communication, &Device::new(&spec.chip), clip, &degrees);
    let in_time = |point: &&ClipPoint| clip.limit.as_ref().is_none_or(|limit| point.time <= limit.value);
    // Of equals the first, with fewest ranks.
    let best = points.iter().rev().filter(in_time).max_by(|a, b| a.clips_per_second().total_cmp(&b.clips_per_second())).cloned();
    let power = watts(spec, fabric, inventory, &communication, best.as_ref());
    let billed = clip.billed_tokens();
    ClipSimulation { name: clip.name.clone(), tokens: clip.tokens(), billed, flop_per_pass: video_flop(clip), points, best, power }
}

fn watts(spec: &Spec, fabric: &Fabric, inventory: &Inventory, communication: &Communication<'_>, point: Option<&ClipPoint>) -> Power {
    let Some(point) = point else { return power(spec, fabric, inventory, &Duty::default(), &crate::network::Profile::silent(fabric)) };
    let busy = f64::from(point.instances * point.ranks) / f64::from(spec.ranks());
    let (chip, operators) = (&fabric.chip, point.operators.clone());
    let duty = Duty::at_work(&chip.power, chip.ranks, operators, (point.activity.sent, point.time), point.running, busy);
    let profile = communication.profile(point.ranks.div_ceil(fabric.chip.ranks));
    Power { slowdown: point.slowdown(), ..power(spec, fabric, inventory, &duty, profile) }
}
