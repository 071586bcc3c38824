//! `workloads/*.toml`: a model under load: precisions, lengths and the service level.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Chip, Origin, Precision, Speculation};
use crate::units::{BytesPerSecond, Figure, FlopPerSecond, Ratio, Seconds};

/// A model, how it is stored, and what its users ask.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Name people use.
    pub name: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Model file.
    #[schemars(extend("x-part" = "model"))]
    pub model: At<String>,
    /// Number formats.
    pub precision: Precisions,
    /// Copies and balance of the experts; needed for a mixture of experts.
    pub experts: Option<ExpertPlacement>,
    /// What one request asks for: stands for both phases.
    pub request: Option<Request>,
    /// Token generation; absent if only prefill is asked for.
    pub decode: Option<DecodePhase>,
    /// Prompt processing; absent if only decode is asked for.
    pub prefill: Option<PrefillPhase>,
    /// What the best mapping has most of; tokens a second if absent.
    pub objective: Option<Objective>,
    /// Serving engine that runs the model; the supernode's own choice if absent.
    #[schemars(extend("x-part" = "engine"))]
    pub engine: Option<At<String>>,
}

/// What makes one mapping better than another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Tokens per second of the whole supernode.
    #[default]
    Tokens,
    /// Tokens per second and watt of the racks.
    TokensPerWatt,
    /// Tokens for a dollar of hardware over its life and of energy.
    TokensPerCost,
    /// Requests that keep both limits, served in time by the chips that read and answer them; phases on chips of their own by tokens.
    Goodput,
}

/// Number formats of what is stored, computed and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precisions {
    /// Weights and GEMMs.
    pub weights: Precision,
    /// Weights and GEMMs of routed experts; as `weights` if absent.
    pub experts: Option<Precision>,
    /// Attention over the cache.
    pub attention: Precision,
    /// KV cache.
    pub kv_cache: Precision,
    /// Tokens on their way to experts.
    pub dispatch: Precision,
    /// Tokens on their way back.
    pub combine: Precision,
}

impl Precisions {
    /// Format of routed experts.
    #[must_use]
    pub fn experts(&self) -> Precision {
        self.experts.unwrap_or(self.weights)
    }

    /// The formats that a team would deploy on `chip`: where it multiplies the other 8-bit format faster than the one named here, or as
    /// fast and with kernels of its own for that one alone, the other takes its place everywhere. Sizes stay.
    #[must_use]
    pub fn on(&self, chip: &Chip) -> Self {
        let gemm = &chip.kernels.gemm;
        let float = if gemm.contains_key(&Precision::Fp8Block) { Precision::Fp8Block } else { Precision::Fp8 };
        // Constants of a format without its own are those of the nearest wider one: in 16 bit they say nothing of 8.
        let has_kernels = |format| gemm.range(..=format).next_back().is_some_and(|(known, _)| *known != Precision::Bf16);
        let rate = |figure: &Option<Figure<FlopPerSecond>>| figure.as_ref().map_or(0.0, |figure| figure.value.get());
        let int8 = (rate(&chip.compute.int8), has_kernels(Precision::Int8));
        let fp8 = (rate(&chip.compute.fp8), has_kernels(float));
        // Vendors round their peaks: what differs by less than a tenth is as fast.
        let better = |a: (f64, bool), b: (f64, bool)| a.0 > 1.1 * b.0 || a.0 * 1.1 > b.0 && a.1 && !b.1;
        let swap = |format: Precision, floats: Precision| match format {
            Precision::Int8 if better(fp8, int8) => floats,
            Precision::Fp8 | Precision::Fp8Block if better(int8, fp8) => Precision::Int8,
            other => other,
        };
        let element = |format| swap(format, Precision::Fp8);
        Self {
            weights: swap(self.weights, float),
            experts: self.experts.map(|format| swap(format, float)),
            attention: element(self.attention),
            kv_cache: element(self.kv_cache),
            dispatch: element(self.dispatch),
            combine: element(self.combine),
        }
    }
}

/// How many copies of experts there are and how evenly they are used.
///
/// Ranks beyond the routed experts and their copies hold shared experts, to which every token is then sent; with fewer ranks each
/// has the shared experts beside its routed ones and tokens stay where they are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpertPlacement {
    /// Copies of busy experts beyond one each.
    #[serde(default)]
    pub redundant: u32,
    /// Load of the busiest rank over the mean, beyond the scatter of random routing.
    #[schemars(extend("x-range" = [1.0, 1000.0]))]
    pub imbalance: Figure<Ratio>,
}

impl ExpertPlacement {
    /// One copy of each expert, all used alike: what remains is the scatter of random routing.
    #[must_use]
    pub fn even() -> Self {
        Self { redundant: 0, imbalance: Figure::plain(Ratio::new(1.0)) }
    }
}

/// What one request asks for. Both phases follow from it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Tokens of the prompt.
    pub input: At<Length>,
    /// Tokens of the answer.
    pub output: At<Length>,
    /// Share of the prompt's tokens that a prefix cache without bounds finds.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cache_hit: f64,
    /// Where found tokens wait; absent if they are in the chip's memory already, all of them.
    pub prefix_cache: Option<PrefixCache>,
    /// Longest allowed time to first token.
    pub ttft_limit: At<Figure<Seconds>>,
    /// Longest allowed mean time per output token.
    pub tpot_limit: At<Figure<Seconds>>,
    /// Requests that arrive in a second at the whole supernode, to be held against what it serves; absent if it is to be filled.
    #[schemars(range(min = 0.000_001, max = 1_000_000_000.0))]
    pub arrivals_per_second: Option<f64>,
    /// Speculative decoding.
    pub speculation: Option<Speculation>,
    /// Where decode on chips of its own runs experts.
    #[serde(default)]
    pub expert_chips: ExpertChips,
}

impl Request {
    /// Requests of these lengths, within the limits of two phases that are given apart.
    #[must_use]
    pub fn of_phases(decode: &DecodePhase, prefill: &PrefillPhase, [input, output]: [u32; 2]) -> Self {
        let length = |at: std::ops::Range<usize>, mean| At::new(at, Length { mean, variation: 0.0 });
        Self {
            input: length(prefill.prompt.span(), input),
            output: length(decode.context.span(), output),
            cache_hit: 0.0,
            prefix_cache: None,
            ttft_limit: prefill.ttft_limit.clone(),
            tpot_limit: decode.tpot_limit.clone(),
            arrivals_per_second: None,
            speculation: decode.speculation.clone(),
            expert_chips: decode.expert_chips,
        }
    }

    /// Token generation for such requests.
    ///
    /// A sequence that is looked at while it grows from I to I + O tokens holds on average `E[I] + E[O^2] / (2 E[O])`: long answers are
    /// met more often than short ones.
    #[must_use]
    pub fn decode(&self) -> DecodePhase {
        let context = f64::from(self.input.mean) + self.output.size_biased_mean() / 2.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both lengths are bounded by the schema")]
        let context = At::new(self.output.span(), context.round().max(1.0) as u32);
        DecodePhase { context, tpot_limit: self.tpot_limit.clone(), speculation: self.speculation.clone(), expert_chips: self.expert_chips }
    }

    /// Prompt processing for such requests.
    #[must_use]
    pub fn prefill(&self) -> PrefillPhase {
        PrefillPhase {
            prompt: At::new(self.input.span(), self.input.mean),
            ttft_limit: self.ttft_limit.clone(),
            cache_hit: self.cache_hit,
            variation: self.input.variation,
            prefix_cache: self.prefix_cache.clone(),
        }
    }
}

/// A number of tokens, fixed or spread.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Mean.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub mean: u32,
    /// Standard deviation over mean; 0 if all are alike.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 10.0))]
    pub variation: f64,
}

impl Length {
    /// Mean weighted by length, `E[L^2] / E[L] = E[L] (1 + v^2)`: the length of the one that a random token belongs to.
    #[must_use]
    pub fn size_biased_mean(&self) -> f64 {
        f64::from(self.mean) * (1.0 + self.variation * self.variation)
    }
}

/// Where a prefix cache is kept, and what bounds it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrefixCache {
    /// Kinds of memory, the first one filled first.
    #[schemars(length(min = 1, max = 4))]
    pub tiers: Vec<CacheTier>,
    /// Sessions on the whole supernode whose prefixes are wanted again; absent if all of them always fit.
    #[schemars(range(min = 1))]
    pub sessions: Option<u32>,
    /// Share of the tiers' memory that prefixes may fill; all of it if absent.
    #[schemars(extend("x-range" = [0.001, 1.0]))]
    pub share: Option<Figure<Ratio>>,
    /// Most that software lets one chip read, all chips at once; absent if the fabric and the memory set the rate.
    pub bandwidth: Option<Figure<BytesPerSecond>>,
}

/// Memory that keeps prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheTier {
    /// What weights and the caches of running requests leave free on the chips.
    Hbm,
    /// DRAM of the hosts, each chip its own: a session returns to the chips where it was.
    HostDram,
    /// A pool of memory expanders behind CXL switches, for all chips.
    CxlPool,
    /// DRAM of the hosts of the whole supernode, read over its fabric.
    FabricPool,
}

/// Token generation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecodePhase {
    /// Mean tokens in the cache of a sequence.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub context: At<u32>,
    /// Longest allowed mean time per output token.
    pub tpot_limit: At<Figure<Seconds>>,
    /// Speculative decoding.
    pub speculation: Option<Speculation>,
    /// Where experts run.
    #[serde(default)]
    pub expert_chips: ExpertChips,
}

/// Which chips run the experts of a mixture while tokens are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExpertChips {
    /// Those that run attention: expert parallelism over all of them.
    #[default]
    Shared,
    /// Chips of their own (attention-FFN disaggregation).
    Apart,
    /// Whichever makes more of what is asked for.
    Either,
}

/// Prompt processing.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrefillPhase {
    /// Tokens of a prompt.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub prompt: At<u32>,
    /// Longest allowed time to first token.
    pub ttft_limit: At<Figure<Seconds>>,
    /// Share of the prompt's tokens that a prefix cache without bounds finds.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cache_hit: f64,
    /// Standard deviation of the prompts' lengths over their mean; 0 if all are alike.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 10.0))]
    pub variation: f64,
    /// Where found tokens wait; absent if they are in the chip's memory already, all of them.
    pub prefix_cache: Option<PrefixCache>,
}
