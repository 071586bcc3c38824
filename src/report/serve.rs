//! `supernode serve`: what users see, and how busy the machine is.

use serde_json::{Value as Json, json};

use super::chart::{ChartLine, LineChart};
use super::format::{Report, Section, Table};
use super::records::{Cells, Records};
use super::simulate::engine_text;
use crate::serving::queueing::{Percentiles, RequestStage, RouterPolicy, SchedulerRules};
use crate::study::{Estimate, Limits, Metric, Mode, Replications, ServeResult, grouped};
use crate::units::{Bytes, Seconds, render};

/// One run.
#[derive(Clone, Debug)]
pub struct ServeReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Shipped name or path of the workload, and its name.
    pub workload: (String, String),
    /// Where the requests come from.
    pub requests: String,
    /// Name of the engine in force.
    pub engine: Option<String>,
    /// The rules of its scheduler.
    pub rules: SchedulerRules,
    /// Whether prompts and answers share chips.
    pub mode: Mode,
    /// Mappings: of the instances that read prompts first, where others answer.
    pub mappings: Vec<String>,
    /// Instances of each.
    pub instances: Vec<u32>,
    /// Cache blocks of an attention group of each.
    pub blocks: Vec<u64>,
    /// Chips in use.
    pub chips: u32,
    /// How requests were spread.
    pub policy: RouterPolicy,
    /// What users are promised.
    pub limits: Option<Limits>,
    /// Cache of a mean prompt that goes to other instances.
    pub kv_bytes: Option<Bytes>,
    /// Seed.
    pub seed: u64,
    /// What came of it.
    pub served: ServeResult,
    /// The same with other seeds, if asked for.
    pub replications: Option<Replications>,
}

/// Percentiles under the contract's keys.
pub(super) fn percentiles_json(found: Option<&Percentiles>) -> Json {
    found.map_or(Json::Null, |of| json!({ "mean": of.mean, "p50": of.p50, "p90": of.p90, "p95": of.p95, "p99": of.p99 }))
}

/// A mean over replications and its standard error under the contract's keys.
pub(super) fn estimate_json(estimate: Estimate) -> Json {
    json!({ "mean": estimate.mean, "standard_error": estimate.error })
}

/// A mean over replications and its standard error.
pub(super) fn estimate_text(estimate: Estimate, text: impl Fn(f64) -> String) -> String {
    let mean = text(estimate.mean);
    estimate.error.map_or(mean.clone(), |error| format!("{mean} ± {}", text(error)))
}

const PERCENTILES: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];

fn replications_json(all: &Replications) -> Json {
    let mut json = json!({
        "count": all.count(), "overloaded": all.overloaded(), "output_tokens_per_s": all.output_rate().map(estimate_json),
        "goodput_requests_per_s": all.goodput().map(estimate_json),
    });
    for (metric, name) in Metric::ALL {
        let of = |percentile: &&str| ((*percentile).to_owned(), json!(all.time(metric, percentile).map(estimate_json)));
        json[format!("{name}_s")] = PERCENTILES.iter().map(of).collect::<serde_json::Map<_, _>>().into();
    }
    json
}

/// Percentiles over all replications, each with its standard error.
fn replications_table(all: &Replications) -> Table {
    let mut table = Table::new(&["<mean of all seeds", "mean", "p50", "p90", "p95", "p99"]);
    for (metric, _) in Metric::ALL {
        let seconds = |seconds: f64| render(Seconds::new(seconds));
        let cell = |percentile: &str| all.time(metric, percentile).map_or("-".to_owned(), |estimate| estimate_text(estimate, seconds));
        table.row(std::iter::once(time_name(metric).to_owned()).chain(PERCENTILES.map(cell)));
    }
    table
}

/// A time that users see, in words.
fn time_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Queue => "queue",
        Metric::Ttft => "time to first token",
        Metric::Tpot => "time per output token",
        Metric::Itl => "between two tokens",
        Metric::E2e => "end to end",
    }
}

/// Rows of percentiles.
pub(super) fn percentile_table(served: &ServeResult) -> Table {
    let mut table = Table::new(&["<time", "mean", "p50", "p90", "p95", "p99"]);
    for (metric, _) in Metric::ALL {
        let found = metric.of(served);
        let cells = found.map_or_else(
            || [const { String::new() }; 5].map(|_: String| "-".to_owned()),
            |of| [of.mean, of.p50, of.p90, of.p95, of.p99].map(|seconds| render(Seconds::new(seconds))),
        );
        table.row(std::iter::once(time_name(metric).to_owned()).chain(cells));
    }
    table
}

impl ServeReport {
    fn policy_name(&self) -> &'static str {
        RouterPolicy::ALL.iter().find(|entry| entry.0 == self.policy).map_or("", |entry| entry.1)
    }

    /// Whether it keeps up, first of all.
    fn answer(&self) -> String {
        let served = &self.served;
        let [arrived, ended, rejected] = served.counts;
        let state = if served.overloaded {
            let [half, last] = served.outcome.in_flight;
            format!(
                "OVERLOADED: requests come faster than they are served; {} waited and {} ran when the last one came, {half} in all when half had",
                served.outcome.backlog,
                last - served.outcome.backlog
            )
        } else if served.too_short {
            "too short to tell whether it keeps up: requests stay longer than a third of the time in which they come".to_owned()
        } else if ended == 0 {
            "serves nothing".to_owned()
        } else {
            "keeps up".to_owned()
        };
        let refused =
            if rejected > 0 { format!("; {rejected} can never be served: their caches are larger than an instance's") } else { String::new() };
        format!("{state}; {ended} of {arrived} requests ended{refused}")
    }

    fn facts(&self) -> Vec<(String, String)> {
        let served = &self.served;
        let laid = self.mappings.iter().zip(&self.instances).zip(&self.blocks);
        let laid: Vec<String> = laid
            .enumerate()
            .map(|(index, ((mapping, instances), blocks))| {
                let word = match (self.mappings.len(), index) {
                    (1, _) => "",
                    (_, 0) => "reading prompts: ",
                    _ => "decoding: ",
                };
                format!("{word}{instances} x {mapping}, {blocks} blocks of {} tokens a group", self.rules.block)
            })
            .collect();
        let mut facts = vec![
            ("answer".to_owned(), self.answer()),
            ("workload".to_owned(), format!("{}; {}", self.workload.1, self.requests)),
            ("engine".to_owned(), engine_text(self.engine.as_deref())),
            ("instances".to_owned(), format!("{}; router {}", laid.join("; "), self.policy_name())),
            (
                "throughput".to_owned(),
                format!(
                    "{} output tokens/s, {:.3} a chip, makespan {}",
                    grouped(served.output_rate),
                    served.output_rate / f64::from(self.chips.max(1)),
                    render(served.makespan)
                ),
            ),
        ];
        if let (Some(goodput), Some(limits)) = (served.goodput, &self.limits) {
            facts.push((
                "goodput".to_owned(),
                format!("{goodput:.3} requests/s within TTFT {} and TPOT {}", render(limits.ttft), render(limits.tpot)),
            ));
        }
        facts.extend(self.cache_facts());
        facts
    }

    /// Caches, transfers between instances, and how busy the machine is.
    fn cache_facts(&self) -> Vec<(String, String)> {
        let served = &self.served;
        let mut facts = vec![(
            "cache".to_owned(),
            format!(
                "{:.1} % of the shared blocks found, {:.1} % of all prompt tokens; {:.0} % of the blocks in use; {} preemptions",
                100.0 * served.prefix_hit,
                100.0 * served.found_tokens,
                100.0 * served.occupancy,
                served.preemptions
            ),
        )];
        let [own, shared] = served.loaded;
        if own + shared > Bytes::ZERO {
            let rate = |bytes: Bytes| render(bytes / served.makespan);
            facts.push((
                "prefixes read".to_owned(),
                format!(
                    "{} from own hosts, {} on average; {} from shared memory over the fabric, {}",
                    render(own),
                    rate(own),
                    render(shared),
                    rate(shared)
                ),
            ));
        }
        if let Some(bytes) = self.kv_bytes {
            facts.push((
                "KV transfer".to_owned(),
                format!("{} a mean prompt, {} tokens in all", render(bytes), grouped(served.outcome.transferred as f64)),
            ));
        }
        facts.push((
            "busy".to_owned(),
            format!(
                "instances {:.0} % of the time, ports {:.1} %; {} at the racks, {} a token",
                100.0 * served.busy,
                100.0 * served.wire,
                render(served.power),
                render(served.energy_per_token)
            ),
        ));
        facts
    }

    /// One row a request.
    #[must_use]
    pub fn records(&self) -> Records {
        let all = &self.served.outcome.sequences;
        let number = |of: &dyn Fn(&crate::serving::queueing::Sequence) -> Option<f64>| Cells::Number(all.iter().map(of).collect());
        let whole = |of: &dyn Fn(&crate::serving::queueing::Sequence) -> u32| Cells::Whole(all.iter().map(|one| Some(i64::from(of(one)))).collect());
        let ended = |one: &crate::serving::queueing::Sequence| one.stage == RequestStage::Finished;
        let columns = vec![
            ("id", Cells::Whole((0..all.len()).map(|index| i64::try_from(index).ok()).collect())),
            ("arrival_s", number(&|one| Some(one.arrived.seconds()))),
            ("queue_s", number(&|one| Some(one.scheduled?.since(one.arrived).seconds()))),
            ("ttft_s", number(&|one| ended(one).then(|| one.first.since(one.arrived).seconds()))),
            ("tpot_s", number(&|one| (ended(one) && one.output > 1).then(|| one.last.since(one.first).seconds() / f64::from(one.output - 1)))),
            ("e2e_s", number(&|one| ended(one).then(|| one.last.since(one.arrived).seconds()))),
            ("input_tokens", whole(&|one| one.input)),
            ("output_tokens", whole(&|one| one.output)),
            ("hit_tokens", whole(&|one| one.found)),
            ("preempted", whole(&|one| one.preempted)),
        ];
        let columns = columns.into_iter().map(|(name, cells)| (name.to_owned(), cells)).collect();
        Records { columns, about: vec![("program".to_owned(), format!("supernode {}", env!("CARGO_PKG_VERSION")))] }
    }

    /// Queue and time to first token over time.
    #[must_use]
    pub fn svg(&self) -> String {
        let over_time = &self.served.outcome.over_time;
        let length = over_time.length.seconds();
        let at = |index: usize| length * (index as f64 + 0.5);
        let spans = || over_time.spans.iter().enumerate();
        let end = self.served.makespan.get();
        // Four to ten marks of 1, 2 or 5 and zeros.
        let decade = 10_f64.powf((end / 4.0).max(1e-9).log10().floor());
        let step = [5.0, 2.0, 1.0].into_iter().map(|times| times * decade).find(|step| end / step >= 4.0).unwrap_or(decade);
        let ticks = || {
            (0..=40)
                .map(|tick| f64::from(tick) * step)
                .take_while(|at| *at <= end + step * 0.999)
                .map(|at| (at, format!("{at:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()))
                .collect()
        };
        let chart = |title: &str, y: &str, lines: Vec<ChartLine>| LineChart {
            title: title.to_owned(),
            x: "time, s".to_owned(),
            y: y.to_owned(),
            ticks: ticks(),
            lines,
            log: false,
        };
        let queue = chart(
            &format!("{} on {}", self.workload.1, self.title),
            "requests",
            vec![
                ChartLine { name: "waiting".to_owned(), points: spans().map(|(index, span)| (at(index), span.waiting / length)).collect() },
                ChartLine { name: "running".to_owned(), points: spans().map(|(index, span)| (at(index), span.running / length)).collect() },
            ],
        );
        let first = spans().filter(|(_, span)| span.first_token[1] > 0.0).map(|(index, span)| (at(index), span.first_token[0] / span.first_token[1]));
        let latency =
            chart("Mean time to first token", "time to first token, s", vec![ChartLine { name: "TTFT".to_owned(), points: first.collect() }]);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 760\" width=\"760\" height=\"760\">\n{}<g transform=\"translate(0 380)\">\n{}</g>\n</svg>\n",
            queue.svg(),
            latency.svg()
        )
    }
}

impl Report for ServeReport {
    fn output(&self) -> &'static str {
        "serve"
    }

    fn json(&self) -> Json {
        let served = &self.served;
        let [arrived, finished, rejected] = served.counts;
        let over_time = &served.outcome.over_time;
        let length = over_time.length.seconds();
        let waiting = served.power.get() - served.outcome.energy / served.makespan.get().max(1e-12);
        let spans: Vec<Json> = over_time
            .spans
            .iter()
            .enumerate()
            .map(|(index, span)| {
                json!({ "start_s": index as f64 * length, "waiting": span.waiting / length, "running": span.running / length, "output_tokens_per_s": span.tokens / length,
                    "power_w": waiting + span.energy / length, "joules_per_token": (span.tokens > 0.0).then(|| (waiting * length + span.energy) / span.tokens) })
            })
            .collect();
        json!({
            "supernode": self.supernode, "workload": self.workload.0, "engine": self.engine, "overloaded": served.overloaded, "too_short": served.too_short,
            "requests": { "arrived": arrived, "finished": finished, "unfinished": arrived - finished, "rejected": rejected },
            "queue_s": percentiles_json(served.queue.as_ref()), "ttft_s": percentiles_json(served.ttft.as_ref()),
            "tpot_s": percentiles_json(served.tpot.as_ref()), "itl_s": percentiles_json(served.itl.as_ref()), "e2e_s": percentiles_json(served.e2e.as_ref()),
            "output_tokens_per_s": served.output_rate, "goodput_requests_per_s": served.goodput, "prefix_hit": served.prefix_hit,
            "found_tokens": served.found_tokens, "preemptions": served.preemptions, "makespan_s": served.makespan, "mode": self.mode.name(),
            "mappings": self.mappings, "instances": self.instances, "blocks": self.blocks, "chips": self.chips, "router": self.policy_name(),
            "cache_occupancy": served.occupancy, "busy": served.busy, "fabric_utilisation": served.wire, "power_w": served.power,
            "joules_per_token": served.energy_per_token, "transferred_tokens": served.outcome.transferred, "loaded_bytes": served.loaded,
            "seed": self.seed, "passes": served.outcome.passes, "over_time": { "span_s": length, "spans": spans },
            "replications": self.replications.as_ref().map(replications_json),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let title = if self.served.overloaded { format!("{}: OVERLOADED", self.title) } else { self.title.clone() };
        let mut sections = vec![Section::Title(title), Section::Facts(self.facts()), Section::Table(percentile_table(&self.served))];
        if let Some(all) = &self.replications {
            sections.push(Section::Table(replications_table(all)));
            let rates = [("output tokens/s", all.output_rate()), ("requests/s within the limits", all.goodput())];
            let rates = rates.into_iter().filter_map(|(name, rate)| Some(format!("{} {name}", estimate_text(rate?, |rate| format!("{rate:.3}")))));
            let note = format!(
                "Means and standard errors of {} runs with seeds of their own: {}; {} of them overloaded. Facts above and files show the first.",
                all.count(),
                rates.collect::<Vec<_>>().join(", "),
                all.overloaded()
            );
            sections.push(Section::Note(note));
        }
        sections
    }
}
