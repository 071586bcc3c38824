//! Mappings by the requests that keep their limits, served in time.

use rayon::prelude::*;

use super::capacity::capacity;
use super::serve::{Layout, ServePlan, made};
use crate::input::spec::{Spec, WorkloadSpec};
use crate::network::Network;
use crate::serving::queueing::{Arrivals, SchedulerRules};
use crate::serving::{MappingSearch, OperatingPoint, PhasePoint};

/// Requests of a run: so many times those in flight, between these bounds.
const ROUNDS: f64 = 6.0;
const REQUESTS: [f64; 2] = [500.0, 5000.0];

/// Puts the points of a search that serve most requests a second within the workload's limits first (nine requests in ten keep both, random
/// arrivals); the rates, in the new order.
pub fn sort_by_goodput(spec: &Spec, network: &Network<'_>, workload: &WorkloadSpec, search: &mut MappingSearch) -> Vec<f64> {
    let found = std::mem::take(&mut search.found);
    let judged = found.into_par_iter().map(|phase| (goodput(spec, network, workload, &phase).unwrap_or(0.0), phase));
    let mut judged: Vec<(f64, PhasePoint)> = judged.collect();
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (rates, found) = judged.into_iter().unzip();
    search.found = found;
    rates
}

/// Requests a second that all instances of a point serve within the limits.
fn goodput(spec: &Spec, network: &Network<'_>, workload: &WorkloadSpec, phase: &PhasePoint) -> Option<f64> {
    let OperatingPoint { mapping, batch, micro_batches, requests, .. } = &phase.point;
    let (requests, flight) = ((*requests)?, batch * f64::from(mapping.dp * mapping.pp));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
    let count = (flight * ROUNDS).clamp(REQUESTS[0], REQUESTS[1]) as u32;
    let engine = workload.engine.as_ref().and_then(|deployed| deployed.engine.scheduler.as_ref());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of sequences")]
    let rules = SchedulerRules { budget: requests.chunk.saturating_add(*batch as u32), ..SchedulerRules::of(engine) };
    let layout = Layout {
        candidates: Some(vec![*mapping]),
        micro_batches: Some(*micro_batches),
        instances: Some(1),
        rules: Some(SchedulerRules { sequences: rules.sequences.min(rules.budget), ..rules }),
        ..Layout::default()
    };
    let made = made(workload, Arrivals::Poisson, requests.per_second, count, layout.seed)?;
    let plan = ServePlan::new(spec, network, workload, &made.trace(), &layout).ok()?;
    let promises = plan.limits?.promises();
    Some(capacity(&plan, &made, &promises).rate * f64::from(phase.instances))
}
