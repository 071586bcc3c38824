//! The routed experts of one rank in training: grouped products of thousands of rows each.
//!
//! The kernels that serve experts (`workload/kernel/experts.rs`) were measured in engines, with few rows an expert. A training micro-batch
//! brings each expert thousands; grouped products then run like that many dense ones: DeepSeek's profile of a training step on H800
//! has 1 432.9 µs for the mean of a layer's products over 32 768 rows, half of the peak.
//!
//! What a framework adds is in the sources of Megatron-LM (`megatron/core/transformer/moe`): the library's all-to-all delivers tokens rank by
//! rank, so they are sorted by expert once more on arrival and put back before they return (`sort_chunks_by_idxs`). A bias of the experts'
//! results is multiplied by each token's weight and added expert by expert, and the parts are joined (`_apply_bias`).

use crate::input::document::{ExpertPlacement, Experts, Model, Precisions};
use crate::units::Bytes;
use crate::workload::{ExpertLoad, ExpertWork, GemmWork, Operator, StreamWork, Work, expert_block};

/// What a framework does with the tokens of routed experts beside the products.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandledTokens {
    /// They come in the order of ranks and are sorted by expert once more, and back.
    pub sorted_again: bool,
    /// Results get a bias, expert by expert.
    pub biases: bool,
}

/// Tokens put in the order of their experts, gate and up projection, activation, down projection, and results put back and added up.
pub(super) fn routed_block(
    model: &Model,
    experts: &Experts,
    placement: &ExpertPlacement,
    precisions: &Precisions,
    load: &ExpertLoad,
    framework: HandledTokens,
) -> Vec<Operator> {
    let block = expert_block(model, experts, placement, precisions, load, 1);
    let Work::Experts(ExpertWork { local, active, copies, tokens, hidden, width, precision, .. }) = block.work else { return vec![block] };
    // One expert's tokens need no sorting.
    let again = if framework.sorted_again && local > 1.0 { 2.0 * copies } else { 0.0 };
    let gemm = |name, columns, depth| Operator::new(name, Work::Gemm(GemmWork { batch: active, rows: copies / active, columns, depth, precision }));
    let stream = |name, bytes| Operator::new(name, Work::Stream(StreamWork { bytes: Bytes::new(bytes) }));
    let mut found = vec![
        stream("permute", (tokens + copies + again) * hidden * precisions.dispatch.activation_bytes()),
        gemm("experts gate and up", 2.0 * width, hidden),
        stream("activation", copies * width * (4.0 + precision.activation_bytes())),
        gemm("experts down", hidden, width),
    ];
    if framework.biases {
        found.extend(biases(active, copies * hidden));
    }
    found.push(stream("permute back", (copies + tokens + again) * hidden * 2.0));
    found
}

/// The bias of `active` experts on `results` elements in 16 bit: weighted (written), added (two read, one written), joined (read and written).
fn biases(active: f64, results: f64) -> Vec<Operator> {
    let experts = active.ceil();
    let stream = |bytes: f64| Operator::new("expert biases", Work::Stream(StreamWork { bytes: Bytes::new(bytes) }));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of experts")]
    let mut found: Vec<Operator> = std::iter::repeat_n([2.0, 6.0], experts as usize).flatten().map(|each| stream(each * results / experts)).collect();
    found.push(stream(results * 4.0));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four experts, 1 000 elements: 2 + 6 + 4 bytes an element in nine kernels.
    #[test]
    fn a_bias_is_added_expert_by_expert() {
        let found = biases(4.0, 1000.0);
        assert_eq!(found.len(), 9);
        assert_eq!(found.iter().map(|operator| operator.work.bytes()).sum::<Bytes>(), Bytes::new(12_000.0));
    }
}
