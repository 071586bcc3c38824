//! Which constants belong together, and which measurements fix them.

use std::fmt;

use crate::input::cases::Case;
use crate::input::document::{AcrossHosts, AttentionKernel, Chip, ChipPower, Engine, ExpertKernel, GemmKernel, Library, Precision, TokenKernel};
use crate::units::{Confidence, Figure, Quantity};
use crate::validation::{FittedParts, has_low_latency, runs_single_heads};

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
    /// Matrix multiplication in one format.
    Gemm(Precision),
    /// Matrix multiplication in one format with the kernels of the engine called so.
    EngineGemm(Precision, String),
    /// Attention over a latent cache in one format.
    Mla(Precision),
    /// Attention over grouped keys and values in one format.
    Gqa(Precision),
    /// Decode attention that treats every head for itself.
    Mha(Precision),
    /// Attention of prompts in one format.
    Prompts(Precision),
    /// One token a sequence of the gated delta rule.
    DeltaDecode,
    /// Prompts of the gated delta rule.
    DeltaPrompts,
    /// Routed experts in one format.
    Experts(Precision),
    /// Routed experts in one format with the kernels of the engine called so.
    EngineExperts(Precision, String),
    /// Routed experts in one format with the kernel for few tokens.
    LowLatencyExperts(Precision),
    /// The gap between kernels of a captured graph, from whole attention blocks.
    Gap,
    /// Start and share of kernels of sparse attention, from whole blocks.
    Sparse,
    /// Attention of prompts over chosen entries, from whole blocks.
    SparsePrompts,
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

/// A figure of any quantity.
pub trait Constant {
    /// SI value.
    fn get(&self) -> f64;
    /// Replaces it.
    fn set(&mut self, si: f64);
}

impl<Q: Quantity> Constant for Figure<Q> {
    fn get(&self) -> f64 {
        self.value.si()
    }
    fn set(&mut self, si: f64) {
        self.value = Q::from_si(si);
    }
}

/// A constant of a family.
pub struct Named<'a> {
    /// Its key in the family's table.
    pub name: &'static str,
    /// Unit in the part file and its SI value; empty for a pure number.
    pub unit: (&'static str, f64),
    /// Nothing above makes sense.
    pub highest: f64,
    /// The figure.
    pub figure: &'a mut dyn Constant,
}

const MICROSECONDS: (&str, f64) = ("us", 1e-6);
const GIGABYTES: (&str, f64) = ("GB/s", 1e9);

fn time<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: MICROSECONDS, highest: 1.0, figure }
}

fn nanoseconds<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: ("ns", 1e-9), highest: 1e-3, figure }
}

fn share<'a>(name: &'static str, figure: &'a mut dyn Constant) -> Named<'a> {
    Named { name, unit: ("", 1.0), highest: 1.0, figure }
}

impl ConstantFamily {
    /// Reads `collectives`, `gap`, or `KIND:NAME`.
    ///
    /// # Errors
    /// A message that lists the known families.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let (name, engine) = name.split_once('@').unwrap_or((name, ""));
        let precision = || {
            let found = Precision::ALL.into_iter().find(|precision| precision.name() == name);
            found.ok_or_else(|| format!("`{text}`: `{name}` is no number format; known: {}", Precision::ALL.map(Precision::name).join(", ")))
        };
        Ok(match kind {
            "collectives" => Self::Collectives((!name.is_empty()).then(|| name.to_owned())),
            "across-hosts" if name.is_empty() => Self::AcrossHosts,
            "gap" if name.is_empty() => Self::Gap,
            "sparse-prompts" if name.is_empty() => Self::SparsePrompts,
            "sparse" if name.is_empty() => Self::Sparse,
            "power" if name.is_empty() => Self::Power,
            "delta-decode" if name.is_empty() => Self::DeltaDecode,
            "delta-prompts" if name.is_empty() => Self::DeltaPrompts,
            "all-reduce" if !name.is_empty() => Self::CustomAllReduce(name.to_owned()),
            "tokens" if !name.is_empty() => Self::Tokens(name.to_owned()),
            "engine" if !name.is_empty() => Self::Engine(name.to_owned()),
            "gemm" if !engine.is_empty() => Self::EngineGemm(precision()?, engine.to_owned()),
            "experts" if !engine.is_empty() => Self::EngineExperts(precision()?, engine.to_owned()),
            _ if !engine.is_empty() => return Err(format!("`{text}`: engines have families `gemm:FORMAT@ENGINE` and `experts:FORMAT@ENGINE`")),
            "gemm" => Self::Gemm(precision()?),
            "mla" => Self::Mla(precision()?),
            "gqa" => Self::Gqa(precision()?),
            "mha" => Self::Mha(precision()?),
            "prompts" => Self::Prompts(precision()?),
            "experts" => Self::Experts(precision()?),
            "experts-low-latency" => Self::LowLatencyExperts(precision()?),
            _ => {
                return Err(format!(
                    "`{text}` is no family; known: collectives, collectives:LIBRARY, across-hosts, all-reduce:ENGINE, tokens:KERNEL, gemm:FORMAT, gemm:FORMAT@ENGINE, mla:FORMAT, gqa:FORMAT, mha:FORMAT, prompts:FORMAT, experts:FORMAT, experts:FORMAT@ENGINE, experts-low-latency:FORMAT, delta-decode, delta-prompts, gap, sparse, sparse-prompts, power, engine:NAME"
                ));
            }
        })
    }

    /// Which file holds its constants.
    #[must_use]
    pub fn part(&self) -> PartKind {
        match self {
            Self::Collectives(name) => PartKind::Library(name.clone()),
            Self::AcrossHosts | Self::CustomAllReduce(_) | Self::Tokens(_) => PartKind::Library(None),
            Self::Engine(name) => PartKind::Engine(name.clone()),
            _ => PartKind::Chip,
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
            Self::Gemm(format) => vec!["chip", "kernels", "gemm", format.name()],
            Self::EngineGemm(format, engine) => vec!["chip", "kernels", "engines", engine, "gemm", format.name()],
            Self::EngineExperts(format, engine) => vec!["chip", "kernels", "engines", engine, "experts", format.name()],
            Self::Mla(format) => vec!["chip", "kernels", "mla", format.name()],
            Self::Gqa(format) => vec!["chip", "kernels", "gqa", format.name()],
            Self::Mha(format) => vec!["chip", "kernels", "mha", format.name()],
            Self::Prompts(format) => vec!["chip", "kernels", "prompts", format.name()],
            Self::DeltaDecode => vec!["chip", "kernels", "delta_decode"],
            Self::DeltaPrompts => vec!["chip", "kernels", "delta_prompts"],
            Self::Experts(format) => vec!["chip", "kernels", "experts", format.name()],
            Self::LowLatencyExperts(format) => vec!["chip", "kernels", "experts_low_latency", format.name()],
            Self::Gap | Self::Sparse => vec!["chip", "kernels"],
            Self::SparsePrompts => vec!["chip", "kernels", "sparse_prompts"],
            Self::Power => vec!["chip", "power"],
        }
    }

    /// Whether a measurement says something about its constants. Only times do, and watts for power: shares and rates come
    /// from other hosts, unless the library is named that they ran.
    #[must_use]
    pub fn covers(&self, case: &Case) -> bool {
        let is = |quantity: &str, key: &str, wanted: &str| case.quantity == quantity && case.settings.optional(key) == Some(wanted);
        let run_by = |engine: &str| case.settings.optional("engine") == Some(engine);
        let any_unit = matches!(self, Self::Power | Self::Collectives(Some(_)) | Self::AcrossHosts);
        (case.unit.is_time() || any_unit)
            && match self {
                Self::Collectives(library) => case.quantity == "collective" && case.settings.optional("library") == library.as_deref(),
                // Of a machine of several hosts; its measurements inside one are of another machine.
                Self::AcrossHosts => case.quantity == "collective" && case.settings.optional("library").is_none(),
                Self::Engine(name) => is("serving_tpot", "engine", name) || is("serving_ttft", "engine", name),
                Self::CustomAllReduce(engine) => is("captured_all_reduce", "engine", engine),
                Self::Tokens(kernel) => is("exchange", "kernel", kernel),
                Self::Gemm(format) => is("gemm", "format", format.name()),
                Self::EngineGemm(format, engine) => is("engine_gemm", "format", format.name()) && run_by(engine),
                Self::EngineExperts(format, engine) => is("engine_experts", "format", format.name()) && run_by(engine),
                Self::Mla(format) => is("mla_decode", "cache", format.name()),
                Self::Gqa(format) => is("gqa_decode", "cache", format.name()),
                Self::Prompts(format) => is("gqa_prefill", "cache", format.name()),
                Self::Mha(format) => is("gqa_decode", "cache", format.name()),
                Self::Experts(format) | Self::LowLatencyExperts(format) => is("experts", "format", format.name()),
                Self::DeltaDecode => case.quantity == "delta_decode",
                Self::DeltaPrompts => case.quantity == "delta_prefill",
                Self::Gap => case.quantity == "mla_module",
                Self::Sparse => case.quantity == "dsa_module",
                Self::SparsePrompts => case.quantity == "dsa_prefill",
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
        self.covers(case)
            && match self {
                Self::Experts(_) => !has_low_latency(&chip.kernels, case),
                Self::LowLatencyExperts(_) => has_low_latency(&chip.kernels, case),
                Self::Gqa(format) => !runs_single_heads(chip, case, *format),
                Self::Mha(format) => runs_single_heads(chip, case, *format),
                _ => true,
            }
    }

    /// Property that measurements share if they are left out of a fit together: the weight matrix of a product, the heads of an attention kernel,
    /// the model of experts. `None` if the quantity is not a kernel.
    #[must_use]
    pub fn group(&self, case: &Case) -> Option<String> {
        let keys: &[&str] = match self {
            Self::Gemm(_) | Self::EngineGemm(..) => &["columns", "depth"],
            Self::Mla(_) => &["heads"],
            Self::Gqa(_) | Self::Mha(_) | Self::Prompts(_) => &["heads", "kv_heads"],
            Self::Experts(_) | Self::EngineExperts(..) | Self::LowLatencyExperts(_) => &["hidden", "width", "experts", "slots"],
            Self::DeltaDecode | Self::DeltaPrompts => &["key_heads", "value_heads"],
            Self::Gap | Self::Sparse => &["format", "cache"],
            Self::SparsePrompts => &["heads"],
            Self::Collectives(_) | Self::AcrossHosts | Self::CustomAllReduce(_) | Self::Tokens(_) | Self::Power | Self::Engine(_) => return None,
        };
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
        let kernels = &mut chip.kernels;
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
            Self::Gemm(format) => gemm_constants(kernels.gemm.get_mut(format).ok_or_else(missing)?),
            Self::EngineGemm(format, engine) => {
                gemm_constants(kernels.engines.get_mut(engine).and_then(|own| own.gemm.get_mut(format)).ok_or_else(missing)?)
            }
            Self::EngineExperts(format, engine) => {
                expert_constants(kernels.engines.get_mut(engine).and_then(|own| own.experts.get_mut(format)).ok_or_else(missing)?)
            }
            Self::Mla(format) => attention_constants(kernels.mla.get_mut(format).ok_or_else(missing)?),
            // Decode does not fix the share of the peak: it stays what its source says.
            Self::Gqa(format) => without_compute(attention_constants(kernels.gqa.get_mut(format).ok_or_else(missing)?)),
            Self::Mha(format) => without_compute(attention_constants(kernels.mha.get_mut(format).ok_or_else(missing)?)),
            Self::Prompts(format) => {
                let kernel = kernels.prompts.get_mut(format).ok_or_else(missing)?;
                let preparation = Named { name: "preparation", unit: GIGABYTES, highest: 1e13, figure: &mut kernel.preparation };
                vec![time("launch", &mut kernel.launch), share("compute_efficiency", &mut kernel.compute_efficiency), preparation]
            }
            Self::Experts(format) => expert_constants(kernels.experts.get_mut(format).ok_or_else(missing)?),
            Self::LowLatencyExperts(format) => expert_constants(kernels.experts_low_latency.get_mut(format).ok_or_else(missing)?),
            Self::DeltaDecode => {
                let kernel = kernels.delta_decode.as_mut().ok_or_else(missing)?;
                vec![time("launch", &mut kernel.launch), share("memory_efficiency", &mut kernel.memory_efficiency)]
            }
            Self::DeltaPrompts => {
                let kernels = kernels.delta_prompts.as_mut().ok_or_else(missing)?;
                vec![
                    time("launch", &mut kernels.launch),
                    time("chunk", &mut kernels.chunk),
                    share("memory_efficiency", &mut kernels.memory_efficiency),
                ]
            }
            Self::Gap => vec![time("launch", &mut kernels.launch)],
            Self::SparsePrompts => {
                let kernel = kernels.sparse_prompts.as_mut().ok_or_else(missing)?;
                vec![time("launch", &mut kernel.launch), nanoseconds("token", &mut kernel.token), nanoseconds("entry", &mut kernel.entry)]
            }
            Self::Sparse => {
                let start = kernels.sparse_launch.as_mut().ok_or_else(missing)?;
                let share_of_dense = kernels.sparse_attention.as_mut().ok_or_else(missing)?;
                vec![time("sparse_launch", start), share("sparse_attention", share_of_dense)]
            }
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
    found.extend(kernel.token_rate.as_mut().map(|figure| Named { name: "token_rate", unit: GIGABYTES, highest: 1e13, figure }));
    found.extend(kernel.ramp.as_mut().map(|figure| time("ramp", figure)));
    found.extend(kernel.relay_rate.as_mut().map(|figure| Named { name: "relay_rate", unit: GIGABYTES, highest: 1e13, figure }));
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

fn gemm_constants(kernel: &mut GemmKernel) -> Vec<Named<'_>> {
    let mut found = vec![share("compute_efficiency", &mut kernel.compute_efficiency), share("memory_efficiency", &mut kernel.memory_efficiency)];
    let operand = kernel.operand_bandwidth.as_mut();
    found.extend(operand.map(|figure| Named { name: "operand_bandwidth", unit: GIGABYTES, highest: 1e13, figure }));
    found.extend(kernel.launch.as_mut().map(|figure| time("launch", figure)));
    found.extend(kernel.quantise_launch.as_mut().map(|figure| time("quantise_launch", figure)));
    found
}

fn attention_constants(kernel: &mut AttentionKernel) -> Vec<Named<'_>> {
    let mut found = vec![
        time("launch", &mut kernel.launch),
        share("compute_efficiency", &mut kernel.compute_efficiency),
        share("memory_efficiency", &mut kernel.memory_efficiency),
    ];
    found.extend(kernel.merge.as_mut().map(|figure| time("merge", figure)));
    found.extend(kernel.merge_start.as_mut().map(|figure| time("merge_start", figure)));
    found.extend(kernel.block.as_mut().map(|figure| time("block", figure)));
    found.extend(kernel.row.as_mut().map(|figure| time("row", figure)));
    let core = kernel.core_bandwidth.as_mut();
    found.extend(core.map(|figure| Named { name: "core_bandwidth", unit: GIGABYTES, highest: 1e13, figure }));
    found
}

fn without_compute(constants: Vec<Named<'_>>) -> Vec<Named<'_>> {
    constants.into_iter().filter(|constant| constant.name != "compute_efficiency").collect()
}

fn expert_constants(kernel: &mut ExpertKernel) -> Vec<Named<'_>> {
    let mut found = vec![
        time("launch", &mut kernel.launch),
        time("per_expert", &mut kernel.per_expert),
        share("compute_efficiency", &mut kernel.compute_efficiency),
        share("memory_efficiency", &mut kernel.memory_efficiency),
    ];
    found.extend(kernel.per_token.as_mut().map(|figure| Named { name: "per_token", unit: ("ns", 1e-9), highest: 1e-6, figure }));
    found.extend(kernel.spread_launch.as_mut().map(|figure| time("spread_launch", figure)));
    found
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
            Self::Gemm(format) => write!(out, "gemm:{}", format.name()),
            Self::EngineGemm(format, engine) => write!(out, "gemm:{}@{engine}", format.name()),
            Self::EngineExperts(format, engine) => write!(out, "experts:{}@{engine}", format.name()),
            Self::Mla(format) => write!(out, "mla:{}", format.name()),
            Self::Gqa(format) => write!(out, "gqa:{}", format.name()),
            Self::Mha(format) => write!(out, "mha:{}", format.name()),
            Self::Prompts(format) => write!(out, "prompts:{}", format.name()),
            Self::Experts(format) => write!(out, "experts:{}", format.name()),
            Self::LowLatencyExperts(format) => write!(out, "experts-low-latency:{}", format.name()),
            Self::DeltaDecode => write!(out, "delta-decode"),
            Self::DeltaPrompts => write!(out, "delta-prompts"),
            Self::Gap => write!(out, "gap"),
            Self::Sparse => write!(out, "sparse"),
            Self::SparsePrompts => write!(out, "sparse-prompts"),
            Self::Power => write!(out, "power"),
        }
    }
}
