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
use super::overlap;
use crate::input::document::Kernels;
use crate::units::Seconds;

/// Rows of a tile: each active expert's tokens are padded to a multiple of it.
const TILE_ROWS: f64 = 32.0;

/// Time of a [`Work::Experts`], launch included; zero for no copies.
#[must_use]
pub fn expert_time(device: &Device, work: &Work) -> Seconds {
    let Work::Experts { local, active, copies, tokens, hidden, width, precision } = *work else { return Seconds::ZERO };
    let Some(kernel) = Kernels::nearest(&device.kernels.experts, precision) else { return Seconds::ZERO };
    if copies <= 0.0 {
        return Seconds::ZERO;
    }
    let weights = 3.0 * hidden * width;
    let activation = precision.activation_bytes();
    let memory = device.memory_bandwidth.get() * kernel.memory_efficiency.value.get();
    let rows = active * TILE_ROWS * (copies / active / TILE_ROWS).ceil();
    let streaming = active * weights * precision.bytes() / memory;
    let compute = rows * 2.0 * weights / (device.peak(precision).get() * kernel.compute_efficiency.value.get());
    let around = (tokens * hidden * (4.0 + activation) + copies * (hidden * (4.0 + activation) + width * (4.0 + 2.0 * activation))) / memory;
    kernel.launch.value + kernel.per_expert.value * local + Seconds::new(overlap(&[streaming, compute], 2) + around)
}
