//! One layer of a model on one rank, forward and backward.
//!
//! ```text
//! y = x W            forward        2 r c d
//! dx = dy W^T        backward       2 r c d
//! dW = x^T dy        backward       2 r c d
//! ```
//!
//! Attention backward multiplies five times where forward does twice, since it computes the scores again: 2.5 times the work (Dao 2023,
//! "FlashAttention-2", section 4.1). Streams read the gradient beside what forward read: 5/3 of the bytes, as in a gated activation
//! (two in, one out; three in, two out).

use crate::input::document::{ExpertPlacement, Ffn, LayerGroup, Model, Precisions};
use crate::network::ExpertTraffic;
use crate::serving::{Communication, Resource, Stage};
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::{
    AttentionBatch, Device, ExpertLoad, Operator, Work, attention_weights, dense_block, expert_block, expert_weights, ffn_weights, gate, kernel,
    layer_attention, shared_block, totals,
};

/// Work of attention's backward pass over its forward pass.
const ATTENTION_BACKWARD: f64 = 2.5;
/// Bytes of a stream's backward pass over its forward pass.
const STREAM_BACKWARD: f64 = 5.0 / 3.0;

/// What is trained, on what.
#[derive(Debug)]
pub struct Task<'a> {
    /// Transfers.
    pub communication: Communication<'a>,
    /// One rank.
    pub device: Device,
    /// The model.
    pub model: &'a Model,
    /// Formats.
    pub precisions: Precisions,
    /// Copies and balance of experts.
    pub placement: ExpertPlacement,
    /// Tokens of a sequence.
    pub sequence: f64,
}

/// Equal layers on one rank, for one micro-batch.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Layers of this kind in the model.
    pub count: u32,
    /// Forward kernels.
    pub operators: Vec<Operator>,
    /// Forward, in order.
    pub forward: Vec<Stage>,
    /// Backward, in order; without recomputation.
    pub backward: Vec<Stage>,
    /// Sent by one rank in one direction of the pass.
    pub sent: Bytes,
    /// Kept from forward for backward.
    pub saved: Bytes,
    /// The layer's input alone.
    pub input: Bytes,
    /// Parameters on the rank that every data-parallel rank has too.
    pub parameters: f64,
    /// Parameters of its routed experts.
    pub expert_parameters: f64,
}

/// The kernels that undo one kernel.
#[must_use]
pub fn backward(operator: &Operator) -> Vec<Operator> {
    let of = |work| Operator { name: operator.name, work };
    match operator.work {
        Work::Gemm { batch, rows, columns, depth, precision } => vec![
            of(Work::Gemm { batch, rows, columns: depth, depth: columns, precision }),
            of(Work::Gemm { batch, rows: depth, columns, depth: rows, precision }),
        ],
        Work::Attention { flop_per_row, unit_bytes, sequence_bytes, query_bytes, sequences, context, units, rows, latent, precision } => {
            vec![of(Work::Attention {
                flop_per_row: flop_per_row * ATTENTION_BACKWARD,
                // Keys, values, queries and outputs are read again, and their gradients written.
                unit_bytes: unit_bytes * 2.0,
                sequence_bytes: sequence_bytes * 2.0,
                query_bytes: query_bytes * 2.0,
                sequences,
                context,
                units,
                rows,
                latent,
                precision,
            })]
        }
        Work::Experts { .. } => vec![operator.clone(), operator.clone()],
        Work::Stream { bytes } => vec![of(Work::Stream { bytes: bytes * STREAM_BACKWARD })],
    }
}

/// Operations that the model itself asks for, for one token, forward and backward: three times the forward matrices and attention over
/// the tokens before it. Without recomputation and padding, as in Narayanan et al. 2021, but with causal attention counted once.
#[must_use]
pub fn model_flop_per_token(model: &Model, precisions: &Precisions, sequence: f64) -> Flop {
    let batch = [whole_sequences(1.0, sequence)];
    let attention = |group: &LayerGroup| -> f64 {
        let block = layer_attention(&group.attention, model.hidden, precisions, 1, &batch);
        let over_context = block.iter().filter(|operator| matches!(operator.work, Work::Attention { .. }));
        over_context.map(|operator| operator.work.flop().get()).sum::<f64>() * f64::from(group.count) / sequence
    };
    let attention: f64 = model.layer.iter().map(attention).sum();
    (totals(model, precisions).flop_per_token + Flop::new(attention)) * 3.0
}

/// A token sees half of the sequence on average.
fn whole_sequences(sequences: f64, sequence: f64) -> AttentionBatch {
    AttentionBatch { sequences, new_tokens: sequence, context: sequence / 2.0, prefill: true }
}

impl Task<'_> {
    /// Every kind of layer under `tp` and `ep` for a micro-batch of `sequences`.
    #[must_use]
    pub fn layers(&self, tp: u32, ep: u32, sequences: u32) -> Vec<Layer> {
        self.model.layer.iter().map(|group| self.layer(group, tp, ep, f64::from(sequences))).collect()
    }

    fn compute(&self, name: &'static str, operators: &[Operator]) -> Stage {
        Stage { name, resource: Resource::Compute, time: operators.iter().map(|operator| kernel::time(&self.device, operator)).sum() }
    }

    /// Forward and backward of the same kernels.
    fn both(&self, name: &'static str, operators: &[Operator]) -> [Stage; 2] {
        let undone: Vec<Operator> = operators.iter().flat_map(backward).collect();
        [self.compute(name, operators), self.compute(name, &undone)]
    }

    fn layer(&self, group: &LayerGroup, tp: u32, ep: u32, sequences: f64) -> Layer {
        let (model, split) = (self.model, f64::from(tp));
        let hidden = f64::from(model.hidden);
        let tokens = sequences * self.sequence;
        let batch = [whole_sequences(sequences, self.sequence)];
        let attention = in_sequence_parts(layer_attention(&group.attention, model.hidden, &self.precisions, tp, &batch), split);
        let stream = Bytes::new(tokens * hidden * 2.0);
        // Under sequence parallelism an all-gather stands before each divided block and a reduce-scatter after it.
        let gather = self.communication.all_to_all(tp, stream / (split * split));
        let transfer = |name, time| Stage { name, resource: Resource::Fabric, time };
        let reduced = stream * (2.0 * (split - 1.0) / split);
        let mut forward = Vec::new();
        let mut undone = Vec::new();
        let mut push = |[ahead, back]: [Stage; 2]| {
            forward.push(ahead);
            undone.push(back);
        };
        let mut divided = |name, operators: &[Operator]| {
            if tp > 1 {
                push([transfer("all-gather", gather); 2]);
            }
            push(self.both(name, operators));
            if tp > 1 {
                push([transfer("reduce-scatter", gather); 2]);
            }
        };
        divided("attention", &attention);
        let mut sent = reduced;
        let mut operators = attention;
        let (stored, _) = ffn_weights(&group.ffn, model.hidden);
        let mut parameters = attention_weights(&group.attention, model.hidden) / split;
        let mut expert_parameters = 0.0;
        match &group.ffn {
            Ffn::Dense { width } => {
                let block = in_sequence_parts(dense_block(model, *width, &self.precisions, tp, tokens), split);
                divided("dense", &block);
                sent += reduced;
                parameters += stored / split;
                operators.extend(block);
            }
            Ffn::Experts(experts) => {
                let own = tokens / split;
                let mut before = gate(model, experts, &self.precisions, own);
                if experts.shared > 0 {
                    before.extend(shared_block(model, experts, &self.precisions, own));
                }
                let load = ExpertLoad::new(experts, &self.placement, ep, own);
                let routed = [expert_block(model, experts, &self.placement, &self.precisions, &load)];
                push(self.both("gate and shared experts", &before));
                let exchange = (ep > 1).then(|| {
                    let traffic = |bytes: f64| ExpertTraffic {
                        ranks: ep,
                        tokens: own,
                        copies: load.copies,
                        message: Bytes::new(f64::from(experts.stream(model.hidden)) * bytes),
                        imbalance: load.imbalance,
                    };
                    (traffic(self.precisions.dispatch.activation_bytes()), traffic(self.precisions.combine.activation_bytes()))
                });
                // Backward, gradients go out to the experts as tokens did, and come back as results did.
                let times = exchange.as_ref().map(|(out, back)| (self.communication.dispatch(out, true), self.communication.combine(back, true)));
                if let Some((out, back)) = times {
                    push([transfer("dispatch", out), transfer("combine", back)]);
                }
                push(self.both("routed experts", &routed));
                if let Some((out, back)) = times {
                    push([transfer("combine", back), transfer("dispatch", out)]);
                }
                if let Some((out, back)) = &exchange {
                    let communication = &self.communication;
                    sent += out.sent_bytes(communication.dispatch_kernel(true)) + back.sent_bytes(communication.combine_kernel(true));
                }
                let all = f64::from(experts.routed) * expert_weights(&group.ffn, model.hidden);
                parameters += stored - all;
                expert_parameters = all / f64::from(ep);
                operators.extend(before);
                operators.extend(routed);
            }
        }
        undone.reverse();
        let saved = operators.iter().map(|operator| saved(operator, hidden, tokens, split, self.sequence)).sum();
        Layer { count: group.count, operators, forward, backward: undone, sent, saved, input: stream / split, parameters, expert_parameters }
    }
}

/// Norms around a divided block work on the rank's part of the sequence.
fn in_sequence_parts(mut block: Vec<Operator>, tp: f64) -> Vec<Operator> {
    for operator in block.iter_mut().filter(|operator| operator.name == "norm") {
        if let Work::Stream { bytes } = &mut operator.work {
            *bytes = *bytes / tp;
        }
    }
    block
}

/// What backward needs of one kernel's forward pass. Inputs as wide as the residual stream are kept as the rank's part of the sequence
/// and gathered again (Korthikanti et al. 2022, section 4.2.2); scores are never kept, since attention computes them again.
fn saved(operator: &Operator, hidden: f64, tokens: f64, tp: f64, sequence: f64) -> Bytes {
    Bytes::new(match operator.work {
        Work::Gemm { batch, rows, depth, precision, .. } => {
            let split = if depth == hidden && rows == tokens { tp } else { 1.0 };
            batch * rows * depth * precision.activation_bytes() / split
        }
        // The output is the input of the projection behind it, which keeps it.
        Work::Attention { sequences, sequence_bytes, query_bytes, .. } => sequences * (sequence_bytes.get() * sequence + query_bytes.get() / 2.0),
        Work::Experts { copies, hidden, width, precision, .. } => {
            copies * (hidden * precision.activation_bytes() + width * (4.0 + precision.activation_bytes()))
        }
        // A norm keeps its input, one of four streams; a gated activation its two inputs.
        Work::Stream { bytes } if operator.name == "norm" => bytes.get() / 4.0,
        Work::Stream { bytes } => bytes.get() * 2.0 / 3.0,
    })
}

/// Seconds of the stages on one resource.
pub(super) fn busy(stages: &[Stage], resource: Resource) -> Seconds {
    stages.iter().filter(|stage| stage.resource == resource).map(|stage| stage.time).sum()
}
