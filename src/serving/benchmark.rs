//! A public benchmark of a serving engine on a machine: prompts and answers on the same chips, a fixed number of requests in flight.

use std::collections::BTreeMap;

use super::infeasible::Infeasible;
use super::replay::{Batching, ClientTraffic, ReplayLoad, ReplayPass, ReplayedService, replay};
use super::uneven_groups::UnevenGroups;
use crate::execution::{Machine, Mapping, Step, StepShape, cache_room, front_end, step, weight_bytes};
use crate::units::Watts;
use crate::workload::{AttentionBatch, sequence_cache};

/// Tokens of a prompt between which and none times are interpolated.
const SHORT_CHUNK: u32 = 128;

/// What clients see of `traffic` on one instance of `machine` laid out as `mapping`, whose engine batches as `batching` says; its groups and
/// the room for caches are those of the mapping. `draws` gives the watts of all chips of the instance while a step runs again and again.
///
/// # Errors
/// Weights that do not fit.
pub fn benchmark(
    machine: &Machine<'_>,
    mapping: Mapping,
    traffic: &ClientTraffic,
    batching: &Batching,
    draws: &dyn Fn(&Step) -> Watts,
) -> Result<ReplayedService, Infeasible> {
    let (model, precision) = (&machine.workload.model, &machine.workload.workload.precision);
    let weights = weight_bytes(model, precision, machine.workload.workload.experts.as_ref(), &mapping);
    let mean = |longest: u32| f64::from(longest) * f64::midpoint(1.0, traffic.shortest);
    let (prompt, output) = (mean(traffic.prompt), mean(traffic.output));
    let room = cache_room(&machine.device, weights).ok_or(Infeasible::Weights { mapping, weights, memory: machine.device.usable_memory })?;
    let cached = room / sequence_cache(model, precision, mapping.tp, prompt + output) * (prompt + output);
    let batching = Batching { groups: mapping.dp, cached, front_end: front_end(machine.workload), ..*batching };
    let mut passes = Passes {
        machine,
        draws,
        mapping,
        prompt,
        context: prompt + output / 2.0,
        most: traffic.concurrency.div_ceil(mapping.dp).min(batching.running),
        budget: batching.budget,
        known: BTreeMap::new(),
    };
    Ok(replay(traffic, &batching, |load| passes.price(load)))
}

/// Prices passes on a grid, in powers of two of both their parts, and interpolates between.
struct Passes<'a> {
    machine: &'a Machine<'a>,
    draws: &'a dyn Fn(&Step) -> Watts,
    mapping: Mapping,
    /// Tokens of a prompt, on average.
    prompt: f64,
    /// Tokens in the cache of a decoding sequence, on average.
    context: f64,
    /// Most sequences of a group.
    most: u32,
    /// Most tokens of prompts in a pass.
    budget: u32,
    /// By sequences, tokens of prompts, and whether one group alone has them.
    known: BTreeMap<(u32, u32, bool), ReplayPass>,
}

impl Passes<'_> {
    fn price(&mut self, load: &ReplayLoad) -> ReplayPass {
        let alone = UnevenGroups::of(self.machine, &self.mapping).alone(load.evenness);
        let even = self.of(load.decoding, load.reading, false);
        if alone > 0.0 { blend(even, self.of(load.decoding, load.reading, true), alone) } else { even }
    }

    fn of(&mut self, running: u32, chunk: u32, alone: bool) -> ReplayPass {
        let (few, many) = around(running, 1, self.most);
        let (short, long) = around(chunk, SHORT_CHUNK, self.budget);
        let share = |value: u32, low: u32, high: u32| if high > low { f64::from(value - low) / f64::from(high - low) } else { 0.0 };
        let (across, along) = (share(running, few, many), share(chunk, short, long));
        let [near, far] = [few, many].map(|running| self.between((running, alone), short, long, along));
        blend(near, far, across)
    }

    fn between(&mut self, (running, alone): (u32, bool), short: u32, long: u32, share: f64) -> ReplayPass {
        let near = self.at(running, short, alone);
        if share > 0.0 { blend(near, self.at(running, long, alone), share) } else { near }
    }

    fn at(&mut self, running: u32, chunk: u32, alone: bool) -> ReplayPass {
        if running == 0 && chunk == 0 {
            return ReplayPass::default();
        }
        if let Some(known) = self.known.get(&(running, chunk, alone)) {
            return *known;
        }
        let decoding = AttentionBatch { sequences: f64::from(running), new_tokens: 1.0, context: self.context, prefill: false };
        let prompts = (f64::from(chunk) / self.prompt).max(1.0);
        let reading = AttentionBatch { sequences: prompts, new_tokens: f64::from(chunk) / prompts, context: self.prompt / 2.0, prefill: true };
        let (batch, beside) = match (running, chunk) {
            (0, _) => (reading, None),
            (_, 0) => (decoding, None),
            _ => (decoding, Some(reading)),
        };
        let sampled = f64::from(running) + if chunk > 0 { prompts } else { 0.0 };
        let evenness = UnevenGroups::of(self.machine, &self.mapping).evenness(alone);
        let shape = StepShape { mapping: self.mapping, batch, chunk: beside, micro_batches: 1, sampled, evenness, drafts: 0 };
        let step = step(self.machine, &shape);
        let pass = ReplayPass { time: step.time, energy: (self.draws)(&step) * step.time };
        self.known.insert((running, chunk, alone), pass);
        pass
    }
}

fn blend(a: ReplayPass, b: ReplayPass, share: f64) -> ReplayPass {
    ReplayPass { time: a.time * (1.0 - share) + b.time * share, energy: a.energy * (1.0 - share) + b.energy * share }
}

/// The grid's neighbours of a value: 0, then `first` doubled again and again, then `last`.
fn around(value: u32, first: u32, last: u32) -> (u32, u32) {
    if value == 0 {
        return (0, 0);
    }
    let mut low = 0;
    let mut high = first.min(last);
    while high < value {
        (low, high) = (high, high.saturating_mul(2).min(last.max(value)));
    }
    if high == value { (value, value) } else { (low, high) }
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn the_grid_ends_at_the_largest() {
        let all: Vec<(u32, u32)> = [0, 1, 2, 3, 24, 33, 40].iter().map(|&value| around(value, 1, 40)).collect();
        assert_eq!(all, [(0, 0), (1, 1), (2, 2), (2, 4), (16, 32), (32, 40), (40, 40)]);
        assert_eq!(around(100, 128, 8192), (0, 128));
        assert_eq!(around(5, 128, 4), (5, 5));
    }
}
