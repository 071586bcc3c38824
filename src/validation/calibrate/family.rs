//! Which constants belong together, and which measurements fix them. Those of kernels are listed by family in `validation/kernels/`.

use std::fmt;

use crate::input::cases::Case;
use crate::input::document::{AcrossHosts, Chip, ChipPower, Engine, Library, Precision, TokenKernel};
use crate::units::Confidence;
use crate::validation::FittedParts;
use crate::validation::constant::{Named, nanoseconds, rate, share, time};
use crate::validation::kernels::{KernelConstants, families};

/// Constants of one table of `[chip.kernels]`.
#[derive(Clone)]
pub struct FittedKernel {
    constants: &'static KernelConstants,
    /// Where there is a table for each format.
    precision: Option<Precision>,
    /// The serving engine whose kernel it is.
    engine: Option<String>,
}

impl PartialEq for FittedKernel {
    fn eq(&self, other: &Self) -> bool {
        (self.constants.name, self.precision, &self.engine) == (other.constants.name, other.precision, &other.engine)
    }
}

impl Eq for FittedKernel {}

impl fmt::Debug for FittedKernel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl fmt::Display for FittedKernel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.constants.name)?;
        self.precision.map_or(Ok(()), |precision| write!(out, ":{}", precision.name()))?;
        self.engine.as_ref().map_or(Ok(()), |engine| write!(out, "@{engine}"))
    }
}

impl FittedKernel {
    /// All tables that a command line may name.
    fn all() -> impl Iterator<Item = &'static KernelConstants> {
        families().flat_map(|family| family.constants)
    }

    /// How a command line may name them.
    fn forms() -> Vec<String> {
        let forms = |constants: &'static KernelConstants| {
            let format = if constants.format.is_some() { ":FORMAT" } else { "" };
            let own = format!("{}{format}", constants.name);
            let of_engine = constants.of_engine.as_ref().map(|_| format!("{own}@ENGINE"));
            [own].into_iter().chain(of_engine)
        };
        Self::all().flat_map(forms).collect()
    }

    /// Reads `NAME`, `NAME:FORMAT` or `NAME:FORMAT@ENGINE`; `None` if no table is called so.
    fn parse(text: &str, kind: &str, name: &str, engine: &str) -> Result<Option<Self>, String> {
        let found = Self::all().find(|constants| constants.name == kind && constants.format.is_some() != name.is_empty());
        if !engine.is_empty() && found.is_none_or(|constants| constants.of_engine.is_none()) {
            let forms: Vec<String> = Self::forms().into_iter().filter(|form| form.ends_with("@ENGINE")).map(|form| format!("`{form}`")).collect();
            return Err(format!("`{text}`: engines have families {}", forms.join(" and ")));
        }
        let Some(constants) = found else { return Ok(None) };
        let known = || Precision::ALL.map(Precision::name).join(", ");
        let precision = Precision::ALL.into_iter().find(|precision| precision.name() == name);
        if constants.format.is_some() && precision.is_none() {
            return Err(format!("`{text}`: `{name}` is no number format; known: {}", known()));
        }
        Ok(Some(Self { constants, precision, engine: (!engine.is_empty()).then(|| engine.to_owned()) }))
    }

    fn path(&self) -> Vec<&str> {
        let mut path = vec!["chip", "kernels"];
        path.extend(self.engine.iter().flat_map(|engine| ["engines", engine.as_str()]));
        path.extend(self.constants.table);
        path.extend(self.precision.map(Precision::name));
        path
    }

    fn covers(&self, case: &Case) -> bool {
        let engine = self.engine.as_deref();
        let quantity = match (&self.constants.of_engine, engine) {
            (Some(own), Some(_)) => own.quantity,
            _ => self.constants.quantity,
        };
        let of_format = self.constants.format.is_none_or(|key| case.settings.optional(key) == self.precision.map(Precision::name));
        case.quantity == quantity && of_format && (engine.is_none() || case.settings.optional("engine") == engine)
    }

    fn runs(&self, case: &Case, chip: &Chip) -> bool {
        self.engine.is_some() || (self.constants.runs)(case, chip, self.format())
    }

    fn constants<'a>(&self, chip: &'a mut Chip) -> Option<Vec<Named<'a>>> {
        match (&self.constants.of_engine, &self.engine) {
            (Some(own), Some(engine)) => (own.constants)(chip.kernels.engines.get_mut(engine)?, self.format()),
            _ => (self.constants.constants)(&mut chip.kernels, self.format()),
        }
    }

    /// The number format; tables for all formats do not look at it.
    fn format(&self) -> Precision {
        self.precision.unwrap_or(Precision::Bf16)
    }
}

/// Constants that are fitted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstantFamily {
    /// Collectives of the machine's communication library, or of one that measurements name.
    Collectives(Option<String>),
    /// Collectives over NICs between hosts.
    AcrossHosts,
    /// An engine's all-reduce.
    CustomAllReduce(String),
    /// A kernel that moves tokens to experts or back.
    Tokens(String),
    /// Kernels of the chip, or of an engine on it.
    Kernel(FittedKernel),
    /// The chip's watts, from engines at work, dense models in training, and products that run until the clock has settled.
    Power,
    /// Constants of a serving engine, from latencies that its clients measure.
    Engine(String),
}

/// Which file holds the constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// The chip's.
    Chip,
    /// The communication library's: the machine's, or the one called so.
    Library(Option<String>),
    /// The serving engine called so.
    Engine(String),
}

impl ConstantFamily {
    /// Reads `collectives`, `gap`, or `KIND:NAME`.
    ///
    /// # Errors
    /// A message that lists the known families.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let (name, engine) = name.split_once('@').unwrap_or((name, ""));
        Ok(match kind {
            "collectives" => Self::Collectives((!name.is_empty()).then(|| name.to_owned())),
            "across-hosts" if name.is_empty() => Self::AcrossHosts,
            "power" if name.is_empty() => Self::Power,
            "all-reduce" if !name.is_empty() => Self::CustomAllReduce(name.to_owned()),
            "tokens" if !name.is_empty() => Self::Tokens(name.to_owned()),
            "engine" if !name.is_empty() => Self::Engine(name.to_owned()),
            _ => Self::Kernel(FittedKernel::parse(text, kind, name, engine)?.ok_or_else(|| {
                let kernels = FittedKernel::forms().join(", ");
                format!(
                    "`{text}` is no family; known: collectives, collectives:LIBRARY, across-hosts, all-reduce:ENGINE, tokens:KERNEL, {kernels}, power, engine:NAME"
                )
            })?),
        })
    }

    /// Which file holds its constants.
    #[must_use]
    pub fn part(&self) -> PartKind {
        match self {
            Self::Collectives(name) => PartKind::Library(name.clone()),
            Self::AcrossHosts | Self::CustomAllReduce(_) | Self::Tokens(_) => PartKind::Library(None),
            Self::Engine(name) => PartKind::Engine(name.clone()),
            Self::Kernel(_) | Self::Power => PartKind::Chip,
        }
    }

    /// Keys that lead to its table in the part file.
    #[must_use]
    pub fn path(&self) -> Vec<&str> {
        match self {
            Self::Engine(_) => vec!["engine"],
            Self::Collectives(_) => vec!["library"],
            Self::AcrossHosts => vec!["library", "across_hosts"],
            Self::CustomAllReduce(engine) => vec!["library", "captured_all_reduce", engine],
            Self::Tokens(kernel) => match kernel.as_str() {
                "dispatch" => vec!["library", "dispatch"],
                "combine" => vec!["library", "combine"],
                "bulk-dispatch" => vec!["library", "bulk_dispatch"],
                "bulk-combine" => vec!["library", "bulk_combine"],
                other => vec!["library", "token_kernels", other],
            },
            Self::Kernel(kernel) => kernel.path(),
            Self::Power => vec!["chip", "power"],
        }
    }

    /// Whether a measurement says something about its constants. Only times do, and watts for power: shares and rates come
    /// from other hosts, unless the library is named that they ran.
    #[must_use]
    pub fn covers(&self, case: &Case) -> bool {
        let is = |quantity: &str, key: &str, wanted: &str| case.quantity == quantity && case.settings.optional(key) == Some(wanted);
        let any_unit = matches!(self, Self::Power | Self::Collectives(Some(_)) | Self::AcrossHosts);
        (case.unit.is_time() || any_unit)
            && match self {
                Self::Collectives(library) => case.quantity == "collective" && case.settings.optional("library") == library.as_deref(),
                // Of a machine of several hosts; its measurements inside one are of another machine.
                Self::AcrossHosts => case.quantity == "collective" && case.settings.optional("library").is_none(),
                Self::Engine(name) => is("serving_tpot", "engine", name) || is("serving_ttft", "engine", name),
                Self::CustomAllReduce(engine) => is("captured_all_reduce", "engine", engine),
                Self::Tokens(kernel) => is("exchange", "kernel", kernel),
                Self::Kernel(kernel) => kernel.covers(case),
                // Where experts are routed, kernels are not what holds a training step back.
                Self::Power => {
                    let dense = case.settings.optional("ep").is_none();
                    matches!(case.quantity.as_str(), "serving_power" | "sustained_product") || case.quantity == "training_step" && dense
                }
            }
    }

    /// Whether a measurement on this chip is of this family's kernel: one that is the faster of two fixes the constants of the one for few
    /// tokens alone, and of two attention kernels one runs.
    #[must_use]
    pub fn is_measured_by(&self, case: &Case, chip: &Chip) -> bool {
        let runs = match self {
            Self::Kernel(kernel) => kernel.runs(case, chip),
            Self::Collectives(_) | Self::AcrossHosts | Self::CustomAllReduce(_) | Self::Tokens(_) | Self::Power | Self::Engine(_) => true,
        };
        self.covers(case) && runs
    }

    /// Property that measurements share if they are left out of a fit together: the weight matrix of a product, the heads of an attention kernel,
    /// the model of experts. `None` if the quantity is not a kernel.
    #[must_use]
    pub fn group(&self, case: &Case) -> Option<String> {
        let Self::Kernel(kernel) = self else { return None };
        let keys = kernel.constants.group;
        let values = keys.iter().filter_map(|key| Some(format!("{key}={}", case.settings.optional(key)?)));
        Some(values.collect::<Vec<_>>().join("; "))
    }

    /// What kind of measurement this is, where a family's measurements differ in kind.
    #[must_use]
    pub fn kind<'a>(&self, case: &'a Case) -> &'a str {
        if *self == Self::Power { &case.quantity } else { "" }
    }

    /// Its constants. One that the part gives as zero has no logarithm: the part says that the mechanism is not there.
    ///
    /// # Errors
    /// That the part has no such kernel to start from.
    pub fn constants<'a>(&self, parts: &'a mut FittedParts) -> Result<Vec<Named<'a>>, String> {
        let missing = || format!("the part gives no `{}` to start from", self.path().join("."));
        let FittedParts { chip, library, libraries, engines } = parts;
        let found = match self {
            Self::Collectives(None) => collective_constants(library),
            Self::Collectives(Some(name)) => collective_constants(libraries.get_mut(name).ok_or_else(missing)?),
            Self::Engine(name) => engine_constants(engines.get_mut(name).ok_or_else(missing)?),
            Self::AcrossHosts => across_constants(library.across_hosts.as_mut().ok_or_else(missing)?),
            Self::CustomAllReduce(engine) => {
                let kernel = library.captured_all_reduce.get_mut(engine).ok_or_else(missing)?;
                vec![
                    time("launch", &mut kernel.launch),
                    time("fan_out", &mut kernel.fan_out),
                    time("second_barrier", &mut kernel.second_barrier),
                    share("efficiency", &mut kernel.efficiency),
                ]
            }
            Self::Tokens(kernel) => token_constants(library.token_kernel_mut(kernel).ok_or_else(missing)?),
            Self::Kernel(kernel) => kernel.constants(chip).ok_or_else(missing)?,
            Self::Power => power_constants(&mut chip.power).ok_or_else(missing)?,
        };
        Ok(found.into_iter().filter(|constant| constant.figure.get() > 0.0).collect())
    }
}

fn collective_constants(library: &mut Library) -> Vec<Named<'_>> {
    let mut found = vec![
        time("launch", &mut library.launch),
        time("round", &mut library.round),
        time("ramp", &mut library.ramp),
        share("wire_efficiency", &mut library.wire_efficiency),
    ];
    found.extend(library.low_latency_efficiency.as_mut().map(|figure| share("low_latency_efficiency", figure)));
    found.extend(library.reduction_efficiency.as_mut().map(|figure| share("reduction_efficiency", figure)));
    found
}

fn across_constants(across: &mut AcrossHosts) -> Vec<Named<'_>> {
    let mut found = vec![time("launch", &mut across.launch), time("ramp", &mut across.ramp)];
    found.extend(across.low_latency_efficiency.as_mut().map(|figure| share("low_latency_efficiency", figure)));
    found.extend(across.reduction_share.as_mut().map(|figure| share("reduction_share", figure)));
    found
}

fn engine_constants(engine: &mut Engine) -> Vec<Named<'_>> {
    let mut found = vec![time("sequence", &mut engine.sequence), time("launch", &mut engine.launch)];
    found.extend(engine.gap.as_mut().map(|figure| Named { name: "gap", unit: ("", 1.0), highest: 10.0, figure }));
    found.extend(engine.matrix.as_mut().map(|figure| share("matrix", figure)));
    found.extend(engine.front_end.as_mut().map(|figure| time("front_end", figure)));
    found
}

fn token_constants(kernel: &mut TokenKernel) -> Vec<Named<'_>> {
    let mut found = vec![
        time("base", &mut kernel.base),
        time("fan_out", &mut kernel.fan_out),
        time("per_peer", &mut kernel.per_peer),
        share("efficiency", &mut kernel.efficiency),
        Named { name: "local_copies", unit: ("", 1.0), highest: 100.0, figure: &mut kernel.local_copies },
    ];
    found.extend(kernel.per_expert.as_mut().map(|figure| nanoseconds("per_expert", figure)));
    found.extend(kernel.per_token.as_mut().map(|figure| nanoseconds("per_token", figure)));
    found.extend(kernel.token_on_core.as_mut().map(|figure| time("token_on_core", figure)));
    found.extend(kernel.token_rate.as_mut().map(|figure| rate("token_rate", figure)));
    found.extend(kernel.ramp.as_mut().map(|figure| time("ramp", figure)));
    found.extend(kernel.relay_rate.as_mut().map(|figure| rate("relay_rate", figure)));
    found
}

fn power_constants(power: &mut ChipPower) -> Option<Vec<Named<'_>>> {
    let between = power.between_kernels.as_mut()?;
    let mut found = vec![
        Named { name: "active", unit: ("W", 1.0), highest: 1e4, figure: power.active.as_mut()? },
        Named { name: "energy_per_flop", unit: ("pJ/FLOP", 1e-12), highest: 1e-10, figure: &mut power.energy_per_flop },
    ];
    // A share that follows from other sources is not the fit's to change.
    if between.confidence != Some(Confidence::Derived) {
        found.push(share("between_kernels", between));
    }
    Some(found)
}

impl fmt::Display for ConstantFamily {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collectives(None) => write!(out, "collectives"),
            Self::Collectives(Some(name)) => write!(out, "collectives:{name}"),
            Self::Engine(name) => write!(out, "engine:{name}"),
            Self::AcrossHosts => write!(out, "across-hosts"),
            Self::CustomAllReduce(engine) => write!(out, "all-reduce:{engine}"),
            Self::Tokens(kernel) => write!(out, "tokens:{kernel}"),
            Self::Kernel(kernel) => write!(out, "{kernel}"),
            Self::Power => write!(out, "power"),
        }
    }
}
