//! Routed experts of one rank: grouped GEMMs without communication.
//!
//! ```text
//! t_w = active experts x 3 hidden width x weight bytes / (memory bandwidth x e_m)
//! t_c = rows padded to 32 an expert x 2 x 3 hidden width / (peak x e_c)
//! t_a = activations quantised, permuted, activated and finalised / (memory bandwidth x e_m)
//! t   = launch + per_expert x local experts + (t_w^2 + t_c^2)^(1/2) + t_a
//! ```

use super::super::device::Device;
use super::super::operator::Work;
use super::{Norm, whole};
use crate::input::document::{Kernels, Precision};
use crate::units::Seconds;

/// Rows of a tile: each active expert's tokens are padded to a multiple of it.
const TILE_ROWS: f64 = 32.0;

/// What the routed experts of one rank work on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupedRows {
    /// Experts on the rank.
    pub local: f64,
    /// Of them, those with at least one token.
    pub active: f64,
    /// Token copies.
    pub copies: f64,
    /// Copies with each expert's padded to whole tiles.
    pub padded: f64,
    /// Different tokens.
    pub tokens: f64,
}

impl GroupedRows {
    /// `copies` in equal shares on `active` experts.
    #[must_use]
    pub fn even(local: f64, active: f64, copies: f64, tokens: f64) -> Self {
        Self { local, active, copies, padded: active * padded_rows(copies / active), tokens }
    }
}

/// Rows of one expert in whole tiles.
#[must_use]
pub fn padded_rows(rows: f64) -> f64 {
    TILE_ROWS * whole(rows / TILE_ROWS)
}

/// Time of a [`Work::Experts`], launch included; zero for no copies.
#[must_use]
pub fn expert_time(device: &Device, work: &Work) -> Seconds {
    let Work::Experts { local, active, copies, tokens, hidden, width, precision } = *work else { return Seconds::ZERO };
    if copies <= 0.0 {
        return Seconds::ZERO;
    }
    grouped_time(device, &GroupedRows::even(local, active, copies, tokens), hidden, width, precision)
}

/// Time of the grouped GEMMs of one rank, launch included.
#[must_use]
pub fn grouped_time(device: &Device, rows: &GroupedRows, hidden: f64, width: f64, precision: Precision) -> Seconds {
    let Some(kernel) = Kernels::nearest(&device.kernels.experts, precision) else { return Seconds::ZERO };
    let weights = 3.0 * hidden * width;
    let activation = precision.activation_bytes();
    let memory = device.memory_bandwidth.get() * kernel.memory_efficiency.value.get();
    let streaming = rows.active * weights * precision.bytes() / memory;
    let compute = rows.padded * 2.0 * weights / (device.peak(precision).get() * kernel.compute_efficiency.value.get());
    let around = rows.tokens * hidden * (4.0 + activation) + rows.copies * (hidden * (4.0 + activation) + width * (4.0 + 2.0 * activation));
    kernel.launch.value + kernel.per_expert.value * rows.local + Seconds::new(Norm::Two.of([streaming, compute]) + around / memory)
}
