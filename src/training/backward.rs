//! The kernels that undo one kernel, and how long they take.
//!
//! ```text
//! y = x W            forward        2 r c d
//! dx = dy W^T        backward       2 r c d
//! dW += x^T dy       backward       2 r c d, and each gradient is read and written
//! ```
//!
//! Attention backward multiplies five times where forward does twice, since it computes the scores again: 2.5 times the work (Dao 2023,
//! "FlashAttention-2", section 4.1). Streams read the gradient beside what forward read: 5/3 of the bytes, as in a gated activation
//! (two in, one out; three in, two out).

use crate::units::{Bytes, Seconds};
use crate::workload::{Device, Operator, Work, kernel};

/// Work of attention's backward pass over its forward pass.
const ATTENTION_BACKWARD: f64 = 2.5;
/// Share of the multipliers that attention keeps backward, over the share it keeps forward. DeepSeek's published profile of a training
/// step on H800 (github.com/deepseek-ai/profile-data) has 1 237 µs forward and 3 778.8 backward for heads of 192 and 128: 3 x 192 + 2 x 128
/// products against 192 + 128, 2.6 times the work in 3.055 times the time.
const ATTENTION_BACKWARD_EFFICIENCY: f64 = 2.6 / (3778.8 / 1237.0);
/// Bytes of a stream's backward pass over its forward pass.
const STREAM_BACKWARD: f64 = 5.0 / 3.0;
/// Bytes that a product writes for an element of its result; see [`Work::bytes`].
const RESULT: f64 = 2.0;

/// The kernels that undo one kernel. A gradient of `gradient_bytes` is added up in place: what that moves beyond a written result is the
/// last of a product's three.
#[must_use]
pub fn backward(operator: &Operator, gradient_bytes: f64) -> Vec<Operator> {
    let of = |work| Operator::new(operator.name, work);
    match operator.work {
        Work::Gemm { batch, rows, columns, depth, precision } => vec![
            of(Work::Gemm { batch, rows, columns: depth, depth: columns, precision }),
            of(Work::Gemm { batch, rows: depth, columns, depth: rows, precision }),
            of(Work::Stream { bytes: Bytes::new(batch * depth * columns * (2.0 * gradient_bytes - RESULT)) }),
        ],
        Work::Attention { .. } => {
            let mut work = operator.work;
            if let Work::Attention { flop_per_row, unit_bytes, sequence_bytes, query_bytes, .. } = &mut work {
                *flop_per_row *= ATTENTION_BACKWARD;
                // Keys, values, queries and outputs are read again, and their gradients written.
                for bytes in [unit_bytes, sequence_bytes, query_bytes] {
                    *bytes = *bytes * 2.0;
                }
            }
            vec![of(work)]
        }
        // Kernels for states and outputs run again, then those for the gradients.
        Work::Experts { .. } | Work::Recurrence { .. } => vec![operator.clone(), operator.clone()],
        Work::Stream { bytes } => vec![of(Work::Stream { bytes: bytes * STREAM_BACKWARD })],
    }
}

/// Time of the kernels that undo one kernel. Gradients are added up as the product is written, beside its arithmetic.
pub(super) fn backward_time(device: &Device, operator: &Operator, gradient_bytes: f64) -> Seconds {
    let undone = backward(operator, gradient_bytes);
    match operator.work {
        Work::Gemm { batch, rows, columns, depth, precision } => {
            let weights = kernel::gemm_into(device, batch, [depth, columns, rows], precision, 2.0 * gradient_bytes);
            kernel::time(device, &undone[0]) + device.kernels.launch.value + weights
        }
        Work::Attention { .. } => {
            let time = kernel::time(device, &undone[0]);
            let body = kernel::body(device, &undone[0], time);
            time + body * (1.0 / ATTENTION_BACKWARD_EFFICIENCY - 1.0)
        }
        Work::Experts { .. } | Work::Recurrence { .. } | Work::Stream { .. } => undone.iter().map(|operator| kernel::time(device, operator)).sum(),
    }
}

/// Times of a block's outer products, which transfers of its tokens may run beside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Products {
    /// The first, forward.
    pub first: Seconds,
    /// The last, forward.
    pub last: Seconds,
    /// What makes the gradient of the first one's input.
    pub input_gradient: Seconds,
    /// What makes the gradient of its weights.
    pub weight_gradient: Seconds,
    /// What makes the gradient of the last one's input.
    pub last_input_gradient: Seconds,
}

impl Products {
    /// Those of a block; zero for one without products.
    pub fn new(device: &Device, operators: &[Operator], gradient_bytes: f64) -> Self {
        let is_product = |operator: &&Operator| matches!(operator.work, Work::Gemm { .. });
        let (Some(first), Some(last)) = (operators.iter().find(is_product), operators.iter().rfind(is_product)) else { return Self::default() };
        let input = |operator: &Operator| kernel::time(device, &backward(operator, gradient_bytes)[0]);
        Self {
            first: kernel::time(device, first),
            last: kernel::time(device, last),
            input_gradient: input(first),
            weight_gradient: (backward_time(device, first, gradient_bytes) - input(first)).max(Seconds::ZERO),
            last_input_gradient: input(last),
        }
    }
}

/// Whether a kernel is cheap to run again: a norm or an activation function.
pub(super) fn is_pointwise(operator: &Operator) -> bool {
    matches!(operator.name, "norm" | "activation")
}

/// Whether an operator expands what latent attention keeps of a token to its heads.
pub(super) fn expands_latent(operator: &Operator) -> bool {
    matches!(operator.name, "expand query" | "expand key, value")
}

/// Whether a kernel runs again where cheap ones do: norms, activation functions and the expansions of latent attention, whose products are small
/// for what they save (DeepSeek-V3, section 3.2.3).
pub(super) fn runs_again(operator: &Operator) -> bool {
    is_pointwise(operator) || expands_latent(operator)
}

/// Time to run these again.
pub(super) fn again_time(device: &Device, operators: &[Operator]) -> Seconds {
    operators.iter().filter(|operator| runs_again(operator)).map(|operator| kernel::time(device, operator)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::document::Precision;
    use crate::workload::Work;

    /// A product of 10 rows, 20 columns, depth 30: two products of the same 12 000 operations; 600 FP32 gradients are read and written,
    /// 8 bytes each, of which 2 are the product's own.
    #[test]
    fn a_product_is_undone_by_two_and_a_sum() {
        let operator = Operator::new("", Work::Gemm { batch: 1.0, rows: 10.0, columns: 20.0, depth: 30.0, precision: Precision::Bf16 });
        let undone = backward(&operator, 4.0);
        assert_eq!(undone.iter().map(|operator| operator.work.flop().get()).collect::<Vec<_>>(), [12_000.0, 12_000.0, 0.0]);
        assert_eq!(undone[2].work.bytes(), Bytes::new(3600.0));
    }
}
