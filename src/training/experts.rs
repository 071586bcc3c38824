//! The routed experts of one rank in training: grouped products of thousands of rows each.
//!
//! The kernels that serve experts (`workload/kernel/experts.rs`) were measured in engines, with few rows an expert. A training micro-batch
//! brings each expert thousands; grouped products then run like that many dense ones: DeepSeek's profile of a training step on H800
//! has 1 432.9 µs for the mean of a layer's products over 32 768 rows, half of the peak.

use crate::input::document::{ExpertPlacement, Experts, Model, Precisions};
use crate::units::Bytes;
use crate::workload::{ExpertLoad, Operator, Work, expert_block};

/// Tokens put in the order of their experts, gate and up projection, activation, down projection, and results put back and added up.
pub(super) fn routed_block(
    model: &Model,
    experts: &Experts,
    placement: &ExpertPlacement,
    precisions: &Precisions,
    load: &ExpertLoad,
) -> Vec<Operator> {
    let block = expert_block(model, experts, placement, precisions, load, 1);
    let Work::Experts { active, copies, tokens, hidden, width, precision, .. } = block.work else { return vec![block] };
    let gemm =
        |name, columns, depth| Operator { prolog: false, name, work: Work::Gemm { batch: active, rows: copies / active, columns, depth, precision } };
    let stream = |name, bytes| Operator { prolog: false, name, work: Work::Stream { bytes: Bytes::new(bytes) } };
    vec![
        stream("permute", (tokens + copies) * hidden * precision.activation_bytes()),
        gemm("experts gate and up", 2.0 * width, hidden),
        stream("activation", copies * width * (4.0 + precision.activation_bytes())),
        gemm("experts down", hidden, width),
        stream("permute back", (copies + tokens) * hidden * 2.0),
    ]
}
