//! What one pass of a model over one batch consists of: the operators and transfers of one micro-batch in every layer, before anybody
//! says which cores they run on.

use std::rc::Rc;

use super::communication::{Communication, Exchange};
use super::host::run_by;
use super::mapping::Mapping;
use super::shape::StepShape;
use crate::input::document::{Attention, Chip, ExpertPlacement, Experts, Ffn, LayerGroup, Library, Model, Precision};
use crate::input::spec::WorkloadSpec;
use crate::network::{AfdTraffic, ExpertTraffic, Network, Op};
use crate::units::{Bytes, Seconds};
use crate::workload::{
    AttentionBatch, Device, ExpertLoad, Operator, dense_block, expert_block, expert_slots, gate, head, sequence_exchange, shared_block,
    split_attention,
};

/// A machine ready to run one workload.
#[derive(Debug)]
pub struct Machine<'a> {
    /// Transfers.
    pub communication: Communication<'a>,
    /// One rank.
    pub device: Device,
    /// The model and how it is stored.
    pub workload: &'a WorkloadSpec,
}

impl<'a> Machine<'a> {
    /// The machine of `network` with this library and chip, run by the workload's engine if it has one.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library, chip: &Chip, workload: &'a WorkloadSpec) -> Self {
        let mut device = Device::new(chip);
        if let Some(deployed) = &workload.engine {
            run_by(&mut device, &deployed.engine);
        }
        Self { communication: Communication::new(network, library).in_graph(), device, workload }
    }
}

/// Equal layers, and one micro-batch's work in one of them.
#[derive(Debug)]
pub(super) struct EqualLayers {
    /// Layers that follow each other.
    pub count: u32,
    /// Of the last group: further passes through one such layer for draft tokens.
    pub drafts: u32,
    /// Shared with the group before if that has the same.
    pub attention: Rc<Vec<Operator>>,
    /// Exchanges before and after attention among ranks that share sequences.
    pub exchange: Option<Transfer>,
    /// All-reduces after attention and after the block that follows it, where ranks of one TP group make parts of the same sums.
    pub reduces: [Option<Transfer>; 2],
    pub block: FeedForward,
}

impl EqualLayers {
    /// Bytes that one rank sends per layer and micro-batch, averaged over all ranks. `attention` and `experts` are the fractions of ranks of each
    /// kind.
    pub fn sent(&self, [attention, experts]: [f64; 2]) -> Bytes {
        let [reduced, dense] = self.reduces.map(|reduce| reduce.map_or(Bytes::ZERO, |reduce| reduce.sent));
        let shared = self.exchange.map_or(Bytes::ZERO, |exchange| exchange.sent);
        match &self.block {
            FeedForward::Dense(_) => (shared + reduced + dense) * attention,
            FeedForward::Experts { exchange, .. } => (shared + reduced + exchange.iter().flatten().map(|transfer| transfer.sent).sum()) * attention,
            FeedForward::Apart { exchange: [dispatch, combine], .. } => (shared + reduced + dispatch.sent) * attention + combine.sent * experts,
        }
    }

    /// Dispatch and combine together.
    pub fn exchanged(&self) -> Seconds {
        match &self.block {
            FeedForward::Experts { exchange: Some([dispatch, combine]), .. } | FeedForward::Apart { exchange: [dispatch, combine], .. } => {
                dispatch.time + combine.time
            }
            _ => Seconds::ZERO,
        }
    }
}

/// A transfer among all ranks, and the bytes that one of them sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub time: Seconds,
    pub sent: Bytes,
}

/// Feed-forward block of a layer.
#[derive(Debug)]
pub(super) enum FeedForward {
    Dense(Vec<Operator>),
    Experts {
        /// Norm, router; shared experts too where no tokens are dispatched.
        gate: Vec<Operator>,
        /// Shared experts, which need nothing that dispatch brings.
        shared: Vec<Operator>,
        routed: [Operator; 1],
        /// Dispatch and combine; absent when all experts are on one rank.
        exchange: Option<[Transfer; 2]>,
    },
    /// Experts on ranks of their own.
    Apart {
        /// Norm, router and projections for a narrower stream: on the ranks of attention groups.
        gate: Vec<Operator>,
        /// Shared and routed experts.
        experts: Vec<Operator>,
        /// Transfers to the experts and back, with the bytes that one sending rank sends.
        exchange: [Transfer; 2],
    },
}

/// Operators and transfers of a pass.
#[derive(Debug)]
pub(super) struct Pass {
    pub layers: Vec<EqualLayers>,
    pub head: Vec<Operator>,
    /// Times that the head runs.
    pub heads: f64,
    /// Launches of the captured graphs.
    pub launches: Seconds,
    /// Handing the residual stream from stage to stage of the pipeline, and the bytes that one rank sends for it.
    pub handovers: (Seconds, Bytes),
    pub micro_batches: u32,
    /// Fractions of the ranks that are attention ranks and expert ranks. Both are 1 if the two share ranks.
    pub shares: [f64; 2],
}

impl Pass {
    /// A pass of the workload's model, or of its draft, on the machine.
    pub fn new(machine: &Machine<'_>, workload: &WorkloadSpec, shape: &StepShape) -> Self {
        let both = [shape.batch, shape.chunk.unwrap_or(shape.batch)].map(|batch| batch.part(shape.micro_batches));
        let parts = if shape.chunk.is_some() { &both[..] } else { &both[..1] };
        let tokens = parts.iter().map(AttentionBatch::tokens).sum();
        let part = MicroBatch { machine, workload, shape, parts, tokens };
        let model = &workload.model;
        let last = model.layer.len().saturating_sub(1);
        let own_drafts = shape.own_drafts(workload);
        let drafts = |index: usize| if index == last { own_drafts } else { 0 };
        let mut layers: Vec<EqualLayers> = Vec::with_capacity(model.layer.len());
        for (index, group) in model.layer.iter().enumerate() {
            // Groups of layers often differ in what follows attention only.
            let known = index.checked_sub(1).filter(|before| *model.layer[*before].attention == *group.attention);
            let attention = known.map_or_else(|| Rc::new(part.attention(group)), |before| Rc::clone(&layers[before].attention));
            layers.push(part.layers(group, attention, drafts(index)));
        }
        Self {
            layers,
            head: head(model, shape.mapping.tp, shape.sampled / f64::from(shape.mapping.sp)),
            heads: f64::from(1 + own_drafts),
            launches: machine.device.kernels.graph_launch.value * f64::from(1 + own_drafts),
            handovers: part.handovers(),
            micro_batches: shape.micro_batches,
            shares: shape.mapping.shares(),
        }
    }

    /// Operators with the times that each runs in the pass, on a rank that is of an attention group and one that holds experts to these
    /// shares.
    pub fn operators(&self, [attention, experts]: [f64; 2]) -> impl Iterator<Item = (&Operator, f64)> {
        let layers = self.layers.iter().flat_map(move |layers| {
            let times = self.times(layers);
            let (first, beside, second): (&[Operator], &[Operator], &[Operator]) = match &layers.block {
                FeedForward::Dense(block) => (block, &[], &[]),
                FeedForward::Experts { gate, shared, routed, .. } => (gate, shared, routed),
                FeedForward::Apart { gate, experts, .. } => (gate, &[], experts),
            };
            let (here, there) = (times * attention, times * experts);
            let mine = layers.attention.iter().chain(first).chain(beside).map(move |operator| (operator, here));
            mine.chain(second.iter().map(move |operator| (operator, there)))
        });
        layers.chain(self.head.iter().map(move |operator| (operator, self.heads * attention)))
    }

    /// Kernels and transfers that the hosts of all `stages` of a pipeline start in a pass, or operators in the place of kernels if the model is
    /// `compiled`. A handover to the next stage is a send and a receipt.
    pub fn launched(&self, stages: u32, compiled: bool) -> f64 {
        let transfers = |layers: &EqualLayers| {
            let reduces = layers.reduces.iter().flatten().count();
            let experts = if matches!(&layers.block, FeedForward::Experts { exchange: Some(_), .. } | FeedForward::Apart { .. }) { 2 } else { 0 };
            reduces + experts + if layers.exchange.is_some() { 2 } else { 0 }
        };
        let started = |operator: &Operator| if compiled { 1 } else { operator.work.kernels() };
        let kernels: f64 = self.operators([1.0; 2]).map(|(operator, times)| f64::from(started(operator)) * times).sum();
        let handovers = 2.0 * f64::from(stages - 1) * f64::from(self.micro_batches);
        kernels + handovers + self.layers.iter().map(|layers| self.times(layers) * transfers(layers) as f64).sum::<f64>()
    }

    /// Times that a micro-batch passes through layers of this group.
    pub fn times(&self, layers: &EqualLayers) -> f64 {
        f64::from(self.micro_batches) * f64::from(layers.count + layers.drafts)
    }
}

/// One micro-batch on its way through the model.
struct MicroBatch<'a> {
    machine: &'a Machine<'a>,
    workload: &'a WorkloadSpec,
    shape: &'a StepShape,
    /// The attention group's batch and the chunk read beside it.
    parts: &'a [AttentionBatch],
    /// New tokens.
    tokens: f64,
}

impl<'a> MicroBatch<'a> {
    fn model(&self) -> &'a Model {
        &self.workload.model
    }

    fn attention(&self, group: &LayerGroup) -> Vec<Operator> {
        let precisions = &self.workload.workload.precision;
        let Mapping { tp, sp, .. } = self.shape.mapping;
        split_attention(&group.attention, self.model().hidden, precisions, [tp, sp], self.parts)
    }

    fn layers(&self, group: &LayerGroup, attention: Rc<Vec<Operator>>, drafts: u32) -> EqualLayers {
        let precisions = &self.workload.workload.precision;
        let tp = self.shape.mapping.tp;
        let exchange = self.sequence_exchange(&group.attention);
        let reduce = (tp > 1).then(|| {
            let time = self.machine.communication.collective(Op::AllReduce, tp, self.stream_bytes());
            Transfer { time, sent: self.reduced_bytes() }
        });
        let block = match &group.ffn {
            Ffn::Dense(dense) => FeedForward::Dense(dense_block(self.model(), dense, precisions, tp, self.own_tokens())),
            Ffn::None => FeedForward::Dense(Vec::new()),
            Ffn::Experts(experts) => self.shape.mapping.ffn.map_or_else(|| self.expert_block(experts), |ranks| self.experts_apart(experts, ranks)),
        };
        let divided = match &group.ffn {
            Ffn::None => false,
            Ffn::Dense(_) => true,
            Ffn::Experts(_) => self.shape.mapping.tokens_on_every_rank(),
        };
        let reduces = [*group.attention != Attention::None, divided].map(|present| reduce.filter(|_| present));
        EqualLayers { count: group.count, drafts, attention, exchange, reduces, block }
    }

    /// Experts of one layer.
    fn expert_block(&self, experts: &Experts) -> FeedForward {
        let workload = &self.machine.workload.workload;
        let model = self.model();
        let even = ExpertPlacement::even();
        let placement = workload.experts.as_ref().unwrap_or(&even);
        let mapping = self.shape.mapping;
        // After a divided attention block every rank of the TP group passes on its part of the tokens, or works on all of them.
        let everywhere = mapping.tokens_on_every_rank();
        let tokens = if everywhere { self.tokens } else { self.tokens / f64::from(mapping.group()) };
        let group_tokens = if everywhere { tokens } else { tokens * f64::from(mapping.ep) };
        let [all_full, load] = [1.0, self.shape.evenness]
            .map(|evenness| ExpertLoad::new(experts, placement, mapping.ep, group_tokens * evenness / f64::from(mapping.ep)));
        let mut gate = gate(model, experts, &workload.precision, tokens);
        let mut shared = Vec::new();
        if experts.shared > 0 && !expert_slots(experts, placement, mapping.ep).shared_on_own_ranks {
            shared.extend(shared_block(model, experts, &workload.precision, mapping.shared_expert_shares(), tokens));
        }
        let routed = [expert_block(model, experts, placement, &workload.precision, &load, mapping.expert_shares())];
        if mapping.ep == 1 || everywhere {
            gate.append(&mut shared);
            return FeedForward::Experts { gate, shared, routed, exchange: None };
        }
        let bulk = self.shape.bulk();
        let communication = &self.machine.communication;
        let traffic = |precision: Precision| ExpertTraffic {
            ranks: mapping.ep,
            tokens,
            copies: load.copies,
            message: Bytes::new(f64::from(experts.stream(model.hidden)) * precision.activation_bytes()),
            // The fullest group sets the pace of the exchange, whatever others send: as if all were as full.
            imbalance: all_full.imbalance,
            routed: f64::from(experts.routed + placement.redundant),
        };
        let (out, back) = (traffic(workload.precision.dispatch), traffic(workload.precision.combine));
        let exchanges = [communication.dispatch(&out, bulk), communication.combine(&back, bulk)];
        let exchange = exchanges.map(|Exchange { time, sent }| Transfer { time, sent });
        FeedForward::Experts { gate, shared, routed, exchange: Some(exchange) }
    }

    /// Experts of one layer on `ranks` ranks of their own. Shared experts are there too, a copy on each, every copy for an equal part of the
    /// tokens: a token is sent to one of them beside its routed ones, at the width of the residual stream.
    fn experts_apart(&self, experts: &Experts, ranks: u32) -> FeedForward {
        let WorkloadSpec { workload, model, .. } = self.workload;
        let even = ExpertPlacement::even();
        let placement = workload.experts.as_ref().unwrap_or(&even);
        let mapping = &self.shape.mapping;
        let tokens = self.tokens / f64::from(mapping.group());
        let full = tokens * f64::from(mapping.attention_ranks()) / f64::from(ranks);
        let arriving = full * self.shape.evenness;
        let [all_full, load] = [full, arriving].map(|arriving| ExpertLoad::new(experts, placement, ranks, arriving));
        let beside = experts.shared > 0 && !expert_slots(experts, placement, ranks).shared_on_own_ranks;
        let mut operators = Vec::with_capacity(4);
        if beside {
            operators.extend(shared_block(model, experts, &workload.precision, 1, arriving));
        }
        operators.push(expert_block(model, experts, placement, &workload.precision, &load, 1));
        let copies = load.copies + if beside { 1.0 } else { 0.0 };
        let routed = f64::from(experts.top_k) / copies;
        let width = routed * f64::from(experts.stream(model.hidden)) + (1.0 - routed) * f64::from(model.hidden);
        let traffic = |precision: Precision| AfdTraffic {
            attention: mapping.attention_ranks(),
            experts: ranks,
            tokens,
            copies,
            message: Bytes::new(width * precision.activation_bytes()),
            imbalance: all_full.imbalance,
            routed: f64::from(experts.routed + placement.redundant),
        };
        let (out, back) = (traffic(workload.precision.dispatch), traffic(workload.precision.combine));
        let communication = &self.machine.communication;
        let exchange = communication.afd_exchange(&out, &back).map(|Exchange { time, sent }| Transfer { time, sent });
        FeedForward::Apart { gate: gate(model, experts, &workload.precision, tokens), experts: operators, exchange }
    }

    /// Tokens of the ranks of one TP group: all, or their part of those that several such groups share.
    fn own_tokens(&self) -> f64 {
        self.tokens / f64::from(self.shape.mapping.sp)
    }

    /// Two exchanges among the ranks that share sequences, one before attention and one after it, and the bytes that one rank sends.
    /// Its peers stand `tp` ranks apart; the same bytes are spread over all ranks of the group, which stand together.
    fn sequence_exchange(&self, attention: &Attention) -> Option<Transfer> {
        let Mapping { tp, sp, .. } = self.shape.mapping;
        if sp < 2 {
            return None;
        }
        let group = self.shape.mapping.group();
        let mut pairs = [Bytes::ZERO; 2];
        for batch in self.parts {
            let [there, back] = sequence_exchange(attention, [tp, sp], batch);
            pairs = [pairs[0] + there, pairs[1] + back];
        }
        let sent = pairs.map(|pair| pair * f64::from(sp - 1));
        let time = sent.map(|bytes| self.machine.communication.all_to_all(group, bytes / f64::from(group - 1)));
        Some(Transfer { time: time[0] + time[1], sent: sent[0] + sent[1] })
    }

    /// The residual stream in 16 bit.
    fn stream_bytes(&self) -> Bytes {
        Bytes::new(self.own_tokens() * f64::from(self.model().hidden) * 2.0)
    }

    /// Bytes that one rank sends in an all-reduce of it.
    fn reduced_bytes(&self) -> Bytes {
        let tp = f64::from(self.shape.mapping.tp);
        self.stream_bytes() * (2.0 * (tp - 1.0) / tp)
    }

    /// Time in which the residual stream of the whole batch goes from stage to stage, and what one rank sends for it; a rank of a TP
    /// group passes on its part.
    fn handovers(&self) -> (Seconds, Bytes) {
        let mapping = self.shape.mapping;
        if mapping.pp < 2 {
            return (Seconds::ZERO, Bytes::ZERO);
        }
        let bytes = self.stream_bytes() * (f64::from(self.shape.micro_batches) / f64::from(mapping.tp));
        let times = f64::from(mapping.pp - 1);
        let time = self.machine.communication.collective(Op::Send, mapping.ranks(), bytes);
        (time * times, bytes * (times / f64::from(mapping.pp)))
    }
}
