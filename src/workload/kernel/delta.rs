//! Linear attention with the gated delta rule, as the public chunk-parallel kernels compute it (flash-linear-attention; Yang et al., arXiv 2412.06464).
//!
//! ```text
//! decode   t = launch + bytes / (memory bandwidth x e_m)
//! prompts  t = launch + (t_m^2 + t_s^2)^(1/2)
//!          t_m = bytes / (memory bandwidth x e_m)
//!          t_s = chunk x chunks of a sequence x ceil( 2 states / cores )
//! ```
//!
//! When decoding, bytes are those of the states, read and written. For a prompt five kernels follow each other (scores of keys within a chunk, the inverse of their
//! triangle, its products with keys and values, the states from chunk to chunk, outputs), and what one writes the next reads: see `workload/attention/linear.rs`. States
//! follow each other, so that a core needs `chunk` for each chunk of a sequence; a state's values are divided between two blocks.
//!
//! A chip without constants of its own takes those of a kernel that streams, which no measurement backs.

use super::super::device::Device;
use super::super::operator::Work;
use super::{Norm, whole};
use crate::units::Seconds;

/// Kernels that follow each other for a prompt.
const PROMPT_KERNELS: f64 = 5.0;

/// What of a [`Work::Recurrence`] is launch.
pub(super) fn launch(device: &Device, work: &Work) -> Seconds {
    let Work::Recurrence { chunks, .. } = *work else { return Seconds::ZERO };
    let kernels = &device.kernels;
    let own = if chunks > 0.0 { kernels.delta_prompts.as_ref().map(|own| &own.launch) } else { kernels.delta_decode.as_ref().map(|own| &own.launch) };
    own.unwrap_or(&kernels.launch).value
}

/// Time of a [`Work::Recurrence`], launch included; zero for other work.
#[must_use]
pub fn recurrence_time(device: &Device, work: &Work) -> Seconds {
    let Work::Recurrence { states, chunks, bytes, .. } = *work else { return Seconds::ZERO };
    if states <= 0.0 {
        return Seconds::ZERO;
    }
    let kernels = &device.kernels;
    let prompts = kernels.delta_prompts.as_ref().filter(|_| chunks > 0.0);
    let decode = kernels.delta_decode.as_ref().filter(|_| chunks <= 0.0);
    let efficiency = prompts.map(|own| &own.memory_efficiency).or_else(|| decode.map(|own| &own.memory_efficiency));
    let efficiency = efficiency.unwrap_or(&kernels.stream_efficiency).value.get();
    // What one of a prompt's kernels writes, the next reads: from the last-level cache where it fits.
    let memory = device.memory_bandwidth.get();
    let byte = if chunks > 0.0 { device.seconds_per_byte(bytes.get() / PROMPT_KERNELS, memory) } else { 1.0 / memory };
    let streaming = bytes.get() * byte / efficiency;
    let chunk = prompts.map_or(0.0, |own| own.chunk.value.get());
    let following = chunk * chunks * whole(2.0 * states / device.cores);
    launch(device, work) + Seconds::new(Norm::Two.of([streaming, following]))
}
