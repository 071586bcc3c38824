//! A machine on the bench: everything that a prediction of one of its measurements needs.

use std::collections::BTreeMap;

use super::engine::Served;
use super::{fabric, operator, phase, power, serving, training, transfer};
use crate::input::cases::{Case, Unit};
use crate::input::catalog::Mention;
use crate::input::document::{Chip, Engine, Library, Model};
use crate::input::problem::suggest;
use crate::input::spec::{Spec, TrainingSpec, WorkloadSpec, load_engine, load_library, load_model, load_training, load_workload};
use crate::network::{Network, Pricing, Profile};
use crate::units::{BytesPerSecond, Joules, Seconds, TokensPerSecond, Watts};
use crate::workload::Device;

/// Predicts one measurement.
type Predict = fn(&mut Bench<'_>, &mut Pricing<'_>, &Case) -> Result<f64, String>;

/// Every quantity that a case may name, and what it is.
pub const QUANTITIES: [(&str, &str); 33] = [
    ("collective", "a call of the communication library, as nccl-tests times it"),
    ("captured_all_reduce", "an engine's all-reduce inside a captured graph"),
    ("exchange", "tokens to experts, or back"),
    ("gemm", "matrix multiplication with the quantisation of its input"),
    ("mla_decode", "attention kernel over a latent cache, one layer"),
    ("mla_module", "attention block over a latent cache with its projections, one layer"),
    ("gqa_decode", "attention kernel over grouped keys and values, one layer"),
    ("experts", "grouped multiplications of one rank's routed experts, one layer"),
    ("tpot", "time per output token of one decode instance"),
    ("decode_rate", "output tokens a second and chip"),
    ("decode_best", "output tokens a second and chip with the best mapping and batch within the workload's TPOT limit"),
    ("decode_layer", "one expert layer of a decode step, all micro-batches"),
    ("decode_overlap_gain", "output tokens gained by micro-batches"),
    ("decode_layer_saving", "layer time saved by micro-batches"),
    ("speculation_gain", "output tokens gained by speculation"),
    ("prefill_rate", "prompt tokens a second and chip"),
    ("prefill_overlap_gain", "prompt tokens gained by micro-batches"),
    ("prefix_gain", "prompts a second gained by a prefix cache in pooled host memory"),
    ("prefix_ttft_saving", "time to first token saved by it"),
    ("serving_tpot", "time per output token of an engine that prefills on the same chips"),
    ("serving_ttft", "time to first token of such an engine"),
    ("serving_gap", "median time between two tokens of a request of such an engine"),
    ("serving_rate", "output tokens a second of such an engine"),
    ("serving_power", "watts of its chips, without hosts and fabric"),
    ("serving_energy", "joules of its chips for an output token"),
    ("training_step", "a training step: its time, or tokens or model operations a second and chip, or their share of the peak"),
    ("training_layers", "forward and backward of some expert layers for one micro-batch"),
    ("training_power", "watts of the whole machine while it trains"),
    ("power", "watts of the whole machine at its racks, every part at its rating or waiting"),
    ("exchange_limit", "time per output token if nothing but the exchange took time"),
    ("oversubscription", "capacity towards the chips over capacity towards the next tier"),
    ("node_boundary", "one-way latency that a pair in different nodes has more than one in the same node"),
    ("node_loss", "bandwidth that a pair in different nodes has less"),
];

fn predictor(quantity: &str) -> Option<Predict> {
    Some(match quantity {
        "collective" => transfer::collective,
        "captured_all_reduce" => transfer::captured,
        "exchange" => transfer::exchange,
        "exchange_limit" => transfer::exchange_limit,
        "gemm" => operator::gemm,
        "mla_decode" => operator::mla_decode,
        "mla_module" => operator::mla_module,
        "gqa_decode" => operator::gqa_decode,
        "experts" => operator::experts,
        "tpot" | "decode_rate" | "decode_layer" | "decode_overlap_gain" | "decode_layer_saving" | "speculation_gain" => phase::decode,
        "decode_best" => phase::best,
        "prefill_rate" | "prefill_overlap_gain" => phase::prefill,
        "prefix_gain" | "prefix_ttft_saving" => phase::prefixes,
        "serving_tpot" | "serving_ttft" | "serving_gap" | "serving_rate" | "serving_power" | "serving_energy" => serving::serving,
        "training_step" | "training_power" => training::step,
        "training_layers" => training::layers,
        "power" => power::machine,
        "oversubscription" => fabric::oversubscription,
        "node_boundary" => fabric::node_boundary,
        "node_loss" => fabric::node_loss,
        _ => return None,
    })
}

/// Parts whose constants may be fitted.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The machine's chip.
    pub chip: Chip,
    /// The machine's communication library.
    pub library: Library,
    /// Libraries that measurements name, by name.
    pub libraries: BTreeMap<String, Library>,
    /// Serving engines that measurements name, by name.
    pub engines: BTreeMap<String, Engine>,
}

impl Parts {
    /// Those of a machine; measurements name none besides yet.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        Self { chip: spec.chip.clone(), library: spec.library.clone(), libraries: BTreeMap::new(), engines: BTreeMap::new() }
    }

    /// The library that a measurement names, read once; the machine's own if it names none.
    ///
    /// # Errors
    /// That there is no such library.
    pub fn library(&mut self, named: Option<&str>) -> Result<&Library, String> {
        let Some(name) = named else { return Ok(&self.library) };
        if !self.libraries.contains_key(name) {
            self.libraries.insert(name.to_owned(), load_library(name).map_err(|problems| first_message(&problems))?);
        }
        Ok(&self.libraries[name])
    }

    /// The serving engine called so, read once.
    ///
    /// # Errors
    /// That there is no such engine.
    pub fn engine(&mut self, name: &str) -> Result<&Engine, String> {
        if !self.engines.contains_key(name) {
            self.engines.insert(name.to_owned(), load_engine(name).map_err(|problems| first_message(&problems))?);
        }
        Ok(&self.engines[name])
    }
}

/// A machine ready to answer for its measurements. Its parts may be replaced, to fit their constants.
pub struct Bench<'a> {
    /// The machine.
    pub spec: &'a Spec,
    /// Its fabric.
    pub network: &'a Network<'a>,
    /// Its parts, and those that measurements name.
    pub parts: Parts,
    /// One rank.
    pub device: Device,
    /// All-to-all of the first n chips, by n.
    profiles: BTreeMap<u32, Profile>,
    workloads: BTreeMap<String, WorkloadSpec>,
    trainings: BTreeMap<String, TrainingSpec>,
    models: BTreeMap<String, Model>,
    /// Replayed benchmarks of engines, by their settings.
    pub(super) served: BTreeMap<String, Result<Served, String>>,
}

impl<'a> Bench<'a> {
    /// The machine as described.
    #[must_use]
    pub fn new(spec: &'a Spec, network: &'a Network<'a>) -> Self {
        Self {
            spec,
            network,
            parts: Parts::of(spec),
            device: Device::new(&spec.chip),
            profiles: BTreeMap::new(),
            workloads: BTreeMap::new(),
            trainings: BTreeMap::new(),
            models: BTreeMap::new(),
            served: BTreeMap::new(),
        }
    }

    /// Puts other constants in the place of the described ones.
    pub fn replace(&mut self, parts: &Parts) {
        self.device = Device::new(&parts.chip);
        self.parts = parts.clone();
        self.served.clear();
    }

    /// Predicts each case, or says why not.
    #[must_use]
    pub fn predict_all(&mut self, cases: &[&Case]) -> Vec<Result<f64, String>> {
        let library = self.parts.library.clone();
        let mut pricing = Pricing::new(self.network, &library);
        cases
            .iter()
            .map(|case| match predictor(&case.quantity) {
                Some(predict) => predict(self, &mut pricing, case),
                None if case.quantity == "unsupported" => Err(case.settings.optional("because").unwrap_or("no reason is given").to_owned()),
                None => {
                    let hint = suggest(&case.quantity, QUANTITIES.iter().map(|entry| entry.0));
                    Err(format!("no quantity is named `{}`; {hint}", case.quantity))
                }
            })
            .collect()
    }

    /// The all-to-all of the first `chips` chips.
    pub(super) fn all_to_all(&mut self, chips: u32) -> &Profile {
        let network = self.network;
        self.profiles.entry(chips).or_insert_with(|| network.all_to_all(chips))
    }

    /// A shipped workload or a path.
    pub(super) fn workload(&mut self, name: &str) -> Result<WorkloadSpec, String> {
        if !self.workloads.contains_key(name) {
            let workload = load_workload(name).map_err(|problems| first_message(&problems))?;
            self.workloads.insert(name.to_owned(), workload);
        }
        Ok(self.workloads[name].clone())
    }

    /// A shipped training workload or a path.
    pub(super) fn training(&mut self, name: &str) -> Result<TrainingSpec, String> {
        if !self.trainings.contains_key(name) {
            let training = load_training(name, None).map_err(|problems| first_message(&problems))?;
            self.trainings.insert(name.to_owned(), training);
        }
        Ok(self.trainings[name].clone())
    }

    /// A shipped model or a path.
    pub(super) fn model(&mut self, name: &str) -> Result<Model, String> {
        if !self.models.contains_key(name) {
            let model = load_model(name, &Mention::on_command_line()).map_err(|problems| first_message(&problems))?;
            self.models.insert(name.to_owned(), model);
        }
        Ok(self.models[name].clone())
    }
}

fn first_message(problems: &crate::input::problem::Problems) -> String {
    problems.list().first().map_or_else(String::new, |problem| problem.message.clone())
}

/// A time in the unit of a case.
pub(super) fn time_in(unit: Unit, time: Seconds) -> Result<f64, String> {
    match unit {
        Unit::Microseconds => Ok(time.get() * 1e6),
        Unit::Milliseconds => Ok(time.get() * 1e3),
        Unit::Seconds => Ok(time.get()),
        other => Err(format!("a time has the unit us, ms or s, not {}", other.name())),
    }
}

/// A bandwidth in the unit of a case.
pub(super) fn bandwidth_in(unit: Unit, rate: BytesPerSecond) -> Result<f64, String> {
    if unit == Unit::GigabytesPerSecond { Ok(rate.get() / 1e9) } else { Err(format!("a bandwidth has the unit GB/s, not {}", unit.name())) }
}

/// A token rate in the unit of a case.
pub(super) fn tokens_in(unit: Unit, rate: TokensPerSecond) -> Result<f64, String> {
    if unit == Unit::TokensPerSecond { Ok(rate.get()) } else { Err(format!("a token rate has the unit tok/s, not {}", unit.name())) }
}

/// A share in per cent, or as it is.
pub(super) fn share_in(unit: Unit, share: f64) -> Result<f64, String> {
    match unit {
        Unit::Percent => Ok(share * 100.0),
        Unit::Ratio => Ok(share),
        other => Err(format!("a share has the unit % or ratio, not {}", other.name())),
    }
}

/// A power in the unit of a case.
pub(super) fn power_in(unit: Unit, power: Watts) -> Result<f64, String> {
    if unit == Unit::Watts { Ok(power.get()) } else { Err(format!("a power has the unit W, not {}", unit.name())) }
}

/// An energy in the unit of a case.
pub(super) fn energy_in(unit: Unit, energy: Joules) -> Result<f64, String> {
    if unit == Unit::Joules { Ok(energy.get()) } else { Err(format!("an energy has the unit J, not {}", unit.name())) }
}
