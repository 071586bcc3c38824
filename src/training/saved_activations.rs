//! Activations that one layer keeps from forward for backward.
//!
//! Bytes a token of a dense layer in BF16, h wide, without tensor parallelism: 2h each of the two norms' inputs; 2h that the first
//! projection reads; queries, keys and values; 2h that the last one reads; 2h that gate and up read, 2 x 2w of what they make and 2w of
//! their product. Attention's scores are never kept, since attention computes them again (Dao et al. 2022).

use super::backward::{expands_latent, is_pointwise};
use crate::input::document::Precision;
use crate::units::Bytes;
use crate::workload::Operator;
use crate::workload::kernel::{InputFrom, KeptInput};

/// Kept of a layer's kernels over `tokens` of sequences of `sequence`: all that backward reads, and that without what norms and
/// activation functions make again, and without the heads' queries, keys and values of latent attention, which its expansions make again (as in
/// DeepSeek-V3, section 3.2.3).
pub(super) fn kept(operators: &[Operator], hidden: f64, tokens: f64, tp: f64, sequence: f64, weights: Precision) -> [Bytes; 2] {
    let mut before: Option<&Operator> = None;
    let mut sums = [Bytes::ZERO; 2];
    for operator in operators {
        let bytes = operator.work.kept(&KeptInput { name: operator.name, hidden, tokens, tensor_parallel: tp, sequence, weights });
        let again = match operator.work.input_from() {
            InputFrom::Pointwise => before.is_some_and(is_pointwise),
            InputFrom::Expansion => before.is_some_and(expands_latent),
            InputFrom::Nothing => false,
        };
        sums[0] += bytes;
        if !again {
            sums[1] += bytes;
        }
        before = Some(operator);
    }
    sums
}
