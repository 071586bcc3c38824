//! What `serve` and `capacity` share: which machine runs what, laid out how.

use clap::ValueEnum;

use super::bad_option;
use super::serving_options::ServingOptions;
use crate::execution::{Mapping, MappingRequest};
use crate::input::document::{CacheTier, PrefixCache};
use crate::input::problem::Problems;
use crate::input::spec::{Spec, WorkloadSpec};
use crate::serving::queueing::{Arrivals, RouterPolicy, SchedulerRules};
use crate::study::{Layout, Mode};

/// A deployment on a supernode.
#[derive(Debug, clap::Args)]
pub struct DeploymentArguments {
    /// Shipped name or path
    pub supernode: String,

    #[command(flatten)]
    pub serving: ServingOptions,

    /// Whether the chips that read a prompt answer it (together) or others do (apart)
    #[arg(long, value_enum, default_value_t = ModeArgument::Together)]
    mode: ModeArgument,

    /// Degrees of the instances that make tokens, such as tp=8; open ones are searched. Keys: tp, ep, dp, pp, sp, ffn, micro_batches
    #[arg(long, value_name = "DEGREES")]
    mapping: Option<String>,

    /// Degrees of the instances that read prompts for others
    #[arg(long, value_name = "DEGREES")]
    prefill_mapping: Option<String>,

    /// Instances that make tokens; as many as fit if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    instances: Option<u32>,

    /// Instances that read prompts for the instances that make tokens; if absent, as many as keep those busy
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    prefill_instances: Option<u32>,

    /// How requests are spread over instances
    #[arg(long, value_enum, default_value_t = RouterArgument::RoundRobin)]
    router: RouterArgument,

    /// Tokens that an attention group takes into one pass; the engine's if absent
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    budget: Option<u32>,

    /// Sequences that run at once in an attention group; the engine's if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sequences: Option<u32>,

    /// Tokens of a cache block; the engine's if absent
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    block: Option<u32>,

    /// Cache blocks of an attention group; as many as memory leaves room for if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    cache_blocks: Option<u64>,

    /// Memory beside the chips that keeps what they evict, for prompts that come again; what the workload names if absent
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MEMORY")]
    tiers: Vec<TierArgument>,

    /// Requests in flight; each that ends makes room for the next (closed loop)
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,

    /// Seed of everything drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeArgument {
    Together,
    Apart,
}

impl From<ModeArgument> for Mode {
    fn from(mode: ModeArgument) -> Self {
        match mode {
            ModeArgument::Together => Self::Together,
            ModeArgument::Apart => Self::Apart,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RouterArgument {
    /// One instance after the other
    RoundRobin,
    /// Least 4 x waiting + running requests
    LeastLoaded,
    /// Least work, without the tokens whose prefix the instance has cached
    PrefixAware,
    /// Longest prefix, whatever the load
    LongestPrefix,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TierArgument {
    /// DRAM of a group's own hosts
    HostDram,
    /// DRAM of all hosts, read over the fabric
    FabricPool,
    /// Memory expanders behind CXL switches
    CxlPool,
}

impl From<TierArgument> for CacheTier {
    fn from(tier: TierArgument) -> Self {
        match tier {
            TierArgument::HostDram => Self::HostDram,
            TierArgument::FabricPool => Self::FabricPool,
            TierArgument::CxlPool => Self::CxlPool,
        }
    }
}

impl From<RouterArgument> for RouterPolicy {
    fn from(router: RouterArgument) -> Self {
        match router {
            RouterArgument::RoundRobin => Self::RoundRobin,
            RouterArgument::LeastLoaded => Self::LeastLoaded,
            RouterArgument::PrefixAware => Self::PrefixAware,
            RouterArgument::LongestPrefix => Self::LongestPrefix,
        }
    }
}

impl DeploymentArguments {
    /// The machine, and the workload as it is deployed on it.
    pub fn load(&self) -> Result<(Spec, WorkloadSpec), Problems> {
        let mut spec = self.serving.money.machine(&self.supernode)?;
        let workload = self.serving.load(&mut spec)?.deployed_on(&spec);
        Ok((spec, workload))
    }

    /// How it is laid out.
    pub fn layout(&self, spec: &Spec, workload: &WorkloadSpec) -> Result<Layout, Problems> {
        let degrees = |option: &str, text: Option<&str>| -> Result<(Option<Vec<Mapping>>, Option<u32>), Problems> {
            let Some(text) = text else { return Ok((None, None)) };
            let request: MappingRequest = text.parse().map_err(|reason| bad_option(option, reason))?;
            let candidates = request.candidates(workload, spec.chips(), spec.levels[0].size, spec.chip.ranks);
            Ok((Some(candidates.map_err(|reason| bad_option(option, reason))?), request.micro_batches))
        };
        if matches!(self.mode, ModeArgument::Together) && (self.prefill_mapping.is_some() || self.prefill_instances.is_some()) {
            let option = if self.prefill_mapping.is_some() { "--prefill-mapping" } else { "--prefill-instances" };
            return Err(bad_option(option, "prompts are read by the instances that answer them; add --mode apart".to_owned()));
        }
        let (candidates, micro_batches) = degrees("--mapping", self.mapping.as_deref())?;
        let (prefill_candidates, _) = degrees("--prefill-mapping", self.prefill_mapping.as_deref())?;
        let mut rules = SchedulerRules::of(workload.engine.as_ref().and_then(|deployed| deployed.engine.scheduler.as_ref()));
        rules.budget = self.budget.unwrap_or(rules.budget);
        rules.sequences = self.sequences.unwrap_or(rules.sequences).min(rules.budget);
        rules.block = self.block.unwrap_or(rules.block);
        Ok(Layout {
            mode: self.mode.into(),
            candidates,
            prefill_candidates,
            micro_batches,
            instances: self.instances,
            prefill_instances: self.prefill_instances,
            policy: self.router.into(),
            rules: Some(rules),
            blocks: self.cache_blocks,
            tiers: self.prefix_cache(),
            concurrency: self.concurrency,
            seed: self.seed,
        })
    }

    /// The memory that is asked for to keep prefixes.
    fn prefix_cache(&self) -> Option<PrefixCache> {
        let tiers: Vec<CacheTier> = std::iter::once(CacheTier::Hbm).chain(self.tiers.iter().map(|tier| (*tier).into())).collect();
        (tiers.len() > 1).then_some(PrefixCache { tiers, sessions: None, share: None, bandwidth: None })
    }

    /// Whether the number of requests in flight is fixed.
    pub fn is_closed(&self) -> bool {
        self.concurrency.is_some()
    }

    /// Whether prompts and answers share chips.
    pub fn mode(&self) -> Mode {
        self.mode.into()
    }
}

/// Reads `poisson`, `gamma:2.5`, `constant`, `burst:8`.
pub fn arrivals(text: &str) -> Result<Arrivals, String> {
    let expected = || format!("`{text}` is not a way to arrive: poisson, gamma:CV (such as gamma:2.5), constant, or burst:N (such as burst:8)");
    let (name, value) = text.split_once(':').map_or((text, None), |(name, value)| (name, Some(value)));
    match (name, value) {
        ("poisson", None) => Ok(Arrivals::Poisson),
        ("constant", None) => Ok(Arrivals::Constant),
        ("burst", None) => Ok(Arrivals::Burst(8)),
        ("gamma", Some(value)) => {
            let variation: f64 = value.parse().map_err(|_| expected())?;
            if (0.01..=100.0).contains(&variation) { Ok(Arrivals::Gamma(variation)) } else { Err(expected()) }
        }
        ("burst", Some(value)) => value.parse().ok().filter(|size| *size > 0).map(Arrivals::Burst).ok_or_else(expected),
        _ => Err(expected()),
    }
}
