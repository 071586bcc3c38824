//! `supernode capacity`: how many requests a deployment serves within a service level.

use super::deployment::{DeploymentArguments, arrivals};
use super::{CommandResult, Output, bad_option};
use crate::fabric;
use crate::network::Network;
use crate::report::{self, CapacityReport};
use crate::serving::queueing::Arrivals;
use crate::study::{Promise, ServePlan, capacities, made, promises};

/// Find the highest rate of requests that keeps a service level, and how it falls with burstiness
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    deployment: DeploymentArguments,

    /// What is promised, such as "ttft p99 2 s, tpot p99 50 ms"; the workload's limits at p90 if absent
    #[arg(long)]
    slo: Option<String>,

    /// Requests of a run
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    requests: u32,

    /// How requests arrive: one or more of poisson, gamma:CV, constant, burst:N; the first gives the answer
    #[arg(long, value_delimiter = ',', default_value = "poisson,gamma:2,gamma:4", value_parser = arrivals)]
    arrivals: Vec<Arrivals>,

    /// Repeat each search N times with different seeds, and show the mean and its standard error
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    replications: u32,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    if arguments.deployment.is_closed() {
        return Err(bad_option("--concurrency", "a closed loop has no rate of arrivals to find; leave it out".to_owned()));
    }
    let (spec, workload) = arguments.deployment.load()?;
    if let Some(printed) = arguments.deployment.serving.printed(&workload) {
        return printed;
    }
    let layout = arguments.deployment.layout(&spec, &workload)?;
    let made = made(&workload, Arguments::first(arguments), 1.0, arguments.requests, arguments.deployment.seed);
    let made = made.ok_or_else(|| {
        bad_option("capacity", "the workload does not say what a request is; give --input and --output, or a workload with a [workload.request]")
    })?;
    let fabric = fabric::build(&spec)?;
    let network = Network::new(&fabric);
    let plan = ServePlan::new(&spec, &network, &workload, &made.trace(), &layout).map_err(|reason| bad_option("capacity", reason))?;
    let promises: Vec<Promise> = match (&arguments.slo, plan.limits) {
        (Some(text), _) => promises(text).map_err(|reason| bad_option("--slo", reason))?,
        (None, Some(limits)) => limits.promises(),
        (None, None) => return Err(bad_option("capacity", "give --slo: the workload has no limits")),
    };
    let report = CapacityReport {
        supernode: spec.id.clone(),
        title: format!("{} ({})", spec.name, spec.vendor),
        workload: (workload.id.clone(), workload.workload.name.clone()),
        engine: plan.engine.clone(),
        mappings: plan.mappings.iter().map(ToString::to_string).collect(),
        capacities: capacities(&plan, &made, &arguments.arrivals, &promises, arguments.replications),
        promises,
        requests: arguments.requests,
        seed: arguments.deployment.seed,
        replications: arguments.replications,
    };
    Ok(Output::noted(&report, arguments.deployment.serving.chosen_for([&spec]), format))
}

impl Arguments {
    fn first(&self) -> Arrivals {
        self.arrivals.first().copied().unwrap_or(Arrivals::Poisson)
    }
}
