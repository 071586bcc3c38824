//! Prices of passes: the step of `execution` at the corners of a grid, and linear interpolation between the corners.
//!
//! The grid has powers of two of four figures: decoding sequences, tokens in the cache of one, prompt tokens, and tokens that one of them
//! sees; the fifth is how the tokens are spread over the attention groups. Each corner is priced once, when a pass first needs it.

use super::clock::Picoseconds;

use super::instance::{PassCost, PassPricing};
use super::pass::PassLoad;
use crate::execution::{Machine, Mapping, Step, StepShape, step};
use crate::serving::uneven_groups::UnevenGroups;
use crate::units::{Seconds, Watts};
use crate::workload::AttentionBatch;

/// Instances with one mapping.
pub struct Deployment<'a> {
    /// The machine with its workload and engine.
    pub machine: &'a Machine<'a>,
    /// Degrees.
    pub mapping: Mapping,
    /// Micro-batches of a decode pass.
    pub micro_batches: u32,
    /// Draft tokens of a decode pass.
    pub drafts: u32,
    /// Watts of one chip above its idle power while a step repeats.
    pub draws: &'a (dyn Fn(&Step) -> Watts + Sync),
    /// Memory outside the chips, `[own hosts, shared]`: seconds for a group to read the cache of one prompt token, and the start time before it.
    pub beside: [Option<(f64, Seconds)>; 2],
}

/// Smallest step of the grid for context, prompt chunk and tokens seen.
const SMALLEST: f64 = 16.0;
/// Places on each axis: powers of two of four figures, far beyond any machine, and the two ways to spread tokens over groups (all alike, one group alone).
const SIZES: [usize; 5] = [18, 22, 18, 22, 2];

/// A corner of the grid.
#[derive(Clone, Copy, Debug, Default)]
struct Corner {
    seconds: f64,
    joules: f64,
    wire: f64,
}

/// Prices of the passes of one or two kinds of instances.
pub struct PassPrices<'a> {
    pools: Vec<(Deployment<'a>, Vec<Option<Corner>>)>,
}

impl<'a> PassPrices<'a> {
    /// Nothing priced yet; the kinds in the order of their pools.
    #[must_use]
    pub fn new(deployments: Vec<Deployment<'a>>) -> Self {
        Self { pools: deployments.into_iter().map(|deployment| (deployment, vec![None; SIZES.iter().product()])).collect() }
    }
}

/// Grid positions below and above a figure (positions are 0 and the powers of two from `first` on), and the fraction of the way between them.
fn between(value: f64, first: f64, size: usize) -> (usize, usize, f64) {
    if value <= 0.0 {
        return (0, 0, 0.0);
    }
    let place = (value.max(first) / first).log2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few powers of two")]
    let low = (place as usize + 1).min(size - 1);
    let bottom = figure(low, first);
    let share = ((value.max(first) - bottom) / bottom).clamp(0.0, 1.0);
    if share > 0.0 { (low, (low + 1).min(size - 1), share) } else { (low, low, 0.0) }
}

/// The figure at a place of the grid.
fn figure(place: usize, first: f64) -> f64 {
    if place == 0 { 0.0 } else { first * f64::from(1u32 << (place - 1).min(31)) }
}

/// The figures at a corner of the grid, by its number.
fn figures_at(index: usize, firsts: [f64; 4]) -> ([f64; 4], bool) {
    let alone = !index.is_multiple_of(SIZES[4]);
    let mut rest = index / SIZES[4];
    let mut figures = [0.0; 4];
    for axis in (0..4).rev() {
        figures[axis] = figure(rest % SIZES[axis], firsts[axis]);
        rest /= SIZES[axis];
    }
    (figures, alone)
}

impl Deployment<'_> {
    /// How much of the way from groups that are all alike to one group alone a pass is.
    fn alone(&self, load: &PassLoad) -> f64 {
        let groups = f64::from(self.mapping.dp);
        let fullest = f64::from(load.decoding) * f64::from(1 + self.drafts) + f64::from(load.prompt_tokens);
        #[expect(clippy::cast_precision_loss, reason = "a token count")]
        let evenness = load.tokens_of_all_groups as f64 / (groups * fullest).max(1.0);
        UnevenGroups::of(self.machine, &self.mapping).alone(evenness)
    }

    /// A pass at a corner of the grid.
    fn corner(&self, ([decoding, context, prompt_tokens, seen], alone): ([f64; 4], bool)) -> Corner {
        if decoding <= 0.0 && prompt_tokens <= 0.0 {
            return Corner::default();
        }
        let new_tokens = f64::from(1 + self.drafts);
        let batch = AttentionBatch { sequences: decoding, new_tokens, context, prefill: false };
        // Whole prompts of twice the tokens that one of them sees on average; fewer tokens than that are the end of one prompt.
        let prompts = (prompt_tokens / (2.0 * seen.max(1.0))).max(1.0);
        let reading = AttentionBatch { sequences: prompts, new_tokens: prompt_tokens / prompts, context: seen, prefill: true };
        let (batch, chunk, drafts) = match (decoding > 0.0, prompt_tokens > 0.0) {
            (false, _) => (reading, None, 0),
            (true, true) => (batch, Some(reading), self.drafts),
            (true, false) => (batch, None, self.drafts),
        };
        let sampled = decoding * new_tokens + if prompt_tokens > 0.0 { prompts } else { 0.0 };
        let micro_batches = self.micro_batches.min((batch.sequences as u32).max(1));
        let evenness = UnevenGroups::of(self.machine, &self.mapping).evenness(alone);
        let found = step(self.machine, &StepShape { mapping: self.mapping, batch, chunk, micro_batches, sampled, evenness, drafts });
        let chip = &self.machine.communication.network().fabric().chip;
        let sent = found.activity.sent.get() * f64::from(chip.ranks) / found.time.get();
        Corner {
            seconds: found.time.get(),
            // Every pipeline stage has a batch in work: one batch has its part of the chips.
            joules: (self.draws)(&found).get() * found.time.get() * f64::from(self.mapping.chips(chip.ranks)) / f64::from(self.mapping.pp),
            wire: sent / self.machine.communication.network().sending_rate().get(),
        }
    }
}

impl PassPricing for PassPrices<'_> {
    fn price(&mut self, pool: usize, load: &PassLoad) -> PassCost {
        let (deployment, known) = &mut self.pools[pool];
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
        let [context, seen] =
            [load.context as f64 / f64::from(load.decoding.max(1)), load.twice_seen as f64 / 2.0 / f64::from(load.prompt_tokens.max(1))];
        let figures = [f64::from(load.decoding), context, f64::from(load.prompt_tokens), seen];
        let firsts = [1.0, SMALLEST, SMALLEST, SMALLEST];
        let spread = deployment.alone(load);
        let ends: [(usize, usize, f64); 5] =
            std::array::from_fn(|axis| if axis < 4 { between(figures[axis], firsts[axis], SIZES[axis]) } else { (0, 1, spread) });
        // Corners with weight: one more axis at a time doubles them where the figure lies between two places.
        let (mut corners, mut count) = ([(0, 1.0); 32], 1);
        for (&(low, high, share), size) in ends.iter().zip(SIZES) {
            for corner in 0..count {
                let (index, weight) = corners[corner];
                corners[corner] = (index * size + low, weight * (1.0 - share));
                if share > 0.0 {
                    corners[count + corner] = (index * size + high, weight * share);
                }
            }
            count *= 1 + usize::from(share > 0.0);
        }
        let mut cost = Corner::default();
        for &(index, weight) in &corners[..count] {
            let at = *known[index].get_or_insert_with(|| deployment.corner(figures_at(index, firsts)));
            cost =
                Corner { seconds: cost.seconds + at.seconds * weight, joules: cost.joules + at.joules * weight, wire: cost.wire + at.wire * weight };
        }
        let mut reading = 0.0_f64;
        for (tokens, beside) in load.loaded.into_iter().zip(&deployment.beside) {
            if let (true, Some((per_token, start))) = (tokens > 0, beside) {
                #[expect(clippy::cast_precision_loss, reason = "a token count")]
                let time = tokens as f64 * per_token;
                reading = reading.max(start.get() + time);
            }
        }
        PassCost { time: Picoseconds::of(Seconds::new(cost.seconds.max(reading))), energy: cost.joules, wire: cost.wire.min(1.0) }
    }
}
