//! Predictions beside published figures of the same machine.

use std::sync::Arc;

use super::simulate::machine;
use crate::fabric::Fabric;
use crate::input::catalog::{Mention, find};
use crate::input::document::{Case, DecodeFigure, DecodePhase, Precision, Predict, PrefillFigure, PublishedFile, Way};
use crate::input::problem::Problems;
use crate::input::read::read;
use crate::input::spec::{Spec, WorkloadSpec, load_workload};
use crate::network::{ExpertTraffic, Network};
use crate::serving::{DecodePoint, Machine, Mapping, PrefillPoint, decode_at, prefill_at};
use crate::units::Bytes;
use crate::workload::{AttentionBatch, Work, attention_block, kernel};

/// Published measurements with the workload of their serving cases.
#[derive(Clone, Debug)]
pub struct Published {
    /// Workload.
    pub workload: WorkloadSpec,
    /// Measurements.
    pub cases: Vec<Case>,
}

impl Published {
    /// Reads the measurements that `name` means.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn load(name: &str) -> Result<Self, Problems> {
        let found = find::<PublishedFile>(name, &Mention::on_command_line())?;
        let ((workload, cases), _) = read::<PublishedFile>(&Arc::clone(&found.source))?;
        Ok(Self { workload: load_workload(&workload)?, cases })
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Its id.
    pub id: String,
    /// What was measured.
    pub quantity: String,
    /// Unit of both figures.
    pub unit: String,
    /// Measured; a range has two ends.
    pub measured: (f64, Option<f64>),
    /// Predicted, or why not.
    pub predicted: Result<f64, String>,
}

impl Comparison {
    /// Predicted over measured, less one; zero inside a published range. `None` if not predicted.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        let predicted = self.predicted.as_ref().ok()?;
        let (low, high) = (self.measured.0, self.measured.1.unwrap_or(self.measured.0));
        Some(if *predicted < low {
            predicted / low - 1.0
        } else if *predicted > high {
            predicted / high - 1.0
        } else {
            0.0
        })
    }
}

/// Predicts every case on the machine they were measured on.
#[must_use]
pub fn compare_published(spec: &Spec, fabric: &Fabric, published: &Published) -> Vec<Comparison> {
    let network = Network::new(fabric);
    let groups: Vec<Mapping> = published.cases.iter().filter_map(|case| group(&case.predict, fabric.chip.ranks)).collect();
    let machine = machine(&network, spec, &published.workload, &groups);
    published
        .cases
        .iter()
        .map(|case| Comparison {
            id: case.id.clone(),
            quantity: case.quantity.clone(),
            unit: case.unit.clone(),
            measured: (case.value, case.to),
            predicted: predict(&machine, &case.predict),
        })
        .collect()
}

fn instance(chips: u32, ranks_per_chip: u32) -> Mapping {
    let ranks = chips * ranks_per_chip;
    Mapping { tp: 1, ep: ranks, dp: ranks, pp: 1 }
}

/// The group of ranks whose traffic a case needs.
fn group(predict: &Predict, ranks_per_chip: u32) -> Option<Mapping> {
    match predict {
        Predict::Decode { chips, .. } | Predict::Prefill { chips, .. } => Some(instance(*chips, ranks_per_chip)),
        Predict::Exchange { ranks, .. } => Some(Mapping { tp: 1, ep: *ranks, dp: *ranks, pp: 1 }),
        _ => None,
    }
}

fn predict(machine: &Machine<'_>, predict: &Predict) -> Result<f64, String> {
    let network = machine.communication.network();
    let fabric = network.fabric();
    match predict {
        Predict::Decode { chips, batch, context, mtp, micro_batches, of } => {
            let phase = machine.workload.workload.decode.as_ref().ok_or("the workload has no decode phase")?;
            let mapping = instance(*chips, fabric.chip.ranks);
            let at = |mtp: bool, micro_batches: u32| decode(machine, phase, mapping, *batch, *context, mtp, micro_batches);
            let point = at(*mtp, *micro_batches);
            let per_chip = |point: &DecodePoint| point.rate.get() / f64::from(*chips);
            Ok(match of {
                DecodeFigure::Throughput => per_chip(&point),
                DecodeFigure::Tpot => point.tpot.get() * 1e3,
                DecodeFigure::Layer => point.step.layer.microseconds(),
                DecodeFigure::OverlapGain => (per_chip(&point) / per_chip(&at(*mtp, 1)) - 1.0) * 100.0,
                DecodeFigure::LayerReduction => (1.0 - point.step.layer / at(*mtp, 1).step.layer) * 100.0,
                DecodeFigure::SpeculationGain => (per_chip(&point) / per_chip(&at(false, *micro_batches)) - 1.0) * 100.0,
            })
        }
        Predict::Prefill { chips, tokens, micro_batches, of } => {
            let phase = machine.workload.workload.prefill.as_ref().ok_or("the workload has no prefill phase")?;
            let prompts = f64::from(*tokens) / f64::from(fabric.chip.ranks) / f64::from(*phase.prompt);
            let mapping = instance(*chips, fabric.chip.ranks);
            let at = |micro_batches: u32| prefill_at(machine, phase, mapping, prompts, micro_batches).map_err(|no| no.to_string());
            let per_chip = |point: &PrefillPoint| point.rate.get() / f64::from(*chips);
            let point = at(*micro_batches)?;
            Ok(match of {
                PrefillFigure::Throughput => per_chip(&point),
                PrefillFigure::OverlapGain => (per_chip(&point) / per_chip(&at(1)?) - 1.0) * 100.0,
            })
        }
        Predict::Exchange { ranks, tokens, way, bulk, latency } => exchange(machine, *ranks, *tokens, *way, *bulk, *latency),
        Predict::Mla { sequences, queries, context, memory } => mla(machine, *sequences, *queries, *context, *memory),
        Predict::Gemm { groups, rows, columns, depth, memory } => {
            let precision = machine.workload.workload.precision.weights;
            let [batch, rows, columns, depth] = [groups, rows, columns, depth].map(|count| f64::from(*count));
            let work = Work::Gemm { batch, rows, columns, depth, precision };
            // The published figures are of the multiplication alone: quantisation is a kernel of its own there.
            let mut device = machine.device.clone();
            device.kernels.gemm.values_mut().for_each(|kernel| kernel.quantise_bytes = 0.0);
            let time = device.kernels.launch.value + kernel::gemm_time(&device, batch, rows, columns, depth, precision);
            Ok(if *memory {
                work.bytes() / time / crate::units::BytesPerSecond::new(1e9)
            } else {
                work.flop() / time / device.peak(precision) * 100.0
            })
        }
        Predict::Oversubscription {} => oversubscription(network),
        Predict::NodeBoundary {} => {
            let (near, far) = neighbours(network)?;
            Ok((network.pair(0, far).latency - network.pair(0, near).latency).microseconds())
        }
        Predict::NodeLoss {} => {
            let (near, far) = neighbours(network)?;
            let long = Bytes::new(1e9);
            let time = |other: u32| network.pair(0, other).serialisation(fabric, long, long).0;
            Ok((1.0 - time(near) / time(far)) * 100.0)
        }
        Predict::Not { because } => Err(because.clone()),
    }
}

fn decode(machine: &Machine<'_>, phase: &DecodePhase, mapping: Mapping, batch: u32, context: u32, mtp: bool, micro_batches: u32) -> DecodePoint {
    let mut phase = phase.clone();
    phase.context.set(context);
    if !mtp {
        phase.speculation = None;
    }
    let sequences = batch / machine.communication.network().fabric().chip.ranks;
    decode_at(machine, &phase, mapping, sequences, micro_batches)
}

/// Latency, or bandwidth a rank as the papers print it: all copies of all tokens, local ones counted, over the latency.
fn exchange(machine: &Machine<'_>, ranks: u32, tokens: u32, way: Way, bulk: bool, latency: bool) -> Result<f64, String> {
    let model = &machine.workload.model;
    let experts = model.experts().ok_or("the model has no experts")?;
    let precision = machine.workload.workload.precision;
    let communication = &machine.communication;
    let (format, kernel) = match way {
        Way::Dispatch => (precision.dispatch, communication.dispatch_kernel(bulk)),
        Way::Combine => (precision.combine, communication.combine_kernel(bulk)),
    };
    let traffic = ExpertTraffic {
        ranks,
        tokens: f64::from(tokens),
        copies: f64::from(experts.top_k),
        message: Bytes::new(f64::from(model.hidden) * format.activation_bytes()),
        imbalance: 1.0,
    };
    let time = match way {
        Way::Dispatch => communication.dispatch(&traffic, bulk),
        Way::Combine => communication.combine(&traffic, bulk),
    };
    let copies = f64::from(tokens) * f64::from(experts.top_k);
    let moved = (traffic.message + kernel.message_overhead.value) * copies;
    Ok(if latency { time.microseconds() } else { (moved / time).get() / 1e9 })
}

fn mla(machine: &Machine<'_>, sequences: u32, queries: u32, context: u32, memory: bool) -> Result<f64, String> {
    let precisions = &machine.workload.workload.precision;
    let batch = AttentionBatch { sequences: f64::from(sequences), new_tokens: f64::from(queries), context: f64::from(context), prefill: false };
    let operators = attention_block(&machine.workload.model, precisions, 1, &batch);
    let attention = operators.iter().find(|operator| matches!(operator.work, Work::Attention { .. })).ok_or("no attention kernel")?;
    let time = kernel::attention_time(&machine.device, &attention.work);
    Ok(if memory {
        attention.work.bytes() / time / machine.device.memory_bandwidth * 100.0
    } else {
        attention.work.flop() / time / machine.device.peak(Precision::Bf16) * 100.0
    })
}

/// Capacity from chips to the first switches over capacity from those to the next tier.
fn oversubscription(network: &Network<'_>) -> Result<f64, String> {
    let fabric = network.fabric();
    let capacity = |level: u8, from_chips: bool| -> f64 {
        let edges = fabric.graph.edge_references().filter(|edge| {
            use petgraph::visit::EdgeRef;
            let is_chip = matches!(fabric.graph[edge.source()].endpoint, crate::fabric::Endpoint::Chip);
            edge.weight().level == level && (is_chip || !from_chips)
        });
        edges
            .map(|edge| {
                let link = &fabric.links[edge.weight().link as usize].link;
                f64::from(edge.weight().count) * f64::from(link.lanes) * link.lane_rate.value.get()
            })
            .sum()
    };
    let upper = capacity(1, false);
    if upper > 0.0 { Ok(capacity(0, true) / upper) } else { Err("one tier only".into()) }
}

/// A chip in the node of chip 0 and one in another node.
fn neighbours(network: &Network<'_>) -> Result<(u32, u32), String> {
    let fabric = network.fabric();
    let node = fabric.level_sizes[0];
    if node > 1 && node < fabric.chips { Ok((1, node)) } else { Err("one level only".into()) }
}
