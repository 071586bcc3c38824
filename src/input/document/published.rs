//! `validation/*.toml`: published measurements of one machine, each with the settings that a prediction needs.

use schemars::JsonSchema;
use serde::Deserialize;

/// One published figure.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its id in the collection it comes from.
    pub id: String,
    /// What was measured, in words.
    pub quantity: String,
    /// Unit of `value`.
    pub unit: String,
    /// As printed.
    pub value: f64,
    /// Upper end where a range was printed; `value` is then its lower end.
    pub to: Option<f64>,
    /// Key into `[sources]`.
    pub source: String,
    /// What to predict.
    pub predict: Predict,
}

/// What a prediction of a case needs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Predict {
    /// A decode operating point.
    Decode {
        /// Chips of the one instance.
        #[schemars(range(min = 1))]
        chips: u32,
        /// Sequences on one chip.
        #[schemars(range(min = 1))]
        batch: u32,
        /// Tokens in the cache of a sequence.
        #[schemars(range(min = 1))]
        context: u32,
        /// Whether one token is speculated (the workload's acceptance).
        mtp: bool,
        /// Parts that overlap.
        #[schemars(range(min = 1, max = 8))]
        micro_batches: u32,
        /// Which figure of it.
        of: DecodeFigure,
    },
    /// A prefill operating point.
    Prefill {
        /// Chips of the one instance.
        #[schemars(range(min = 1))]
        chips: u32,
        /// Tokens that one chip reads in a pass.
        #[schemars(range(min = 1))]
        tokens: u32,
        /// Parts that overlap.
        #[schemars(range(min = 1, max = 8))]
        micro_batches: u32,
        /// Which figure of it.
        of: PrefillFigure,
    },
    /// Tokens to experts and back.
    Exchange {
        /// Ranks of the group.
        #[schemars(range(min = 2))]
        ranks: u32,
        /// Tokens that each rank sends.
        #[schemars(range(min = 1))]
        tokens: u32,
        /// Which way.
        way: Way,
        /// Kernels for many tokens instead of few.
        bulk: bool,
        /// Time in µs instead of GB/s a rank (all copies counted, local ones too, as the papers do).
        latency: bool,
    },
    /// Share of peak of the attention kernel over a latent cache.
    Mla {
        /// Sequences on a rank.
        #[schemars(range(min = 1))]
        sequences: u32,
        /// Query tokens of each.
        #[schemars(range(min = 1))]
        queries: u32,
        /// Cached tokens.
        #[schemars(range(min = 1))]
        context: u32,
        /// Share of memory bandwidth instead of arithmetic.
        memory: bool,
    },
    /// Share of peak of a grouped matrix multiplication in the workload's weight format.
    Gemm {
        /// Groups.
        #[schemars(range(min = 1))]
        groups: u32,
        /// Rows of one.
        #[schemars(range(min = 1))]
        rows: u32,
        /// Columns.
        #[schemars(range(min = 1))]
        columns: u32,
        /// Depth.
        #[schemars(range(min = 1))]
        depth: u32,
        /// Sustained memory bandwidth in GB/s instead of the share of peak in per cent.
        memory: bool,
    },
    /// Capacity towards the chips over capacity towards the spines.
    Oversubscription {},
    /// Extra one-way latency, in µs, of a pair in different nodes over one in the same node.
    NodeBoundary {},
    /// Bandwidth, in per cent, that a pair loses when it is in different nodes.
    NodeLoss {},
    /// Not predicted, and why.
    Not {
        /// The reason.
        because: String,
    },
}

/// A figure of a decode point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecodeFigure {
    /// Tokens/s of one chip.
    Throughput,
    /// Milliseconds an output token.
    Tpot,
    /// Microseconds of one expert layer, all micro-batches.
    Layer,
    /// Throughput gain, in per cent, over one micro-batch.
    OverlapGain,
    /// Reduction of the layer time, in per cent, against one micro-batch.
    LayerReduction,
    /// Throughput gain, in per cent, over no speculation.
    SpeculationGain,
}

/// A figure of a prefill point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrefillFigure {
    /// Tokens/s of one chip.
    Throughput,
    /// Throughput gain, in per cent, over one micro-batch.
    OverlapGain,
}

/// Which way tokens go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// To the experts.
    Dispatch,
    /// Back.
    Combine,
}
