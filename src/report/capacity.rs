//! `supernode capacity`: the highest rate that keeps a service level, and how it falls with burstiness.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::serve::{estimate_json, estimate_text, percentiles_json};
use super::simulate::engine_text;
use crate::serving::queueing::Arrivals;
use crate::study::{Capacity, Promise};
use crate::units::{Seconds, render};

/// Capacities of one deployment.
#[derive(Clone, Debug)]
pub struct CapacityReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Shipped name or path of the workload, and its name.
    pub workload: (String, String),
    /// Name of the engine in force.
    pub engine: Option<String>,
    /// Mappings, those of the instances that read prompts first where others answer.
    pub mappings: Vec<String>,
    /// What is promised.
    pub promises: Vec<Promise>,
    /// Requests of a run.
    pub requests: u32,
    /// Seed.
    pub seed: u64,
    /// How often each rate was found.
    pub replications: u32,
    /// The capacity for each spread of gaps, Poisson first.
    pub capacities: Vec<Capacity>,
}

/// A spread of gaps in words.
fn spread(arrivals: Arrivals) -> String {
    match arrivals {
        Arrivals::Poisson => "poisson".to_owned(),
        Arrivals::Gamma(variation) => format!("gamma:{variation}"),
        Arrivals::Constant => "constant".to_owned(),
        Arrivals::Burst(size) => format!("burst:{size}"),
    }
}

/// What a higher rate breaks first.
fn binding_text(capacity: &Capacity) -> String {
    match (&capacity.binding, &capacity.served) {
        (Some(promise), _) => promise.to_string(),
        (None, Some(_)) => "the queue grows".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

impl CapacityReport {
    fn slo(&self) -> String {
        self.promises.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Report for CapacityReport {
    fn output(&self) -> &'static str {
        "capacity"
    }

    fn json(&self) -> Json {
        let one = |capacity: &Capacity| {
            let served = capacity.served.as_ref();
            json!({
                "arrivals": spread(capacity.arrivals), "requests_per_s": capacity.rate,
                "binding": capacity.binding.as_ref().map(ToString::to_string), "runs": capacity.runs,
                "ttft_s": percentiles_json(served.and_then(|served| served.ttft.as_ref())),
                "tpot_s": percentiles_json(served.and_then(|served| served.tpot.as_ref())),
                "output_tokens_per_s": served.map(|served| served.output_rate),
                "replicated_requests_per_s": capacity.replicated.map(estimate_json),
            })
        };
        let first = self.capacities.first();
        json!({
            "supernode": self.supernode, "workload": self.workload.0, "engine": self.engine, "slo": self.slo(),
            "requests_per_s": first.map(|capacity| capacity.rate), "binding": first.and_then(|capacity| capacity.binding.as_ref()).map(ToString::to_string),
            "mappings": self.mappings, "requests": self.requests, "seed": self.seed,
            "replications": self.replications,
            "by_arrivals": self.capacities.iter().map(one).collect::<Vec<_>>(),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let mut heads = vec!["<arrivals", "requests/s", "of the first", "<broken first beyond it", "TTFT p99", "TPOT p99", "output tokens/s"];
        if self.replications > 1 {
            heads.insert(2, "mean of all seeds");
        }
        let mut table = Table::new(&heads);
        let first = self.capacities.first().map_or(0.0, |capacity| capacity.rate);
        for capacity in &self.capacities {
            let time = |found: Option<f64>| found.map_or("-".to_owned(), |seconds| render(Seconds::new(seconds)));
            let served = capacity.served.as_ref();
            let mut row = vec![
                spread(capacity.arrivals),
                format!("{:.3}", capacity.rate),
                if first > 0.0 { format!("{:.0} %", 100.0 * capacity.rate / first) } else { "-".to_owned() },
                binding_text(capacity),
                time(served.and_then(|served| served.ttft).map(|times| times.p99)),
                time(served.and_then(|served| served.tpot).map(|times| times.p99)),
                served.map_or("-".to_owned(), |served| format!("{:.0}", served.output_rate)),
            ];
            if self.replications > 1 {
                row.insert(2, capacity.replicated.map_or("-".to_owned(), |rate| estimate_text(rate, |rate| format!("{rate:.3}"))));
            }
            table.row(row);
        }
        let facts = vec![
            ("service level".to_owned(), self.slo()),
            ("workload".to_owned(), self.workload.1.clone()),
            ("engine".to_owned(), engine_text(self.engine.as_deref())),
            ("mappings".to_owned(), self.mappings.join("; ")),
        ];
        let note = format!(
            "Rates are within 1 %: bisection over runs of {} requests that differ in the rate alone (seed {}). A run is doubled until requests come for ten times as long as one stays, and counts only if the number in the system does not grow.",
            self.requests, self.seed
        );
        vec![Section::Title(self.title.clone()), Section::Facts(facts), Section::Table(table), Section::Note(note)]
    }
}
