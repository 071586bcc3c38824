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

use super::family::{InputFrom, KeptInput, KernelFamily, Undone};
use super::norm::{Norm, whole};
use crate::input::document::Precision;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::device::Device;

/// Linear attention that carries a state from token to token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrenceWork {
    /// Sequences times heads that have a state of their own.
    pub states: f64,
    /// Chunks of one sequence, one after the other; zero where each sequence has one token.
    pub chunks: f64,
    /// Operations, all states together.
    pub flop: Flop,
    /// Queries, keys and values, and what else backward needs.
    pub inputs: Bytes,
    /// Read and written, all kernels together.
    pub bytes: Bytes,
}

/// Kernels that follow each other for a prompt.
const PROMPT_KERNELS: f64 = 5.0;

impl KernelFamily for RecurrenceWork {
    fn flop(&self) -> Flop {
        self.flop
    }

    fn bytes(&self) -> Bytes {
        self.bytes
    }

    fn precision(&self) -> Precision {
        Precision::Bf16
    }

    /// The delta rule of prompts is six kernels: sums of the decays, products of keys, their triangular inverse, weights, states, outputs (see
    /// flash-linear-attention).
    fn kernels(&self) -> u32 {
        1 + 5 * u32::from(self.chunks > 0.0)
    }

    fn time(&self, device: &Device, gap: Seconds) -> Seconds {
        let Self { states, chunks, bytes, .. } = *self;
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
        self.launch(device, gap) + Seconds::new(Norm::Two.of([streaming, following]))
    }

    fn launch(&self, device: &Device, _: Seconds) -> Seconds {
        let kernels = &device.kernels;
        let [prompts, decode] = [kernels.delta_prompts.as_ref().map(|own| &own.launch), kernels.delta_decode.as_ref().map(|own| &own.launch)];
        let own = if self.chunks > 0.0 { prompts } else { decode };
        own.unwrap_or(&kernels.launch).value
    }

    /// Kernels for states and outputs run again, then those for the gradients.
    fn undone(&self, _: f64) -> Undone<Self> {
        Undone::by(vec![*self; 2])
    }

    fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds {
        self.undone(gradient_bytes).kernels.iter().map(|kernel| kernel.time(device, gap)).sum()
    }

    fn kept(&self, _: &KeptInput<'_>) -> Bytes {
        self.inputs
    }

    fn input_from(&self) -> InputFrom {
        InputFrom::Nothing
    }

    fn started_in_training(&self) -> f64 {
        1.0
    }

    fn keys_and_values(&self, _: f64) -> Bytes {
        Bytes::ZERO
    }

    fn over_context(&self) -> bool {
        false
    }

    fn has_weights(&self) -> bool {
        false
    }
}
