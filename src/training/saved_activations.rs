//! Activations that one layer keeps from forward for backward.
//!
//! Bytes a token of a dense layer in BF16, h wide, without tensor parallelism: 2h each of the two norms' inputs; 2h that the first
//! projection reads; queries, keys and values; 2h that the last one reads; 2h that gate and up read, 2 x 2w of what they make and 2w of
//! their product. Attention's scores are never kept, since attention computes them again (Dao et al. 2022).

use super::backward::{expands_latent, is_pointwise};
use crate::input::document::Precision;
use crate::units::Bytes;
use crate::workload::{Operator, Work};

/// Kept of a layer's kernels over `tokens` of sequences of `sequence`: all that backward reads, and that without what norms and
/// activation functions make again, and without the heads' queries, keys and values of latent attention, which its expansions make again (as in
/// DeepSeek-V3, section 3.2.3).
pub(super) fn kept(operators: &[Operator], hidden: f64, tokens: f64, tp: f64, sequence: f64, weights: Precision) -> [Bytes; 2] {
    let mut before: Option<&Operator> = None;
    let mut sums = [Bytes::ZERO; 2];
    for operator in operators {
        let bytes = of_operator(operator, hidden, tokens, tp, sequence, weights);
        let again = match operator.work {
            Work::Gemm { .. } => before.is_some_and(is_pointwise),
            Work::Attention { .. } => before.is_some_and(expands_latent),
            Work::Experts { .. } | Work::Recurrence { .. } | Work::Stream { .. } => false,
        };
        sums[0] += bytes;
        if !again {
            sums[1] += bytes;
        }
        before = Some(operator);
    }
    sums
}

/// Inputs as wide as the residual stream are kept as the rank's part of the sequence (Korthikanti et al. 2022, section 4.2.2).
fn of_operator(operator: &Operator, hidden: f64, tokens: f64, tp: f64, sequence: f64, weights: Precision) -> Bytes {
    Bytes::new(match operator.work {
        Work::Gemm { batch, rows, depth, precision, .. } => {
            let split = if depth == hidden && rows == tokens { tp } else { 1.0 };
            batch * rows * depth * precision.activation_bytes() / split
        }
        // The output is the input of the projection behind it, which keeps it.
        Work::Attention { sequences, sequence_bytes, query_bytes, .. } => sequences * (sequence_bytes.get() * sequence + query_bytes.get() / 2.0),
        Work::Experts { .. } => 0.0,
        Work::Recurrence { inputs, .. } => inputs.get(),
        // A norm keeps its input, one of four streams; a gated activation its two inputs in 16 bit, not the product.
        Work::Stream { bytes } if operator.name == "norm" => bytes.get() / 4.0,
        Work::Stream { bytes } if operator.name == "activation" => bytes.get() * 4.0 / (4.0 + weights.activation_bytes()),
        // Tokens in another order are not looked at again.
        Work::Stream { .. } if matches!(operator.name, "permute" | "permute back" | "choose tokens" | "expert biases") => 0.0,
        // Two in, one out.
        Work::Stream { bytes } => bytes.get() * 2.0 / 3.0,
    })
}
