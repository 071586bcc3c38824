//! One layer of a model on one rank: its kernels and transfers, forward and backward, and what it keeps.
//!
//! Under tensor parallelism a divided block stands between an all-gather and a reduce-scatter of the tokens, forward and backward
//! (Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models", section 4.2.2). Its input is kept as the
//! rank's part alone and gathered again in the backward pass, beside the product that makes the gradient of that input.

use super::backward::{Products, again_time};
use super::experts::{HandledTokens, routed_block};
use super::framework::{LayerPart, host_time};
use super::saved_activations::kept;
use crate::execution::{Communication, Exchange, Resource, Stage};
use crate::input::document::{Attention, ExpertPlacement, Experts, Ffn, HostCosts, LayerGroup, Model, Precisions};
use crate::network::{ExpertTraffic, Op};
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::{
    AttentionBatch, Device, ExpertLoad, Operator, StreamWork, Work, attention_weights, dense_block, expert_weights, ffn_weights, gate, kernel,
    layer_attention, shared_block, totals,
};

/// Workload and machine of a training step.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// Transfers.
    pub communication: Communication<'a>,
    /// One rank.
    pub device: Device,
    /// The model.
    pub model: &'a Model,
    /// Formats.
    pub precisions: Precisions,
    /// Whether tokens reach their experts by the library's all-to-all.
    pub all_to_all: bool,
    /// Whether each routed expert's result gets a bias.
    pub expert_biases: bool,
    /// Whether gathers and scatters around a divided block run in chunks beside the adjacent products.
    pub chunked_tensor: bool,
    /// Copies and balance of experts.
    pub placement: ExpertPlacement,
    /// Tokens of a sequence.
    pub sequence: f64,
    /// Bytes of a parameter's gradient.
    pub gradient_bytes: f64,
    /// Host time of the framework; zero if absent.
    pub host: Option<HostCosts>,
}

/// Equal layers on one rank, for one micro-batch.
#[derive(Clone, Debug)]
pub struct TrainingLayer {
    /// Layers of this kind in the model.
    pub count: u32,
    /// Forward kernels.
    pub operators: Vec<Operator>,
    /// Forward, in order.
    pub forward: Vec<Stage>,
    /// Backward, in order; without recomputation.
    pub backward: Vec<Stage>,
    /// Norms, activation functions and expansions of latent attention alone, run again.
    pub pointwise: Seconds,
    /// Host time to start its kernels, forward and backward.
    pub host: [Seconds; 2],
    /// Transfers, forward and backward, that run beside a product of the same block.
    pub beside: [Seconds; 2],
    /// Sent by one rank forward, and backward.
    pub sent: [Bytes; 2],
    /// Bytes kept from forward for backward: in full, and without what is computed again without whole layers.
    pub kept: [Bytes; 2],
    /// The layer's input alone.
    pub input: Bytes,
    /// Parameters on the rank that every data-parallel rank has too.
    pub parameters: f64,
    /// Parameters of its routed experts.
    pub expert_parameters: f64,
}

/// Operations that the model itself asks for, for one token, forward and backward: three times the forward matrices and attention over
/// the tokens before it. Without recomputation and padding, as in Narayanan et al. 2021, but with causal attention counted once.
#[must_use]
pub fn model_flop_per_token(model: &Model, precisions: &Precisions, sequence: f64) -> Flop {
    let batch = [whole_sequences(1.0, sequence)];
    let attention = |group: &LayerGroup| -> f64 {
        let block = layer_attention(&group.attention, model.hidden, precisions, 1, &batch);
        let over_context = block.iter().filter(|operator| operator.work.over_context());
        over_context.map(|operator| operator.work.flop().get()).sum::<f64>() * f64::from(group.count) / sequence
    };
    let attention: f64 = model.layer.iter().map(attention).sum();
    (totals(model, precisions).flop_per_token + Flop::new(attention)) * 3.0
}

/// A token sees half of the sequence on average.
fn whole_sequences(sequences: f64, sequence: f64) -> AttentionBatch {
    AttentionBatch { sequences, new_tokens: sequence, context: sequence / 2.0, prefill: true }
}

/// Part of `time` that `product` does not hide.
pub(super) fn less(time: Seconds, product: Seconds) -> Seconds {
    (time - product).max(Seconds::ZERO)
}

/// What nothing hides of a gather or scatter among `ranks` that goes in as many chunks beside a product, each rank's own chunk first or
/// last: of `max(g, x + g/n, x/(n-1) + g (n-1)/n)` the part beyond the product (Wang et al. 2023, "Overlap Communication with Dependent
/// Computation via Decomposition in Large Deep Learning Models").
fn exposed_in_chunks(time: Seconds, product: Seconds, ranks: f64) -> Seconds {
    less(time, product * ((ranks - 1.0) / ranks)).max(less(time / (ranks - 1.0), product / ranks))
}

fn transfer(name: &'static str, time: Seconds) -> Stage {
    Stage { name, resource: Resource::Fabric, time }
}

/// The stages of a layer while they are put together: backward in the order of forward.
#[derive(Default)]
struct Stages {
    forward: Vec<Stage>,
    backward: Vec<Stage>,
    beside: [Seconds; 2],
    sent: [Bytes; 2],
}

impl Stages {
    fn push(&mut self, [ahead, back]: [Stage; 2]) {
        self.forward.push(ahead);
        self.backward.push(back);
    }
}

impl<'a> Task<'a> {
    /// The same with sequences of another length.
    #[must_use]
    pub fn with_sequence(&self, sequence: f64) -> Task<'a> {
        Task { sequence, ..self.clone() }
    }

    /// The same with the cores at a lower clock, given as a fraction of the highest.
    #[must_use]
    pub fn at_clock(&self, share: f64) -> Task<'a> {
        Task { device: self.device.at_clock(share), ..self.clone() }
    }

    /// Whether the transfers of a group of `ranks` are known.
    #[must_use]
    pub fn has_group(&self, ranks: u32) -> bool {
        ranks.div_ceil(self.communication.network().fabric().chip.ranks) <= self.communication.network().fabric().chips
    }

    /// Every kind of layer under `[tp, cp, ep, sequences of a micro-batch]`.
    #[must_use]
    pub fn layers(&self, [tp, cp, ep, sequences]: [u32; 4]) -> Vec<TrainingLayer> {
        self.model.layer.iter().map(|group| self.layer(group, [tp, cp, ep], f64::from(sequences))).collect()
    }

    fn compute(name: &'static str, time: Seconds) -> Stage {
        Stage { name, resource: Resource::Compute, time }
    }

    /// Forward and backward of the same kernels.
    fn both(&self, name: &'static str, operators: &[Operator]) -> [Stage; 2] {
        let ahead = operators.iter().map(|operator| kernel::time(&self.device, operator)).sum();
        let back = operators.iter().map(|operator| kernel::undone_time(&self.device, operator, self.gradient_bytes)).sum();
        [Self::compute(name, ahead), Self::compute(name, back)]
    }

    /// A block whose weights the ranks of a TP group share, between gathering and scattering `stream` bytes of tokens.
    fn divided(&self, stages: &mut Stages, name: &'static str, operators: &[Operator], tp: u32, stream: Bytes) {
        let split = f64::from(tp);
        if tp < 2 {
            stages.push(self.both(name, operators));
            return;
        }
        // A gather and a scatter of the same tokens; backward each takes the other's place.
        let [gathering, scattering] = [Op::AllGather, Op::ReduceScatter].map(|op| self.communication.collective(op, tp, stream));
        let once = stream * ((split - 1.0) / split);
        stages.sent[0] += once * 2.0;
        stages.sent[1] += once * 3.0;
        let products = Products::new(&self.device, operators, self.gradient_bytes);
        let in_chunks = |time: Seconds, product: Seconds| if self.chunked_tensor { exposed_in_chunks(time, product, split) } else { time };
        let gather = [in_chunks(gathering, products.first), in_chunks(gathering, products.last_input_gradient)];
        // Backward, sums go while the first product's weights get their gradient.
        let beside_gradient = if self.chunked_tensor { less(scattering, products.weight_gradient) } else { scattering };
        let scatter = [in_chunks(scattering, products.last), beside_gradient];
        // The input is gathered again beside the product that makes its gradient.
        let again = less(gathering, products.input_gradient);
        stages.push([transfer("all-gather", gather[0]), transfer("reduce-scatter", scatter[1])]);
        stages.backward.push(transfer("all-gather of the input", again));
        stages.push(self.both(name, operators));
        stages.push([transfer("reduce-scatter", scatter[0]), transfer("all-gather", gather[1])]);
        stages.beside[0] += gathering + scattering - gather[0] - scatter[0];
        stages.beside[1] += gathering * 2.0 + scattering - gather[1] - scatter[1] - again;
    }

    /// Ranks that share a sequence send each other keys and values part by part, beside the attention over the part that has arrived (Liu, Zaharia
    /// and Abbeel 2023, "Ring Attention"). Backward they send keys and values again, and return their gradients, which are equally large.
    fn keys_and_values(&self, stages: &mut Stages, attention: &[Operator], [tp, cp]: [u32; 2]) {
        if cp < 2 {
            return;
        }
        let over_context = |operator: &&Operator| operator.work.over_context();
        let sent = attention.iter().map(|operator| operator.work.keys_and_values(self.sequence)).sum::<Bytes>() * (f64::from(cp - 1) / f64::from(cp));
        let time = self.communication.all_to_all(tp * cp, sent / f64::from(tp * cp - 1));
        let share = f64::from(cp - 1) / f64::from(cp);
        let ahead: Seconds = attention.iter().filter(over_context).map(|operator| kernel::time(&self.device, operator)).sum();
        let back: Seconds =
            attention.iter().filter(over_context).map(|operator| kernel::undone_time(&self.device, operator, self.gradient_bytes)).sum();
        let exposed = [less(time, ahead * share), less(time * 2.0, back * share)];
        stages.push(exposed.map(|time| transfer("keys and values", time)));
        stages.beside[0] += time - exposed[0];
        stages.beside[1] += time * 2.0 - exposed[1];
        stages.sent[0] += sent;
        stages.sent[1] += sent * 2.0;
    }

    /// Dispatch, or combine, of a token's `message` bytes by the library's kernels for many tokens; or the all-to-all of every copy. With the
    /// bytes that a rank sends.
    fn exchange(&self, traffic: &ExpertTraffic, back: bool) -> (Seconds, Bytes) {
        let communication = &self.communication;
        if self.all_to_all {
            let pair = traffic.message * (traffic.tokens * traffic.copies / f64::from(traffic.ranks));
            return (communication.all_to_all(traffic.ranks, pair * traffic.imbalance), pair * f64::from(traffic.ranks - 1));
        }
        let Exchange { time, sent } = if back { communication.combine(traffic, true) } else { communication.dispatch(traffic, true) };
        (time, sent)
    }

    /// The experts of a layer, `own` tokens a rank: the gate with the shared experts, and the routed ones between their exchanges.
    fn experts(&self, stages: &mut Stages, experts: &Experts, ep: u32, own: f64) -> [Vec<Operator>; 2] {
        let model = self.model;
        let mut before = gate(model, experts, &self.precisions, own);
        if experts.shared > 0 {
            before.extend(shared_block(model, experts, &self.precisions, 1, own));
        }
        stages.push(self.both("gate and shared experts", &before));
        let load = ExpertLoad::new(experts, &self.placement, ep, own);
        let framework = HandledTokens { sorted_again: self.all_to_all && ep > 1, biases: self.expert_biases };
        let routed = routed_block(model, experts, &self.placement, &self.precisions, &load, framework);
        let within = self.both("routed experts", &routed);
        if ep < 2 {
            stages.push(within);
            return [before, routed];
        }
        // Backward, gradients go out to the experts as tokens did, and come back as results did; results go out in 16 bit.
        let traffic = |bytes: f64| ExpertTraffic {
            ranks: ep,
            tokens: own,
            copies: load.copies,
            message: Bytes::new(f64::from(experts.stream(model.hidden)) * bytes),
            imbalance: load.imbalance,
            routed: f64::from(experts.routed + self.placement.redundant),
        };
        let [out, home] = [self.precisions.dispatch, self.precisions.combine].map(|format| traffic(format.activation_bytes()));
        let ((out, sent), (home, returned)) = (self.exchange(&out, false), self.exchange(&home, true));
        stages.sent.iter_mut().for_each(|bytes| *bytes += sent + returned);
        stages.push([transfer("dispatch", out), transfer("combine", home)]);
        stages.push(within);
        stages.push([transfer("combine", home), transfer("dispatch", out)]);
        [before, routed]
    }

    fn layer(&self, group: &LayerGroup, [tp, cp, ep]: [u32; 3], sequences: f64) -> TrainingLayer {
        let (model, split) = (self.model, f64::from(tp));
        let hidden = f64::from(model.hidden);
        let tokens = sequences * self.sequence / f64::from(cp);
        let batch = [AttentionBatch { new_tokens: self.sequence / f64::from(cp), ..whole_sequences(sequences, self.sequence) }];
        let attention = in_sequence_parts(layer_attention(&group.attention, model.hidden, &self.precisions, tp, &batch), split);
        let stream = Bytes::new(tokens * hidden * 2.0);
        let mut stages = Stages::default();
        if *group.attention != Attention::None {
            self.keys_and_values(&mut stages, &attention, [tp, cp]);
            self.divided(&mut stages, "attention", &attention, tp, stream);
        }
        let mut operators = attention;
        let (stored, _) = ffn_weights(&group.ffn, model.hidden);
        let mut parameters = attention_weights(&group.attention, model.hidden) / split;
        let mut expert_parameters = 0.0;
        let mut host = host_time(self.host.as_ref(), &operators, LayerPart::Fixed);
        let mut started = |operators: &[Operator], part: LayerPart| {
            host.iter_mut().zip(host_time(self.host.as_ref(), operators, part)).for_each(|(sum, time)| *sum += time);
        };
        match &group.ffn {
            Ffn::None => {}
            Ffn::Dense(dense) => {
                let block = in_sequence_parts(dense_block(model, dense, &self.precisions, tp, tokens), split);
                self.divided(&mut stages, "dense", &block, tp, stream);
                parameters += stored / split;
                started(&block, LayerPart::Fixed);
                operators.extend(block);
            }
            Ffn::Experts(experts) => {
                let [before, routed] = self.experts(&mut stages, experts, ep, tokens / split);
                let all = f64::from(experts.routed) * expert_weights(&group.ffn, model.hidden);
                parameters += stored - all;
                expert_parameters = all / f64::from(ep);
                started(&before, LayerPart::Fixed);
                started(&routed, LayerPart::Routed);
                operators.extend(before);
                operators.extend(routed);
            }
        }
        stages.backward.reverse();
        let kept = kept(&operators, hidden, tokens, split, self.sequence / f64::from(cp), self.precisions.weights);
        let pointwise = again_time(&self.device, &operators);
        let Stages { forward, backward, beside, sent } = stages;
        TrainingLayer {
            count: group.count,
            operators,
            forward,
            backward,
            pointwise,
            host,
            beside,
            sent,
            kept,
            input: stream / split,
            parameters,
            expert_parameters,
        }
    }
}

/// Norms around a divided block work on the rank's part of the sequence.
fn in_sequence_parts(mut block: Vec<Operator>, tp: f64) -> Vec<Operator> {
    for operator in block.iter_mut().filter(|operator| operator.name == "norm") {
        if let Work::Stream(StreamWork { bytes }) = &mut operator.work {
            *bytes = *bytes / tp;
        }
    }
    block
}

/// Seconds of the stages on one resource.
pub(super) fn busy(stages: &[Stage], resource: Resource) -> Seconds {
    stages.iter().filter(|stage| stage.resource == resource).map(|stage| stage.time).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight ranks and a product of 8 s, so 7 s of it run beside the transfers: seven chunks of 1 s or half a second are hidden, and of seven chunks of
    /// 2 s, 14 s together, 7 s remain. Without a product nothing is hidden.
    #[test]
    fn chunks_hide_beside_a_product() {
        let exposed = |time, product| exposed_in_chunks(Seconds::new(time), Seconds::new(product), 8.0).get();
        assert_eq!([exposed(7.0, 8.0), exposed(14.0, 8.0), exposed(3.5, 8.0), exposed(7.0, 0.0)], [0.0, 7.0, 0.0, 7.0]);
    }
}
