//! A machine on the bench: everything that a prediction of one of its measurements needs.

use std::collections::BTreeMap;

use crate::input::cases::{Settings, Unit};
use crate::input::catalog::Mention;
use crate::input::document::{Chip, Engine, Library, Model, Precision};
use crate::input::spec::{Spec, TrainingSpec, WorkloadSpec, load_engine, load_library, load_model, load_training, load_workload};
use crate::network::{Network, Profile};
use crate::serving::ReplayedService;
use crate::study::ServeResult;
use crate::units::{BytesPerSecond, Joules, Seconds, TokensPerSecond, Watts};
use crate::workload::Device;

/// Parts whose constants may be fitted.
#[derive(Clone, Debug)]
pub struct FittedParts {
    /// The machine's chip.
    pub chip: Chip,
    /// The machine's communication library.
    pub library: Library,
    /// Libraries that measurements name, by name.
    pub libraries: BTreeMap<String, Library>,
    /// Serving engines that measurements name, by name.
    pub engines: BTreeMap<String, Engine>,
}

impl FittedParts {
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
            self.engines.insert(name.to_owned(), load_engine(name).map_err(|problems| first_message(&problems))?.engine);
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
    pub parts: FittedParts,
    /// One rank.
    pub device: Device,
    /// All-to-all of the first n chips, by n.
    profiles: BTreeMap<u32, Profile>,
    workloads: BTreeMap<String, WorkloadSpec>,
    trainings: BTreeMap<String, TrainingSpec>,
    models: BTreeMap<String, Model>,
    /// Replayed benchmarks of engines, by their settings.
    pub(super) served: BTreeMap<String, Result<ReplayedService, String>>,
    /// Runs replayed request by request, by their settings.
    pub(super) traced: BTreeMap<String, Result<ServeResult, String>>,
}

impl<'a> Bench<'a> {
    /// The machine as described.
    #[must_use]
    pub fn new(spec: &'a Spec, network: &'a Network<'a>) -> Self {
        Self {
            spec,
            network,
            parts: FittedParts::of(spec),
            device: Device::new(&spec.chip),
            profiles: BTreeMap::new(),
            workloads: BTreeMap::new(),
            trainings: BTreeMap::new(),
            models: BTreeMap::new(),
            served: BTreeMap::new(),
            traced: BTreeMap::new(),
        }
    }

    /// Puts other constants in the place of the described ones. Machines that share a library or an engine each keep a chip of their own.
    pub fn replace(&mut self, parts: &FittedParts) {
        self.parts = parts.clone();
        if parts.chip.name != self.spec.chip.name {
            self.parts.chip = self.spec.chip.clone();
        }
        self.device = Device::new(&self.parts.chip);
        self.served.clear();
        self.traced.clear();
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

    /// The case's workload, with its own `model`, and its own formats of `weights`, `experts`, `attention` and `cache`, where it says so.
    pub(super) fn restated(&mut self, settings: &Settings) -> Result<WorkloadSpec, String> {
        let mut workload = self.workload(settings.text("workload")?)?;
        if let Some(name) = settings.optional("model") {
            workload.model = self.model(name)?;
        }
        let known = Precision::ALL.map(|format| (format.name(), format));
        let stated = |key: &str| settings.optional(key).map(|_| settings.one_of(key, &known)).transpose();
        let formats = &mut workload.workload.precision;
        formats.weights = stated("weights")?.unwrap_or(formats.weights);
        formats.experts = stated("experts")?.or(formats.experts);
        formats.attention = stated("attention")?.unwrap_or(formats.attention);
        formats.kv_cache = stated("cache")?.unwrap_or(formats.kv_cache);
        Ok(workload)
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
