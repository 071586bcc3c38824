//! Clips from a video diffusion transformer: sequence parallelism over the ranks of an instance.

use rayon::prelude::*;

use crate::execution::Activity;
use crate::execution::Communication;
use crate::execution::{ClockPace, arithmetic_energy, memory_energy, pace, running_energy, work_power};
use crate::input::document::Clip;
use crate::units::{Bytes, Joules, Seconds};
use crate::workload::{Device, kernel, sequence, video_block, video_weights};

/// One way of making clips.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipPoint {
    /// Ranks that share the tokens of a clip.
    pub ranks: u32,
    /// From the first step to the last.
    pub time: Seconds,
    /// Of it, transfers; nothing hides them.
    pub transfers: Seconds,
    /// Of it, running at a lower clock than the kernels could, and resting, to stay within the chips' power limit.
    pub power: Seconds,
    /// Instances on the supernode.
    pub instances: u32,
    /// Work of one rank for one clip.
    pub activity: Activity,
    /// Energy of one rank's operators, by name.
    pub operators: Vec<(&'static str, Joules)>,
    /// Energy of a chip beyond waiting and work: what running kernels draw whatever they do.
    pub running: Joules,
    /// How the chips keep to their limit.
    pub pace: ClockPace,
}

impl ClipPoint {
    /// Clips that the whole supernode makes in a second.
    #[must_use]
    pub fn clips_per_second(&self) -> f64 {
        f64::from(self.instances) / self.time.get()
    }

    /// Time over what it would be without the chips' power limit.
    #[must_use]
    pub fn slowdown(&self) -> f64 {
        self.time / (self.time - self.power)
    }

    /// What takes most of the time.
    #[must_use]
    pub fn bound_by(&self) -> &'static str {
        let kernels = self.time - self.transfers - self.power;
        let parts = [("compute", kernels), ("communication", self.transfers), ("the chips' power limit", self.power)];
        parts.into_iter().fold(parts[0], |most, part| if part.1 > most.1 { part } else { most }).0
    }
}

/// Sequence-parallel degrees that divide the heads and fit the machine.
#[must_use]
pub fn clip_degrees(clip: &Clip, ranks: u32) -> Vec<u32> {
    let heads = clip.transformer.heads;
    (1..=heads.min(ranks)).filter(|degree| heads.is_multiple_of(*degree)).collect()
}

/// A clip on `ranks` ranks; `None` if the weights do not fit.
///
/// Before attention each rank trades its part of the tokens for its part of the heads, and back after it: query, key, value and output
/// cross in four all-to-alls a block (DeepSpeed-Ulysses, arXiv 2309.14509). Steps follow each other, since each needs the one before. The
/// chips' power limit stretches the whole, as it does a step of a language model.
#[must_use]
pub fn clip_at(communication: &Communication<'_>, device: &Device, clip: &Clip, ranks: u32) -> Option<ClipPoint> {
    let weights = Bytes::new(video_weights(clip) * f64::from(clip.transformer.experts) * clip.precision.bytes());
    if weights > device.usable_memory {
        return None;
    }
    let passes = f64::from(clip.steps * clip.passes_per_step) * f64::from(clip.transformer.blocks);
    let device = &with_attention_of(clip, device);
    let block = video_block(clip, ranks);
    let computing = |device: &Device| -> Seconds { block.iter().map(|operator| kernel::time(device, operator)).sum() };
    let part = Bytes::new(sequence(clip) * f64::from(clip.transformer.hidden) * 2.0 / f64::from(ranks));
    let transfers = communication.all_to_all(ranks, part / f64::from(ranks)) * 4.0;
    let fabric = communication.network().fabric();
    let instances = fabric.chips * fabric.chip.ranks / ranks;
    let mut activity = Activity { sent: part * (4.0 * passes * f64::from(ranks - 1) / f64::from(ranks)), ..Activity::default() };
    for operator in &block {
        activity.add_by_name(operator, passes);
    }
    let (power, ranks_per_chip) = (device.power(), f64::from(device.ranks_per_chip()));
    let time = |clock: f64| (computing(&device.at_clock(clock)) + transfers) * passes;
    let pace = pace(power, |clock| {
        let time = time(clock);
        work_power(power, &activity, ranks_per_chip, clock, [time; 2])
    });
    let held = time(pace.clock) * pace.rest;
    let energy = |flop: &_, memory| arithmetic_energy(power, flop, pace.clock) + memory_energy(power, memory);
    Some(ClipPoint {
        ranks,
        time: held,
        transfers: transfers * passes,
        power: held - time(1.0),
        instances,
        operators: activity.operators.iter().map(|work| (work.name, energy(&work.flop, work.memory))).collect(),
        running: running_energy(power, pace.clock, [held / pace.rest; 2]),
        activity,
        pace,
    })
}

/// The device with the attention kernels of the clip's software.
fn with_attention_of(clip: &Clip, device: &Device) -> Device {
    let mut device = device.clone();
    if let Some(share) = &clip.attention {
        let kernels = &mut *device.kernels;
        let of_caches = kernels.gqa.values_mut().chain(kernels.mha.values_mut()).map(|kernel| &mut kernel.compute_efficiency);
        let of_prompts = kernels.prompts.values_mut().map(|kernel| &mut kernel.compute_efficiency);
        of_caches.chain(of_prompts).for_each(|efficiency| efficiency.value = efficiency.value * share.value.get());
    }
    device
}

/// Every degree that fits, fewest ranks first.
#[must_use]
pub fn clip_points(communication: &Communication<'_>, device: &Device, clip: &Clip, degrees: &[u32]) -> Vec<ClipPoint> {
    degrees.par_iter().filter_map(|ranks| clip_at(communication, device, clip, *ranks)).collect()
}
