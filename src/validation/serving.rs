//! What clients of a serving engine see: its public benchmark, replayed.

use std::collections::BTreeMap;

use super::bench::{Bench, energy_in, power_in, time_in, tokens_in};
use super::engine::{Engine, Pass, Served, Traffic, replay};
use crate::execution::{Machine, Mapping, StepShape, cache_room, step, weight_bytes};
use crate::footprint::Duty;
use crate::input::cases::Case;
use crate::input::document::{Chip, Engine as EngineCosts};
use crate::network::Pricing;
use crate::units::{Figure, Joules, Ratio, Seconds, Watts};
use crate::workload::{AttentionBatch, sequence_cache};

/// Requests of public benchmarks over those in flight.
const ROUNDS: u32 = 10;
/// Shortest over longest length in public benchmarks, in per cent.
const SHORTEST: f64 = 80.0;
/// Tokens that an engine takes into one pass.
const BUDGET: u32 = 8192;
/// Tokens of a prompt between which and none times are interpolated.
const SHORT_CHUNK: u32 = 128;

const SETTINGS: [&str; 17] = [
    "engine",
    "workload",
    "tp",
    "dp",
    "concurrency",
    "prompt",
    "output",
    "shortest",
    "rounds",
    "budget",
    "running",
    "paged",
    "whole",
    "separate",
    "poll",
    "wait",
    "wait_share",
];

/// A figure of an engine that prefills and decodes on the same chips with a fixed number of requests in flight.
pub fn serving(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&SETTINGS)?;
    let served = served(bench, case)?;
    match case.quantity.as_str() {
        "serving_ttft" => time_in(case.unit, served.first_token),
        "serving_gap" => time_in(case.unit, served.gap),
        "serving_rate" => tokens_in(case.unit, served.rate),
        "serving_power" => power_in(case.unit, served.power),
        "serving_energy" => energy_in(case.unit, Joules::new(served.power.get() / served.rate.get())),
        _ => time_in(case.unit, served.per_token),
    }
}

/// Replays the case once for all of its figures.
fn served(bench: &mut Bench<'_>, case: &Case) -> Result<Served, String> {
    let key = case.settings.to_string();
    if let Some(known) = bench.served.get(&key) {
        return known.clone();
    }
    let found = replayed(bench, case);
    bench.served.insert(key, found.clone());
    found
}

fn replayed(bench: &mut Bench<'_>, case: &Case) -> Result<Served, String> {
    let settings = &case.settings;
    let workload = bench.workload(settings.text("workload")?)?;
    let (tp, dp) = (settings.count("tp")?, settings.count("dp")?);
    let ranks = u64::from(tp) * u64::from(dp);
    let fabric = bench.network.fabric();
    if ranks > u64::from(fabric.chips) * u64::from(fabric.chip.ranks) {
        return Err(format!("{ranks} ranks do not fit on {} chips", fabric.chips));
    }
    let ep = if workload.model.experts().is_some() { tp * dp } else { 1 };
    let mapping = Mapping { tp, ep, dp, ..Mapping::ONE };
    let or = |key: &str, absent: u32| if settings.optional(key).is_some() { settings.count(key) } else { Ok(absent) };
    let traffic = Traffic {
        concurrency: settings.count("concurrency")?,
        rounds: or("rounds", ROUNDS)?,
        prompt: settings.count("prompt")?,
        output: settings.count("output")?,
        shortest: (settings.number_or("shortest", SHORTEST)? / 100.0).min(1.0),
    };
    if u64::from(traffic.concurrency) * u64::from(traffic.rounds) > MOST_REQUESTS {
        return Err(format!("more than {MOST_REQUESTS} requests"));
    }
    let mut machine = Machine::new(bench.network, &bench.spec.library, &bench.spec.chip, &workload);
    let costs = settings.optional("engine").map(|name| bench.parts.engine(name).cloned()).transpose()?;
    if let Some(costs) = &costs {
        let kernels = &mut *machine.device.kernels;
        let share = |figure: &Option<Figure<Ratio>>| figure.as_ref().map_or(1.0, |figure| figure.value.get());
        kernels.launch.value = kernels.launch.value * share(&costs.gap);
        let efficiencies = kernels.gemm.values_mut().map(|kernel| &mut kernel.compute_efficiency);
        for efficiency in efficiencies.chain(kernels.experts.values_mut().map(|kernel| &mut kernel.compute_efficiency)) {
            efficiency.value = efficiency.value * share(&costs.matrix);
        }
    }
    let (model, precision) = (&workload.model, &workload.workload.precision);
    let weights = weight_bytes(model, precision, workload.workload.experts.as_ref(), &mapping);
    let mean = |longest: u32| f64::from(longest) * f64::midpoint(1.0, traffic.shortest);
    let (prompt, output) = (mean(traffic.prompt), mean(traffic.output));
    let room = cache_room(&machine.device, weights).ok_or("does not fit: the weights alone are more than the usable memory")?;
    let cached = room / sequence_cache(model, precision, tp, prompt + output) * (prompt + output);
    let engine = Engine {
        groups: dp,
        budget: or("budget", BUDGET)?,
        running: or("running", u32::MAX)?,
        cached,
        paged: settings.flag("paged")?,
        whole: settings.flag("whole")?,
        separate: settings.flag("separate")?,
        poll: or("poll", 1)?,
        wait: or("wait", 0)?,
        wait_share: settings.number_or("wait_share", 0.0)? / 100.0,
    };
    let mut passes = Passes {
        machine: &machine,
        chip: &bench.parts.chip,
        costs: costs.as_ref(),
        mapping,
        prompt,
        context: prompt + output / 2.0,
        most: traffic.concurrency.div_ceil(dp).min(engine.running),
        budget: engine.budget,
        known: BTreeMap::new(),
    };
    Ok(replay(&traffic, &engine, |running, chunk| passes.price(running, chunk)))
}

/// A replay of more requests is a slip of the finger.
const MOST_REQUESTS: u64 = 1_000_000;

/// Prices passes on a grid, in powers of two of both their parts, and interpolates between.
struct Passes<'a> {
    machine: &'a Machine<'a>,
    chip: &'a Chip,
    /// What the engine adds.
    costs: Option<&'a EngineCosts>,
    mapping: Mapping,
    /// Tokens of a prompt, on average.
    prompt: f64,
    /// Tokens in the cache of a decoding sequence, on average.
    context: f64,
    /// Most sequences of a group.
    most: u32,
    /// Most tokens of prompts in a pass.
    budget: u32,
    known: BTreeMap<(u32, u32), Pass>,
}

impl Passes<'_> {
    fn price(&mut self, running: u32, chunk: u32) -> Pass {
        let (few, many) = around(running, 1, self.most);
        let (short, long) = around(chunk, SHORT_CHUNK, self.budget);
        let share = |value: u32, low: u32, high: u32| if high > low { f64::from(value - low) / f64::from(high - low) } else { 0.0 };
        let (across, along) = (share(running, few, many), share(chunk, short, long));
        let (near, far) = (self.between(few, short, long, along), self.between(many, short, long, along));
        blend(near, far, across)
    }

    /// A pass that keeps the chips busy for `busy`, with the engine's host.
    ///
    /// Launches run ahead of the kernels, so in dense layers the slower of the two sets the pace. In a layer with experts the host waits
    /// for the counts of tokens before it can go on, and the chips wait for the host.
    fn with_host(&self, busy: Seconds, running: u32, chunk: u32) -> Seconds {
        let Some(costs) = self.costs else { return busy };
        let batch = costs.sequence.value * f64::from(running);
        if chunk == 0 {
            return busy + batch;
        }
        let (mut ahead, mut between) = (Seconds::ZERO, Seconds::ZERO);
        for group in &self.machine.workload.model.layer {
            match group.ffn.experts().and(costs.expert_layer.as_ref()) {
                Some(waits) => between += waits.value * f64::from(group.count),
                None => ahead += costs.dense_layer.value * f64::from(group.count),
            }
        }
        busy.max(ahead) + between + batch
    }

    fn between(&mut self, running: u32, short: u32, long: u32, share: f64) -> Pass {
        let near = self.at(running, short);
        if share > 0.0 { blend(near, self.at(running, long), share) } else { near }
    }

    fn at(&mut self, running: u32, chunk: u32) -> Pass {
        if running == 0 && chunk == 0 {
            return Pass::default();
        }
        if let Some(known) = self.known.get(&(running, chunk)) {
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
        let shape = StepShape { mapping: self.mapping, batch, chunk: beside, micro_batches: 1, sampled, drafts: 0 };
        let step = step(self.machine, &shape);
        let duty = Duty::with(&self.chip.power, self.chip.ranks, &step, 1.0);
        let chip = self.chip.power.idle.value + duty.ports + duty.operators.iter().map(|(_, watts)| *watts).sum::<Watts>();
        let chips = f64::from(self.mapping.chips(self.chip.ranks));
        let time = self.with_host(step.time, running, chunk);
        let pass = Pass { time, energy: (chip * step.time + self.chip.power.idle.value * (time - step.time)) * chips };
        self.known.insert((running, chunk), pass);
        pass
    }
}

fn blend(a: Pass, b: Pass, share: f64) -> Pass {
    Pass { time: a.time * (1.0 - share) + b.time * share, energy: a.energy * (1.0 - share) + b.energy * share }
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
