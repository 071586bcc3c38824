//! Video clips on one supernode.

use std::collections::BTreeSet;

use crate::fabric::Fabric;
use crate::input::document::Clip;
use crate::input::spec::Spec;
use crate::network::Network;
use crate::serving::{ClipPoint, Communication, clip_degrees, clip_points};
use crate::units::Flop;
use crate::workload::{Device, video_flop};

/// Everything that is said about a clip.
#[derive(Clone, Debug)]
pub struct ClipSimulation {
    /// Tokens of one clip.
    pub tokens: u32,
    /// Operations of one pass of the model.
    pub flop_per_pass: Flop,
    /// Every sequence-parallel degree that fits, fewest ranks first.
    pub points: Vec<ClipPoint>,
    /// The one with most clips an hour within the limit; `None` if none is fast enough or fits.
    pub best: Option<ClipPoint>,
}

/// Simulates a supernode that makes clips.
#[must_use]
pub fn simulate_clip(spec: &Spec, fabric: &Fabric, clip: &Clip) -> ClipSimulation {
    let network = Network::new(fabric);
    let degrees = clip_degrees(clip, spec.ranks());
    let chips: BTreeSet<u32> = degrees.iter().map(|ranks| ranks.div_ceil(spec.chip.ranks)).collect();
    let communication = Communication::new(&network, &spec.library, chips);
    let points = clip_points(&communication, &Device::new(&spec.chip), clip, &degrees);
    let in_time = |point: &&ClipPoint| clip.limit.as_ref().is_none_or(|limit| point.time <= limit.value);
    let most = |best: Option<ClipPoint>, point: &ClipPoint| match best {
        Some(best) if best.clips_per_second() >= point.clips_per_second() => Some(best),
        _ => Some(*point),
    };
    let best = points.iter().filter(in_time).fold(None, most);
    ClipSimulation { tokens: clip.tokens(), flop_per_pass: video_flop(clip), points, best }
}
