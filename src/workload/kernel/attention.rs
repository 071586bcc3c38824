//! Attention over a KV cache.
//!
//! ```text
//! for each split s = 1, 2, 4, ... of the context, at least 64 tokens long (1 alone for a kernel that does not split):
//!   waves  = ceil( sequences x units x s / cores ),  chunk = context / s padded to 64
//!   t_c    = waves x chunk x padded rows x flop per row / (peak of a core x e_c)
//!   t_l    = waves x chunk x unit bytes / core bandwidth      if not known, one core alone draws twice its share: 2 x memory bandwidth of a core x e_m
//!   t_m    = sequences (context x sequence bytes + query bytes) / (memory bandwidth x e_m)
//!   t(s)   = launch + (t_c^3 + t_l^3 + t_m^3)^(1/3) + merge (s - 1)
//! t = the best split
//!
//! Rows of a unit are padded to 16. A kernel over a latent cache may have tiles for few rows (`narrow_rows` = n): up to 2 n rows go in tiles of n, and
//! each tile is a unit that reads the cache for itself, at 4/3 of a core's share of the memory bandwidth; more rows are padded to 128.
//!
//! Prompts have kernels of their own (`prompts.rs`). Kernels of sparse attention, which choose entries or gather those chosen, reach `sparse_attention` of both e_c and e_m
//! and start `sparse_launch` later.
//! ```

use std::collections::BTreeMap;

use super::super::device::Device;
use super::super::operator::Work;
use super::{Norm, below_norm_three, prompts, sparse_launch, whole};
use crate::input::document::{AttentionKernel, Kernels, Precision};
use crate::units::{Bytes, Seconds};

/// The kernels for a latent cache, for keys and values of every head (one query row each), or for grouped ones.
pub(super) fn family(kernels: &Kernels, latent: bool, rows: f64) -> &BTreeMap<Precision, AttentionKernel> {
    match (latent, rows <= 1.0 && !kernels.mha.is_empty()) {
        (true, _) => &kernels.mla,
        (false, true) => &kernels.mha,
        (false, false) => &kernels.gqa,
    }
}

/// How a kernel cuts the rows that share cache entries.
struct Tiles {
    units: f64,
    /// Of a unit, padded.
    rows: f64,
    /// Most that one core alone draws, in shares of a core of the memory bandwidth.
    core_share: f64,
}

impl Tiles {
    fn of(kernel: &AttentionKernel, latent: bool, units: f64, rows: f64) -> Self {
        match kernel.narrow_rows.map(f64::from).filter(|_| latent) {
            // The second tile's reads come from the last-level cache: with 32 heads, B200 and GB200 move 8 TB/s into their cores and take 1.5 times as long as with 16.
            Some(narrow) if units <= 1.0 && rows <= 2.0 * narrow => Self { units: whole(rows / narrow), rows: narrow, core_share: 4.0 / 3.0 },
            Some(_) => Self { units, rows: rows.max(128.0), core_share: 4.0 / 3.0 },
            None => Self { units, rows: rows.max(16.0), core_share: 2.0 },
        }
    }
}

/// What of a [`Work::Attention`] is launch.
pub(super) fn launch(device: &Device, work: &Work) -> Seconds {
    let Work::Attention { latent, rows, prepared_bytes, sparse, precision, .. } = *work else { return Seconds::ZERO };
    let own = Kernels::nearest(&device.kernels.prompts, precision).filter(|_| prepared_bytes > Bytes::ZERO).map(|kernel| kernel.launch.value);
    let of_cache = || Kernels::nearest(family(&device.kernels, latent, rows), precision).map(|kernel| kernel.launch.value);
    own.or_else(of_cache).unwrap_or(Seconds::ZERO) + sparse_launch(device, sparse)
}

/// Time of an [`Work::Attention`], launch included; zero for no sequences.
#[must_use]
pub fn attention_time(device: &Device, work: &Work) -> Seconds {
    let Work::Attention {
        sequences,
        context,
        units,
        rows,
        flop_per_row,
        unit_bytes,
        sequence_bytes,
        query_bytes,
        prepared_bytes,
        latent,
        sparse,
        precision,
    } = *work
    else {
        return Seconds::ZERO;
    };
    if prepared_bytes > Bytes::ZERO {
        return prompts::prompt_time(device, work);
    }
    let kernels = family(&device.kernels, latent, rows);
    let Some(kernel) = Kernels::nearest(kernels, precision) else { return Seconds::ZERO };
    if sequences <= 0.0 {
        return Seconds::ZERO;
    }
    let launch = kernel.launch.value + sparse_launch(device, sparse);
    let tiles = Tiles::of(kernel, latent, units, rows);
    let share = device.kernels.sparse_attention.as_ref().filter(|_| sparse).map_or(1.0, |figure| figure.value.get());
    let memory = device.memory_bandwidth.get() * kernel.memory_efficiency.value.get() * share;
    let core_peak = device.peak(precision).get() / device.cores * kernel.compute_efficiency.value.get() * share;
    let streaming = sequences * (context * sequence_bytes.get() + query_bytes.get()) / memory;
    let core_bandwidth = kernel.core_bandwidth.as_ref().map_or(tiles.core_share * memory / device.cores, |figure| figure.value.get() * share);
    let most = if kernel.splits { 2048.0 } else { 1.0 };
    let mut best = f64::INFINITY;
    let mut split = 1.0;
    while split <= most && split <= whole(context / 64.0).max(1.0) {
        let waves = whole(sequences * tiles.units * split / device.cores);
        let chunk = 64.0 * whole(context / (64.0 * split));
        let compute = waves * chunk * tiles.rows * flop_per_row / core_peak;
        let load = waves * chunk * unit_bytes.get() / core_bandwidth;
        let merging = kernel.merge.value.get() * (split - 1.0);
        split *= 2.0;
        if below_norm_three([compute, load, streaming]) + merging >= best {
            continue;
        }
        best = best.min(Norm::Three.of([compute, load, streaming]) + merging);
    }
    launch + Seconds::new(best)
}
