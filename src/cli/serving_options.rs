//! What is served and what is promised: the same options on every command that serves.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;

use super::money_options::MoneyOptions;
use super::{CommandResult, Output, bad_option};
use crate::input::document::{Objective, Precision};
use crate::input::problem::Problems;
use crate::input::spec::{Asked, Spec, WorkloadSpec, load_engine, load_workload_with};
use crate::report::workload_text;
use crate::study::{DEFAULT_WORKLOAD, Serves};
use crate::units::{Seconds, parse};

/// What is served.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is served")]
pub struct ServingOptions {
    /// Workload: a shipped name or a path; the (first) supernode's own choice if absent, else deepseek-r1-request. The options below put other
    /// values in it
    #[arg(long)]
    pub workload: Option<String>,

    /// Another model in place of the workload's: a shipped name, a model file, a Hugging Face config.json, or the folder that holds one
    #[arg(long)]
    pub model: Option<String>,

    /// Serving engine: a shipped name, a path, or `none` for kernels and transfers alone; if absent, the workload's own choice, or else the
    /// supernode's
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,

    /// Tokens of every prompt
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    input: Option<u32>,

    /// Tokens of every answer
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    output: Option<u32>,

    /// Tokens of prompts and answers in one word, nothing of them cached: 1k1k, 8k1k or 1k8k, as InferenceX runs them, or IN/OUT such as
    /// 2000/300
    #[arg(long, value_name = "SHAPE", value_parser = shape, conflicts_with_all = ["input", "output"])]
    shape: Option<[u32; 2]>,

    /// Share of a prompt's tokens that the prefix cache finds, such as 60% or 0.6
    #[arg(long, value_name = "SHARE", value_parser = share)]
    hit: Option<f64>,

    /// Longest time to first token, such as 2s
    #[arg(long, value_name = "TIME", value_parser = time)]
    ttft: Option<Seconds>,

    /// Longest mean time per output token, such as 30ms
    #[arg(long, value_name = "TIME", value_parser = time)]
    tpot: Option<Seconds>,

    /// Requests that arrive in a second
    #[arg(long, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,

    /// Format of the weights, and of the cache behind a slash: fp8, or fp8/bf16
    #[arg(long, value_name = "FORMAT", value_parser = formats)]
    precision: Option<(Precision, Option<Precision>)>,

    /// What the search for the best mapping maximises; the workload's own objective if absent, else tokens
    #[arg(long, value_enum)]
    objective: Option<ObjectiveArgument>,

    #[command(flatten)]
    pub money: MoneyOptions,

    /// Print the workload that these options make, as a file, and do nothing else
    #[arg(long)]
    pub print_workload: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ObjectiveArgument {
    Tokens,
    TokensPerWatt,
    TokensPerCost,
    /// Requests within both limits, served in time by the ten best mappings
    Goodput,
}

impl From<ObjectiveArgument> for Objective {
    fn from(objective: ObjectiveArgument) -> Self {
        match objective {
            ObjectiveArgument::Tokens => Self::Tokens,
            ObjectiveArgument::TokensPerWatt => Self::TokensPerWatt,
            ObjectiveArgument::TokensPerCost => Self::TokensPerCost,
            ObjectiveArgument::Goodput => Self::Goodput,
        }
    }
}

impl ServingOptions {
    /// The workload that is asked for on this machine, with the engine that was asked for in the place of those that the two name.
    ///
    /// # Errors
    /// Every problem of the files; what was asked for and does not fit the workload.
    pub fn load(&self, spec: &mut Spec) -> Result<WorkloadSpec, Problems> {
        let name = self.workload.as_deref().or(spec.workload.as_deref()).unwrap_or(DEFAULT_WORKLOAD);
        let mut workload = self.named(name)?;
        self.deploy(spec, &mut workload)?;
        Ok(workload)
    }

    /// The same workload for several machines: what is asked for, or what the first of them names.
    ///
    /// # Errors
    /// As [`ServingOptions::load`].
    pub fn load_for_all(&self, specs: &mut [Spec]) -> Result<WorkloadSpec, Problems> {
        let own = specs.first().and_then(|spec| spec.workload.clone());
        let name = self.workload.as_deref().or(own.as_deref()).unwrap_or(DEFAULT_WORKLOAD);
        let mut workload = self.named(name)?;
        for spec in specs {
            self.deploy(spec, &mut workload)?;
        }
        Ok(workload)
    }

    /// Which workload is served on these machines, and who chose it; `None` if the command line names it.
    pub fn chosen_for<'a>(&self, machines: impl IntoIterator<Item = &'a Spec>) -> Option<String> {
        if self.workload.is_some() {
            return None;
        }
        let mut chosen: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
        for spec in machines {
            let own = spec.workload.as_deref();
            match chosen.iter_mut().find(|(name, _)| *name == own) {
                Some((_, machines)) => machines.push(&spec.id),
                None => chosen.push((own, vec![&spec.id])),
            }
        }
        let chosen = chosen.into_iter().map(|(own, machines)| match own {
            Some(name) => format!("{name}, which {} names", machines.join(", ")),
            None => format!("{DEFAULT_WORKLOAD}, the default"),
        });
        Some(format!("Workload: {}. --workload takes another.", chosen.collect::<Vec<_>>().join("; ")))
    }

    fn named(&self, name: &str) -> Result<WorkloadSpec, Problems> {
        let workload = load_workload_with(name, self.model.as_deref())?;
        let workload = workload.asked(&self.asked()).map_err(|why| bad_option(self.first_given(), why))?;
        if workload.workload.objective == Some(Objective::Goodput) && workload.workload.request.is_none() {
            let why = "goodput is of requests, and the workload does not say what one is; give --input and --output";
            return Err(bad_option("--objective", why));
        }
        let prices = (workload.workload.objective == Some(Objective::TokensPerCost)).then(|| self.money.prices()).transpose()?;
        Ok(WorkloadSpec { prices, ..workload })
    }

    fn deploy(&self, spec: &mut Spec, workload: &mut WorkloadSpec) -> Result<(), Problems> {
        if let Some(name) = self.engine.as_deref() {
            spec.engine = None;
            workload.engine = (name != "none").then(|| load_engine(name).map(Arc::new)).transpose()?;
        }
        Ok(())
    }

    /// The values in place of the workload's.
    pub fn asked(&self) -> Asked {
        Asked {
            input: self.input.or(self.shape.map(|shape| shape[0])),
            output: self.output.or(self.shape.map(|shape| shape[1])),
            hit: self.hit.or(self.shape.map(|_| 0.0)),
            ttft: self.ttft,
            tpot: self.tpot,
            rate: self.rate,
            weights: self.precision.map(|formats| formats.0),
            cache: self.precision.and_then(|formats| formats.1),
            objective: self.objective.map(Objective::from),
        }
    }

    /// The same for commands that read files again and again with other values in them.
    ///
    /// # Errors
    /// An engine or prices that cannot be read.
    pub fn serves(&self) -> Result<Serves, Problems> {
        let engine = match self.engine.as_deref() {
            None => None,
            Some("none") => Some(None),
            Some(name) => Some(Some(Arc::new(load_engine(name)?))),
        };
        let limits = &self.money.limits;
        let (cap, pue) = (limits.cap()?, limits.pue()?);
        Ok(Serves { workload: self.workload.clone(), model: self.model.clone(), asked: self.asked(), engine, cap, pue })
    }

    /// The option that made a request out of two phases.
    fn first_given(&self) -> &'static str {
        match (self.input, self.shape) {
            (Some(_), _) => "--input",
            (_, Some(_)) => "--shape",
            _ => "--rate",
        }
    }

    /// The workload as a file, if that is all that is asked for.
    pub fn printed(&self, workload: &WorkloadSpec) -> Option<CommandResult> {
        let asked = self
            .model
            .as_deref()
            .map(|name| if Path::new(name).is_dir() { format!("{}/config.json", name.trim_end_matches('/')) } else { name.to_owned() });
        self.print_workload.then(|| Ok(Output::done(workload_text(workload, asked.as_deref()))))
    }
}

/// Reads `1k1k`, `8k1k`, `1k8k`, `2000/300`.
fn shape(text: &str) -> Result<[u32; 2], String> {
    let lengths = match text {
        "1k1k" => Some([1024, 1024]),
        "8k1k" => Some([8192, 1024]),
        "1k8k" => Some([1024, 8192]),
        _ => text.split_once('/').and_then(|(input, output)| Some([input.parse().ok()?, output.parse().ok()?])),
    };
    let fits = |lengths: &[u32; 2]| lengths.iter().all(|tokens| (1..=100_000_000).contains(tokens));
    lengths.filter(fits).ok_or_else(|| format!("`{text}` is not a shape: 1k1k, 8k1k, 1k8k, or tokens of prompt and answer such as 2000/300"))
}

/// Reads `0.6`, `60%`, `60 %`.
fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().map(|percent: f64| percent / 100.0),
        None => text.trim().parse(),
    };
    number.ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| format!("`{text}` is not a share from 0 to 1, or from 0% to 100%"))
}

fn time(text: &str) -> Result<Seconds, String> {
    let time: Seconds = parse(text).map_err(|why| format!("{why}; expected a time such as 2s or 30ms"))?;
    if time > Seconds::ZERO { Ok(time) } else { Err("no token is made in no time".to_owned()) }
}

fn rate(text: &str) -> Result<f64, String> {
    let fits = |rate: &f64| rate.is_finite() && (1e-6..=1e9).contains(rate);
    text.parse().ok().filter(fits).ok_or_else(|| format!("{text} is not a rate above zero, in requests a second"))
}

/// Reads `fp8`, `fp8/bf16`.
fn formats(text: &str) -> Result<(Precision, Option<Precision>), String> {
    let one = |name: &str| {
        let known = Precision::ALL.map(Precision::name).join(", ");
        Precision::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| format!("`{name}` is no format; known are {known}"))
    };
    match text.split_once('/') {
        Some((weights, cache)) => Ok((one(weights)?, Some(one(cache)?))),
        None => Ok((one(text)?, None)),
    }
}
