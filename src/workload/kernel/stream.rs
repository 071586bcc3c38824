//! Kernels that only read and write: norms, activation functions, residuals, permutations.
//!
//! ```text
//! t = gap + bytes / (memory bandwidth x stream efficiency)
//! ```

use super::family::{InputFrom, KeptInput, KernelFamily, Undone};
use crate::input::document::Precision;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::device::Device;

/// Bytes of a stream's backward pass over its forward pass: it reads the gradient beside what forward read, as in a gated activation (two in, one
/// out; three in, two out).
const BACKWARD: f64 = 5.0 / 3.0;

/// Reads and writes without matrix work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamWork {
    /// Read and written together.
    pub bytes: Bytes,
}

impl KernelFamily for StreamWork {
    fn flop(&self) -> Flop {
        Flop::ZERO
    }

    fn bytes(&self) -> Bytes {
        self.bytes
    }

    fn precision(&self) -> Precision {
        Precision::Bf16
    }

    fn kernels(&self) -> u32 {
        1
    }

    fn time(&self, device: &Device, gap: Seconds) -> Seconds {
        gap + self.bytes / (device.memory_bandwidth * device.kernels.stream_efficiency.value.get())
    }

    fn launch(&self, _: &Device, gap: Seconds) -> Seconds {
        gap
    }

    fn undone(&self, _: f64) -> Undone<Self> {
        Undone::by(vec![Self { bytes: self.bytes * BACKWARD }])
    }

    fn undone_time(&self, device: &Device, gap: Seconds, gradient_bytes: f64) -> Seconds {
        self.undone(gradient_bytes).kernels.iter().map(|kernel| kernel.time(device, gap)).sum()
    }

    fn kept(&self, input: &KeptInput<'_>) -> Bytes {
        let bytes = self.bytes.get();
        Bytes::new(match input.name {
            // A norm keeps its input, one of four streams; a gated activation its two inputs in 16 bit, not the product.
            "norm" => bytes / 4.0,
            "activation" => bytes * 4.0 / (4.0 + input.weights.activation_bytes()),
            // Tokens in another order are not looked at again.
            "permute" | "permute back" | "choose tokens" | "expert biases" => 0.0,
            // Two in, one out.
            _ => bytes * 2.0 / 3.0,
        })
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
