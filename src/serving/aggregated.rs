//! Prompts and answers on the same chips: every pass makes tokens for the sequences in flight, and some passes also read a chunk of waiting
//! prompts.

use super::batch::{BelowFloor, Floor, NEAR_BEST, below_floor, highest_rate, largest_within};
use super::chunks::Chunks;
use super::decode::sequences_that_fit;
use super::infeasible::Infeasible;
use super::operating_point::{OperatingPoint, Rough, WholeRequests};
use super::prefix_cache::{PrefixUse, SharedPrefixes};
use crate::execution::Mapping;
use crate::execution::draft;
use crate::execution::{Machine, StepShape, front_end};
use crate::execution::{cache_room, weight_bytes};
use crate::execution::{step, step_time};
use crate::input::document::{Request, Speculation};
use crate::units::{Bytes, Seconds, TokensPerSecond};
use crate::workload::{AttentionBatch, sequence_cache};

/// Chunks that are tried, tokens of an attention group: more read weights less often and hold up the answers for longer.
const CHUNKS: [u32; 4] = [512, 2048, 8192, 32_768];

/// Chunks that a pass may have to read on average. Towards one the wait for a chunk has no mean.
const MOST_LOAD: f64 = 0.95;

/// One mapping under requests of one kind.
#[derive(Debug)]
pub(super) struct Mixed<'a> {
    machine: &'a Machine<'a>,
    request: &'a Request,
    mapping: Mapping,
    micro_batches: u32,
    /// What weights leave free on a rank.
    room: Bytes,
}

/// What a batch and a chunk give, without the pass behind it.
#[derive(Clone, Copy)]
struct MixedPace {
    chunks: Chunks,
    tpot: Seconds,
    ttft: Seconds,
    requests_per_second: f64,
}

impl<'a> Mixed<'a> {
    fn new(machine: &'a Machine<'a>, request: &'a Request, mapping: Mapping, micro_batches: u32) -> Result<Self, Infeasible> {
        let workload = &machine.workload.workload;
        let weights = weight_bytes(&machine.workload.model, &workload.precision, workload.experts.as_ref(), &mapping)
            + draft::weights(machine.workload, &mapping);
        let room = cache_room(&machine.device, weights).ok_or(Infeasible::Weights { mapping, weights, memory: machine.device.usable_memory })?;
        Ok(Self { machine, request, mapping, micro_batches, room })
    }

    fn tokens_per_step(&self) -> f64 {
        self.request.speculation.as_ref().map_or(1.0, Speculation::tokens_per_step)
    }

    fn known(&self) -> SharedPrefixes<'_> {
        let Self { machine, request, mapping, .. } = *self;
        let (prompt, variation) = (f64::from(request.input.mean), request.input.variation);
        SharedPrefixes { machine, mapping, cache: request.prefix_cache.as_ref(), unbounded: request.cache_hit, prompt, variation }
    }

    /// Prefixes that are found if `sequences` sequences run and one prompt is read; both take room from the cache of prefixes.
    fn found(&self, sequences: u32) -> Result<PrefixUse, Infeasible> {
        let workload = self.machine.workload;
        let context = f64::from(*self.request.decode().context).max(f64::from(self.request.input.mean));
        let running = sequence_cache(&workload.model, &workload.workload.precision, self.mapping.tp, context)
            * (f64::from(sequences + 1) / f64::from(self.mapping.sp))
            + draft::sequence_cache(workload, &self.mapping, context) * f64::from(sequences + 1);
        self.known().found(if running < self.room { self.room - running } else { Bytes::ZERO })
    }

    /// Passes that read prompts while `sequences` sequences decode, in chunks of at most `chunk` tokens.
    fn chunks(&self, sequences: u32, chunk: u32, hit: f64) -> Chunks {
        let arriving = f64::from(sequences) * self.tokens_per_step() / f64::from(self.request.output.mean);
        Chunks::new(arriving, self.known().fresh(hit), self.request.input.variation, f64::from(chunk), f64::from(sequences))
    }

    /// `found` with the reading times of a pass that reads `tokens` prompt tokens.
    fn prefixes(&self, found: PrefixUse, tokens: f64) -> PrefixUse {
        let known = self.known();
        let prompts = tokens / known.fresh(found.hit) * f64::from(self.mapping.dp) / self.mapping.fullest_stage(self.machine.workload.model.layers());
        known.times(found, prompts)
    }

    /// A pass with `sequences` decoding sequences and `tokens` prompt tokens, if any.
    fn shape(&self, sequences: u32, tokens: Option<f64>, hit: f64) -> StepShape {
        let (request, known) = (self.request, self.known());
        let drafts = request.speculation.as_ref().map_or(0, |speculation| speculation.draft_tokens);
        let context = f64::from(*request.decode().context);
        let batch = AttentionBatch { sequences: f64::from(sequences), new_tokens: f64::from(1 + drafts), context, prefill: false };
        let fresh = known.fresh(hit);
        let shape = StepShape {
            mapping: self.mapping,
            batch,
            chunk: None,
            micro_batches: self.micro_batches,
            sampled: batch.tokens(),
            evenness: 1.0,
            drafts,
        };
        let Some(tokens) = tokens else { return shape };
        let prompts = (tokens / fresh).max(1.0);
        if fresh <= batch.new_tokens {
            // A prompt with no more tokens left than a decode pass checks runs as one more decoding sequence, as engines split batches.
            let batch = AttentionBatch { sequences: batch.sequences + prompts, ..batch };
            return StepShape { batch, sampled: batch.tokens(), ..shape };
        }
        let chunk = AttentionBatch { sequences: prompts, new_tokens: tokens.min(fresh), context: known.seen(hit), prefill: true };
        StepShape { chunk: Some(chunk), sampled: batch.tokens() + chunk.tokens() / fresh, ..shape }
    }

    /// Passes make `B a` tokens (`B` sequences, `a` tokens a step), so `m = B a / L` answers of `L` tokens end in one, and as many prompts of
    /// `F` fresh tokens must be read, in chunks of at most `C`: a share `f` of the passes reads `g` tokens each ([`Chunks`]). With `t_0` and
    /// `t_g` the times of passes without and with such a chunk, and `t_C = t_0 + (t_g - t_0) C / g` that of a whole one,
    ///
    /// ```text
    /// t    = f t_g + (1 - f) t_0                       TPOT = t / a
    /// load u = m F / C t_C / t
    /// TTFT = t / 2 + ceil(F / C) t_g + F / C t_C u / (2 (1 - u)) + front end
    /// ```
    ///
    /// The last term is the mean wait before a server with fixed service time and random arrivals (Pollaczek and Khinchine). What of
    /// the prefixes is not read beside a pass comes on top.
    fn pace(&self, sequences: u32, chunk: u32, chunks: Chunks, prefixes: &PrefixUse, [without, with]: [Seconds; 2]) -> MixedPace {
        let with = with.max(prefixes.time);
        let (answer, per_step, chunk) = (f64::from(self.request.output.mean), self.tokens_per_step(), f64::from(chunk));
        let pass = with * chunks.share + without * (1.0 - chunks.share);
        let whole = without + (with - without).max(Seconds::ZERO) * (chunk / chunks.tokens);
        let load = (chunks.load.min(MOST_LOAD) * (whole / pass)).min(MOST_LOAD);
        let ahead = whole * (self.known().fresh(prefixes.hit) / chunk);
        let batches = f64::from(self.mapping.dp) / self.mapping.fullest_stage(self.machine.workload.model.layers());
        MixedPace {
            chunks,
            tpot: pass / per_step,
            ttft: pass * 0.5 + with * chunks.alone + ahead * (load / (2.0 * (1.0 - load))) + prefixes.exposed + front_end(self.machine.workload),
            requests_per_second: f64::from(sequences) * per_step / answer * batches / pass.get(),
        }
    }

    fn at(&self, sequences: u32, chunk: u32) -> Result<(MixedPace, PrefixUse), Infeasible> {
        let found = self.found(sequences)?;
        let chunks = self.chunks(sequences, chunk, found.hit);
        let prefixes = self.prefixes(found, chunks.tokens);
        let times = [None, Some(chunks.tokens)].map(|tokens| step_time(self.machine, &self.shape(sequences, tokens, prefixes.hit)));
        Ok((self.pace(sequences, chunk, chunks, &prefixes, times), prefixes))
    }

    fn point(&self, sequences: u32, chunk: u32, fills_memory: bool) -> Result<OperatingPoint, Infeasible> {
        let (MixedPace { chunks, tpot, ttft, requests_per_second }, prefixes) = self.at(sequences, chunk)?;
        let step = step(self.machine, &self.shape(sequences, Some(chunks.tokens), prefixes.hit));
        let rate = TokensPerSecond::new(requests_per_second * f64::from(self.request.output.mean));
        let Self { mapping, micro_batches, .. } = *self;
        Ok(OperatingPoint {
            mapping,
            batch: f64::from(sequences),
            micro_batches,
            tpot: Some(tpot),
            ttft: Some(ttft),
            rate,
            fills_memory,
            prefixes: Some(prefixes),
            kv_transfer: None,
            requests: Some(WholeRequests { per_second: requests_per_second, chunk, read: chunks.tokens, reading: chunks.share }),
            step,
        })
    }

    /// Time over its limit, whichever is nearer to its own, and requests per second; a batch whose prefixes find no memory has no end.
    fn strain_and_rate(&self, sequences: u32, chunk: u32) -> (f64, f64) {
        let (tpot_limit, ttft_limit) = (self.request.tpot_limit.value, self.request.ttft_limit.value);
        self.at(sequences, chunk).map_or((f64::INFINITY, 0.0), |(pace, _)| {
            let strain = (pace.tpot / tpot_limit).max(pace.ttft / ttft_limit).max(pace.chunks.load / MOST_LOAD);
            (strain, pace.requests_per_second)
        })
    }

    /// The largest batch with this chunk, and its rate; without a rate if it stays below `floor`.
    fn largest(&self, chunk: u32, most: u32, floor: Floor) -> Result<Chunked, Infeasible> {
        let (request, mapping, parts) = (self.request, self.mapping, self.micro_batches);
        // Whether there is a tier does not depend on the batch.
        self.found(parts)?;
        let at = |number: u32| {
            let (strain, rate) = self.strain_and_rate(number * parts, chunk);
            (strain, rate, rate)
        };
        // At the limit of the time per token so many sequences make `floor`.
        let batches = f64::from(mapping.dp) / mapping.fullest_stage(self.machine.workload.model.layers());
        let at_floor = floor.rate.get() * request.tpot_limit.value.get() / batches / f64::from(parts);
        let rate = floor.rate.get() / f64::from(request.output.mean);
        let below = below_floor(rate, at_floor, most / parts, |number| self.strain_and_rate(number * parts, chunk));
        let all = below == Some(BelowFloor::FillsMemory);
        if below.is_some() && (all || !floor.must_tell || at(1).0 <= 1.0) {
            return Ok(Chunked { chunk, sequences: parts, largest: parts, all, rate: 0.0 });
        }
        let Ok(found) = largest_within(most / parts, at) else {
            let (tpot_limit, ttft_limit) = (request.tpot_limit.value, request.ttft_limit.value);
            let (pace, _) = self.at(parts, chunk)?;
            let slow_tokens = pace.tpot / tpot_limit > pace.ttft / ttft_limit;
            let (time, limit) = if slow_tokens { (pace.tpot, tpot_limit) } else { (pace.ttft, ttft_limit) };
            return Err(Infeasible::TooSlow { mapping, time, limit });
        };
        Ok(Chunked { chunk, sequences: found.best * parts, largest: found.largest * parts, all: found.all, rate: found.of_best })
    }

    /// The same chunk with the batch of the highest rate, or with any if none exceeds `least` requests per second.
    fn at_highest_rate(&self, found: Chunked, least: f64) -> Chunked {
        let parts = self.micro_batches;
        let (number, rate) = highest_rate(found.largest / parts, least, |number| {
            let (strain, rate) = self.strain_and_rate(number * parts, found.chunk);
            (rate, strain <= 1.0)
        });
        if rate > found.rate { Chunked { sequences: number * parts, rate, ..found } } else { found }
    }
}

/// What was found for one chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunked {
    chunk: u32,
    sequences: u32,
    /// The most sequences within the limits.
    largest: u32,
    /// Whether memory, not time, keeps the batch from growing.
    all: bool,
    /// Requests per second.
    rate: f64,
}

/// Serves `sequences` sequences in each attention group, reading prompts in chunks of `chunk` tokens.
///
/// # Errors
/// Weights that do not fit; prefixes that the machine has no memory for.
pub fn aggregated_at(
    machine: &Machine<'_>,
    request: &Request,
    mapping: Mapping,
    sequences: u32,
    chunk: u32,
    micro_batches: u32,
) -> Result<OperatingPoint, Infeasible> {
    Mixed::new(machine, request, mapping, micro_batches)?.point(sequences, chunk, false)
}

/// The batch and chunk with the most requests per second whose TPOT, TTFT and memory hold, for one mapping and number of micro-batches.
///
/// # Errors
/// Why nothing works: the reason of the chunk size that misses the limit by least.
pub fn most_requests(machine: &Machine<'_>, request: &Request, mapping: Mapping, micro_batches: u32) -> Result<OperatingPoint, Infeasible> {
    most(machine, request, mapping, micro_batches, Floor::NONE).and_then(|found| described(&at_highest_rate(found, TokensPerSecond::ZERO)))
}

/// The point that was found, with the pass behind it.
pub(super) fn described(found: &Rough<ServedMapping<'_>>) -> Result<OperatingPoint, Infeasible> {
    let ServedMapping { mixed, best, .. } = &found.of;
    mixed.point(best.sequences, best.chunk, found.fills_memory)
}

/// One mapping with what was found for every chunk.
#[derive(Debug)]
pub(super) struct ServedMapping<'a> {
    mixed: Mixed<'a>,
    best: Chunked,
    others: Vec<Chunked>,
}

impl<'a> ServedMapping<'a> {
    /// The chunk with the highest rate, of equals the first.
    fn of(mixed: Mixed<'a>, mut found: Vec<Chunked>) -> Option<Self> {
        let place = (0..found.len()).reduce(|best, other| if found[other].rate > found[best].rate { other } else { best })?;
        let best = found.remove(place);
        Some(Self { mixed, best, others: found })
    }

    fn point(self) -> Rough<Self> {
        let rate = TokensPerSecond::new(self.best.rate * f64::from(self.mixed.request.output.mean));
        Rough { mapping: self.mixed.mapping, rate, fills_memory: self.best.all, of: self }
    }
}

/// The same mapping with the chunk and the batch of the highest rate, or with any if none exceeds `least`.
pub(super) fn at_highest_rate(found: Rough<ServedMapping<'_>>, least: TokensPerSecond) -> Rough<ServedMapping<'_>> {
    let ServedMapping { mixed, best, others } = found.of;
    let least = least.get() / f64::from(mixed.request.output.mean);
    let near = others.into_iter().filter(|other| other.rate >= NEAR_BEST * best.rate).map(|other| mixed.at_highest_rate(other, least));
    let best = near.fold(mixed.at_highest_rate(best, least), |best, other| if other.rate > best.rate { other } else { best });
    ServedMapping { mixed, best, others: Vec::new() }.point()
}

/// As [`most_requests`], without the pass behind it; a point that stays below `floor` is given without its rate.
pub(super) fn most<'a>(
    machine: &'a Machine<'a>,
    request: &'a Request,
    mapping: Mapping,
    micro_batches: u32,
    floor: Floor,
) -> Result<Rough<ServedMapping<'a>>, Infeasible> {
    // One more sequence is being read, and its cache is whole when it ends.
    let context = f64::from(*request.decode().context).max(f64::from(request.input.mean));
    let fit = sequences_that_fit(machine, &mapping, context)?.saturating_sub(1);
    if fit < micro_batches {
        return Err(Infeasible::Cache { mapping, sequences: fit });
    }
    let mixed = Mixed::new(machine, request, mapping, micro_batches)?;
    let mut works = Vec::new();
    let mut nearest: Option<Infeasible> = None;
    for chunk in CHUNKS {
        match mixed.largest(chunk, fit, floor) {
            Ok(found) => works.push(found),
            Err(no) => nearest = Some(no.nearer(nearest)),
        }
    }
    // The best chunk decides whether the mapping lacks memory. Chunks that were left early have no rate to compare: where not all chunks say the
    // same, and none of those with a rate is sure to be the best, all are searched to the end.
    let least = floor.rate.get() / f64::from(request.output.mean);
    let full = |found: &Chunked| found.all;
    let left = |found: &Chunked| found.rate <= 0.0;
    let unsure = |found: &Chunked| !full(found) && (left(found) || found.rate < least && works.iter().any(|other| full(other) && left(other)));
    if works.iter().any(full) && works.iter().any(unsure) {
        works = CHUNKS.iter().filter_map(|chunk| mixed.largest(*chunk, fit, Floor::NONE).ok()).collect();
    }
    let served = ServedMapping::of(mixed, works);
    served.map(ServedMapping::point).ok_or_else(|| nearest.unwrap_or(Infeasible::Cache { mapping, sequences: 0 }))
}
