//! Attention over a KV cache.
//!
//! ```text
//! s     = parts of the context, chosen by the kernel's rule (below)
//! waves = ceil( sequences x units x s / cores ),  chunk = context / s padded to 64
//! t_c   = waves x chunk x padded rows x flop per row / (peak of a core x e_c)
//! t_l   = waves x ( block + row x rows padded to 8 (at most 32) x head dim / 128 + (chunk - 64) x unit bytes / core bandwidth )
//! t_m   = sequences (context x sequence bytes + query bytes) / (memory bandwidth x e_m)
//! t     = launch + (t_c^3 + t_l^3 + t_m^3)^(1/3) + [s > 1] merge start + merge (s - 1)
//!
//! core bandwidth, if not given: one core alone draws twice its share, 2 x memory bandwidth of a core x e_m
//! merge, if not given:          a partial result of 16-row tiles in 32 bit over the core bandwidth
//! a kernel without `block`:     t_l = waves x chunk x unit bytes / core bandwidth
//! ```
//!
//! Kernels split contexts by rules of their own, which stand in the source of TensorRT-LLM: `computeMultiBlockCount` of XQA, `fmhaKernels.h` of the generated kernels
//! for Blackwell, `multi_block_grid_setup` of the kernel for single heads. The last one adapts its block, so that parts of 128 to 512 tokens and one to several blocks a
//! core occur; 256 and two stand for them.
//!
//! ```text
//! never        s = 1
//! fastest      s = 1, 2, 4, ... up to context / 64, whichever gives the least t: where the rule is not known
//! eight-waves  n = context / 128, at most sqrt(8 n), at most what makes eight waves
//! one-wave     ceil( context / 256 ), at most cores / blocks
//! two-waves    the same, at most 2 cores / blocks
//! ```
//!
//! Where parts of 128 tokens would fill less than `least_fill` of the cores, that library runs its kernel for single heads (`mha`), which reads the cache once for each query head.
//!
//! Rows of a unit are padded to 16. A kernel over a latent cache may have tiles for few rows (`narrow_rows` = n): up to 2 n rows go in tiles of n, and
//! each tile is a unit that reads the cache for itself, at 4/3 of a core's share of the memory bandwidth; more rows are padded to 128.
//!
//! Prompts have kernels of their own (`prompts.rs`, `gather.rs`). Kernels of sparse attention, which choose entries or gather those chosen, reach `sparse_attention` of both e_c and e_m,
//! start `sparse_launch` later, and split as is fastest, without `block` and `row`.

use super::attention_work::AttentionWork;
use super::family::{InputFrom, KeptInput, KernelFamily, Undone, without};
use super::gather::sparse_launch;
use super::norm::{Norm, below_norm_three, whole};
use super::{gather, prompts};
use crate::input::document::{AttentionKernel, Kernels, Precision, SplitRule};
use crate::units::{Bytes, Figure, Flop, Seconds};
use crate::workload::device::Device;

/// Work of attention's backward pass over its forward pass: it multiplies five times where forward does twice, since it computes the scores again (Dao
/// 2023, "FlashAttention-2", section 4.1).
const BACKWARD: f64 = 2.5;
/// Share of the multipliers that attention keeps backward, over the share it keeps forward. DeepSeek's published profile of a training
/// step on H800 (github.com/deepseek-ai/profile-data) has 1 237 µs forward and 3 778.8 backward for heads of 192 and 128: 3 x 192 + 2 x 128
/// products against 192 + 128, 2.6 times the work in 3.055 times the time.
const BACKWARD_EFFICIENCY: f64 = 2.6 / (3778.8 / 1237.0);

impl KernelFamily for AttentionWork {
    fn flop(&self) -> Flop {
        Flop::new(self.sequences * self.context * self.units * self.rows * self.flop_per_row)
    }

    fn bytes(&self) -> Bytes {
        (self.sequence_bytes * self.context + self.query_bytes + self.prepared_bytes) * self.sequences
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    /// Prompts are rotated and stored ahead of attention.
    fn kernels(&self) -> u32 {
        1 + u32::from(self.prepared_bytes > Bytes::ZERO)
    }

    fn time(&self, device: &Device, _: Seconds) -> Seconds {
        match gather::choosing(device, self) {
            Some((kernel, chosen)) if gather::gathers(kernel, self) => gather::choice_time(kernel, chosen) + gather::gather_time(kernel, chosen),
            Some((kernel, chosen)) => gather::choice_time(kernel, chosen) + over_all(device, self),
            None => over_all(device, self),
        }
    }

    fn launch(&self, device: &Device, _: Seconds) -> Seconds {
        let choosing = gather::choosing(device, self);
        let choice = choosing.map_or(Seconds::ZERO, |(kernel, _)| kernel.launch.value);
        if choosing.is_some_and(|(kernel, _)| gather::gathers(kernel, self)) {
            return choice;
        }
        let prompts = Kernels::nearest(&device.kernels.prompts, self.precision).filter(|_| self.prepared_bytes > Bytes::ZERO);
        let own = prompts.map(|kernel| kernel.launch.value);
        let of_cache = || kernel_of(device, self).map(|(kernel, _)| kernel.launch.value);
        choice + own.or_else(of_cache).unwrap_or(Seconds::ZERO) + sparse_launch(device, self.sparse)
    }

    /// Keys, values, queries and outputs are read again, and their gradients written.
    fn undone(&self, _: f64) -> Undone<Self> {
        Undone::by(vec![Self {
            flop_per_row: self.flop_per_row * BACKWARD,
            unit_bytes: self.unit_bytes * 2.0,
            sequence_bytes: self.sequence_bytes * 2.0,
            query_bytes: self.query_bytes * 2.0,
            ..*self
        }])
    }

    fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds {
        let times = self.undone(gradient_bytes).kernels.into_iter().map(|kernel| {
            let time = kernel.time(device, gap);
            time + without(time, kernel.launch(device, gap)) * (1.0 / BACKWARD_EFFICIENCY - 1.0)
        });
        times.sum()
    }

    /// The output is the input of the projection behind it, which keeps it. Scores are never kept: attention computes them again (Dao et al. 2022).
    fn kept(&self, input: &KeptInput<'_>) -> Bytes {
        Bytes::new(self.sequences * (self.sequence_bytes.get() * input.sequence + self.query_bytes.get() / 2.0))
    }

    fn input_from(&self) -> InputFrom {
        InputFrom::Expansion
    }

    fn started_in_training(&self) -> f64 {
        1.0
    }

    fn keys_and_values(&self, sequence: f64) -> Bytes {
        self.sequence_bytes * (self.sequences * sequence)
    }

    fn over_context(&self) -> bool {
        true
    }

    fn has_weights(&self) -> bool {
        false
    }
}

/// Whether a decode kernel for single heads runs over grouped keys and values: `blocks` sequences and key heads, `rows` query rows each.
#[must_use]
pub fn takes_single_heads(kernels: &Kernels, precision: Precision, cores: f64, blocks: f64, rows: f64, context: f64) -> bool {
    if kernels.mha.is_empty() {
        return false;
    }
    let fill = blocks * (context / 128.0).floor().max(1.0) / cores;
    let least = Kernels::nearest(&kernels.gqa, precision).and_then(|kernel| kernel.least_fill.as_ref());
    rows <= 1.0 || least.is_some_and(|least| fill < least.value.get())
}

/// How a kernel cuts the rows that share cache entries.
struct Tiles {
    units: f64,
    /// Of a unit.
    rows: f64,
    /// Of a unit, padded.
    padded: f64,
    /// Most that one core alone draws, in shares of a core of the memory bandwidth.
    core_share: f64,
}

impl Tiles {
    fn of(kernel: &AttentionKernel, latent: bool, units: f64, rows: f64) -> Self {
        match kernel.narrow_rows.map(f64::from).filter(|_| latent) {
            // The second tile's reads come from the last-level cache: with 32 heads, B200 and GB200 move 8 TB/s into their cores and take 1.5 times as long as with 16.
            Some(narrow) if units <= 1.0 && rows <= 2.0 * narrow => {
                Self { units: whole(rows / narrow), rows: narrow, padded: narrow, core_share: 4.0 / 3.0 }
            }
            Some(_) => Self { units, rows, padded: rows.max(128.0), core_share: 4.0 / 3.0 },
            None => Self { units, rows, padded: rows.max(16.0), core_share: 2.0 },
        }
    }
}

/// The kernel that runs attention over a cache, and its tiles.
fn kernel_of<'a>(device: &'a Device, work: &AttentionWork) -> Option<(&'a AttentionKernel, Tiles)> {
    let AttentionWork { sequences, context, units, rows, latent, precision, .. } = *work;
    let kernels = &device.kernels;
    let single = !latent && takes_single_heads(kernels, precision, device.cores, sequences * units, rows, context);
    let family = if latent {
        &kernels.mla
    } else if single {
        &kernels.mha
    } else {
        &kernels.gqa
    };
    let kernel = Kernels::nearest(family, precision)?;
    let (units, rows) = if single { (units * rows, 1.0) } else { (units, rows) };
    Some((kernel, Tiles::of(kernel, latent, units, rows)))
}

/// Without choice.
fn over_all(device: &Device, work: &AttentionWork) -> Seconds {
    let AttentionWork { sequences, prepared_bytes, sparse, .. } = *work;
    if prepared_bytes > Bytes::ZERO {
        return prompts::prompt_time(device, work);
    }
    let Some((kernel, tiles)) = kernel_of(device, work) else { return Seconds::ZERO };
    if sequences <= 0.0 {
        return Seconds::ZERO;
    }
    // Scoring and gathering are kernels of their own, of which neither blocks nor rules are known.
    let rule = if sparse { SplitRule::Fastest } else { kernel.splits };
    let body = Running::new(device, work, kernel, &tiles).body(rule);
    kernel.launch.value + sparse_launch(device, sparse) + Seconds::new(body)
}

/// A kernel at work, for any number of parts into which contexts are split. Times in seconds.
struct Running {
    cores: f64,
    /// Of one part, on all cores together.
    blocks: f64,
    context: f64,
    /// Multiplications of one token of a block.
    token_compute: f64,
    /// Reading one token of a block.
    token_load: f64,
    /// Of a block beyond its tokens; `None` for a kernel that only reads.
    block: Option<f64>,
    streaming: f64,
    merge_start: f64,
    merge: f64,
}

/// Tokens that a block's own time covers.
const FIRST_TOKENS: f64 = 64.0;

/// Rows of the largest measured group. A kernel for more has tiles of 64 rows, which do not take longer for being full.
const MOST_ROWS: f64 = 32.0;

impl Running {
    fn new(device: &Device, work: &AttentionWork, kernel: &AttentionKernel, tiles: &Tiles) -> Self {
        let AttentionWork { sequences, context, flop_per_row, unit_bytes, sequence_bytes, query_bytes, sparse, precision, .. } = *work;
        let share = device.kernels.sparse_attention.as_ref().filter(|_| sparse).map_or(1.0, |figure| figure.value.get());
        let memory = device.memory_bandwidth.get() * kernel.memory_efficiency.value.get() * share;
        let core_peak = device.peak(precision).get() / device.cores * kernel.compute_efficiency.value.get() * share;
        let core_bandwidth = kernel.core_bandwidth.as_ref().map_or(tiles.core_share * memory / device.cores, |figure| figure.value.get() * share);
        let seconds = |figure: &Option<Figure<Seconds>>| figure.as_ref().map(|figure| figure.value.get());
        // Keys and values, two operations each.
        let dims = flop_per_row / 2.0;
        let rows = (8.0 * whole(tiles.rows / 8.0)).min(MOST_ROWS) * dims / 256.0;
        let partial = 16.0 * whole(tiles.rows / 16.0) * dims / 2.0 * 4.0;
        Self {
            cores: device.cores,
            blocks: sequences * tiles.units,
            context,
            token_compute: tiles.padded * flop_per_row / core_peak,
            token_load: unit_bytes.get() / core_bandwidth,
            block: seconds(&kernel.block).filter(|_| !sparse).map(|block| block + rows * seconds(&kernel.row).unwrap_or(0.0)),
            streaming: sequences * (context * sequence_bytes.get() + query_bytes.get()) / memory,
            merge_start: seconds(&kernel.merge_start).unwrap_or(0.0),
            merge: seconds(&kernel.merge).unwrap_or(partial / core_bandwidth),
        }
    }

    /// Without launch.
    fn body(&self, rule: SplitRule) -> f64 {
        if rule != SplitRule::Fastest {
            let split = self.ruled(rule);
            return Norm::Three.of(self.demands(split)) + self.merging(split);
        }
        let mut best = f64::INFINITY;
        let mut split = 1.0;
        while split <= 2048.0 && split <= whole(self.context / 64.0).max(1.0) {
            let (demands, merging) = (self.demands(split), self.merging(split));
            split *= 2.0;
            if below_norm_three(demands) + merging < best {
                best = best.min(Norm::Three.of(demands) + merging);
            }
        }
        best
    }

    /// Parts of a context.
    fn ruled(&self, rule: SplitRule) -> f64 {
        let filling = |most: f64| whole(self.context / 256.0).min((most * self.cores / self.blocks).floor()).max(1.0);
        match rule {
            SplitRule::Never | SplitRule::Fastest => 1.0,
            SplitRule::OneWave => filling(1.0),
            SplitRule::TwoWaves => filling(2.0),
            SplitRule::EightWaves => {
                let parts = (self.context / 128.0).floor().max(1.0);
                let parts = parts.min((8.0 * parts).sqrt().round());
                let most = 8.0 * self.cores / self.blocks;
                if parts > most { most.floor().max(1.0) } else { parts }
            }
        }
    }

    /// Multiplications, blocks and memory.
    fn demands(&self, split: f64) -> [f64; 3] {
        let waves = whole(self.blocks * split / self.cores);
        let chunk = 64.0 * whole(self.context / (64.0 * split));
        let load = match self.block {
            Some(block) => block + (chunk - FIRST_TOKENS).max(0.0) * self.token_load,
            None => chunk * self.token_load,
        };
        [waves * chunk * self.token_compute, waves * load, self.streaming]
    }

    fn merging(&self, split: f64) -> f64 {
        self.merge * (split - 1.0) + if split > 1.0 { self.merge_start } else { 0.0 }
    }
}
