//! `supernode train`: step time, tokens, utilisation, memory and watts of training.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::power::{power_json, power_sections};
use super::transients::{transients_json, transients_sections};
use crate::footprint::Transients;
use crate::study::{Goodput, MONTH, TrainingSimulation, grouped};
use crate::training::{TrainingStep, bubble};
use crate::units::{Bytes, Seconds, TokensPerSecond, render};

/// Training with the names of what was simulated.
#[derive(Clone, Debug)]
pub struct TrainingReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Levels of the fabric.
    pub levels: Vec<String>,
    /// Chips of the supernode.
    pub chips: u32,
    /// Memory of one rank that training may fill.
    pub usable_memory: Bytes,
    /// Shipped name or path of the workload, its name, and the model's.
    pub workload: (String, String, String),
    /// Result.
    pub simulation: TrainingSimulation,
    /// A month of such steps, with failures; absent where nothing fits or no failure rates are at hand.
    pub month: Option<Goodput>,
    /// How far watts swing within the fastest step.
    pub transients: Option<Transients>,
    /// Show the ten fastest layouts, and why others lost.
    pub explain: bool,
}

/// Layouts in the table of the fastest.
const SHOWN: usize = 10;

fn bubble_of(step: &TrainingStep) -> f64 {
    bubble(step.layout.pp, step.micro_batches, step.layout.interleave)
}

impl TrainingReport {
    fn step_json(&self, step: &TrainingStep) -> Json {
        let simulation = &self.simulation;
        let layout = &step.layout;
        let rate = simulation.rate(step).get();
        let exposed = step.exposed();
        json!({
            "mapping": {
                "tp": layout.tp, "cp": layout.cp, "ep": layout.ep, "dp": layout.dp, "pp": layout.pp, "micro_batch": layout.micro_batch,
                "micro_batches": step.micro_batches, "interleave": layout.interleave, "overlap": layout.overlap, "recompute": layout.recompute as u8,
            },
            "chips": simulation.chips(step),
            "step_s": step.time,
            "tokens_per_s": rate,
            "tokens_per_s_per_chip": rate / f64::from(simulation.chips(step)),
            "flop_per_s_per_chip": simulation.flop_rate(step),
            "mfu": simulation.utilisation(step),
            "clock": step.pace.clock,
            "lost_to_limit": 1.0 - 1.0 / step.slowdown(),
            "bubble": bubble_of(step),
            "micro_batch_forward_s": step.forward.time,
            "micro_batch_backward_s": step.backward.time,
            "exposed_communication_s": exposed,
            "exposed_communication_share": exposed / step.time,
            "time_s": step.parts().into_iter().map(|(name, time)| (name.to_owned(), json!(time))).collect::<serde_json::Map<_, _>>(),
            "gradients_and_weights_s": step.reduce.time + step.gather.time,
            "memory_bytes": {
                "weights": step.memory.weights, "gradients": step.memory.gradients, "optimizer": step.memory.optimizer,
                "activations": step.memory.activations, "total": step.memory.total(), "usable": self.usable_memory,
            },
        })
    }

    fn swings(&self) -> Vec<(&'static str, Transients)> {
        self.transients.iter().map(|transients| ("training", *transients)).collect()
    }

    /// Why nothing fits, and what would.
    fn refusal(&self) -> String {
        let simulation = &self.simulation;
        let why = simulation.search.nearest.map_or("no layout divides heads, layers, experts and batch".to_owned(), |(layout, bytes)| {
            format!("does not fit: {layout} needs least, {} on each rank, {} is usable", render(bytes), render(self.usable_memory))
        });
        let works = simulation.remedy.map_or("; nothing that was tried works".to_owned(), |remedy| {
            let all = self.chips * simulation.ranks_per_chip;
            let here = if remedy.ranks > all { format!("{} ranks", remedy.ranks) } else { "this machine".to_owned() };
            format!("; the nearest that works is {} on {here}, sequences of {} tokens", remedy.layout, remedy.sequence)
        });
        format!("{why}{works}")
    }

    /// The fastest layouts, where each loses most to the fastest of all, and what did not fit.
    fn explanation(&self, best: &TrainingStep) -> Vec<Section> {
        let simulation = &self.simulation;
        let mut table = Table::new(&["<layout", "step s", "tokens/s", "MFU", "bubble", "GB a rank", "<loses most in"]);
        for other in simulation.search.found.iter().take(SHOWN) {
            table.row([
                other.layout.to_string(),
                format!("{:.3}", other.time.get()),
                grouped(simulation.rate(other).get()),
                format!("{:.1} %", 100.0 * simulation.utilisation(other)),
                format!("{:.1} %", 100.0 * bubble_of(other)),
                format!("{:.1}", other.memory.total().get() / 1e9),
                loss(best, other),
            ]);
        }
        let mut sections = vec![Section::Title("Fastest layouts".into()), Section::Table(table)];
        if let Some((layout, bytes)) = simulation.search.nearest {
            let nearest = format!("{layout} needs {}, {} is usable", render(bytes), render(self.usable_memory));
            sections.push(Section::Note("Out of the question, and the nearest:".to_owned()));
            sections.push(Section::Facts(vec![(format!("{} do not fit", simulation.search.too_large), nearest)]));
        }
        sections
    }
}

/// Goodput over a month in words.
fn month_text(month: &Goodput, rate: TokensPerSecond) -> String {
    format!(
        "{:.2e} tokens: {:.1} % of the time, {:.1} failures, a checkpoint of {} every {}",
        rate.get() * month.share * MONTH.get(),
        100.0 * month.share,
        month.failures,
        render(month.checkpoint),
        render(month.interval)
    )
}

/// The part of a step in which it loses most to the fastest, with the share of that one's time.
fn loss(best: &TrainingStep, other: &TrainingStep) -> String {
    let losses = best.parts().into_iter().zip(other.parts()).map(|((name, best), (_, other))| (name, other - best));
    let most = losses.max_by(|a, b| a.1.get().total_cmp(&b.1.get())).filter(|(_, lost)| *lost > Seconds::ZERO);
    most.map_or(String::new(), |(name, lost)| format!("{name}, {:.1} %", 100.0 * (lost / best.time)))
}

impl Report for TrainingReport {
    fn output(&self) -> &'static str {
        "train"
    }

    fn json(&self) -> Json {
        let simulation = &self.simulation;
        let best = simulation.best();
        let rate = best.map_or(TokensPerSecond::ZERO, |step| simulation.rate(step));
        let search = &simulation.search;
        let mut keys = json!({
            "supernode": self.supernode,
            "workload": self.workload.0,
            "model": self.workload.2,
            "gemm": simulation.gemm.name(),
            "chips": self.chips,
            "tokens_per_step": simulation.tokens,
            "flop_per_token": simulation.flop_per_token,
            "peak_flop_per_s_per_chip": simulation.peak,
            "tried": search.found.len() + search.too_large,
            "fit": search.found.len(),
            "verdict": { "meets": best.is_some(), "reason": best.is_none().then(|| self.refusal()) },
            "best": best.map(|step| self.step_json(step)),
            "nearest": search.nearest.filter(|_| best.is_none() || self.explain)
                .map(|(layout, bytes)| json!({ "mapping": layout.to_string(), "memory_bytes": bytes, "usable_bytes": self.usable_memory })),
            "works": simulation.remedy
                .map(|remedy| json!({ "mapping": remedy.layout.to_string(), "ranks": remedy.ranks, "sequence": remedy.sequence })),
            "month": self.month.map(|month| json!({
                "goodput": month.share, "failures": month.failures, "checkpoint_s": month.checkpoint, "between_checkpoints_s": month.interval,
                "tokens": rate.get() * month.share * MONTH.get(),
            })),
            "joules_per_token": best.map(|step| simulation.energy_per_token(step)),
            "power": power_json(&simulation.power, rate, &self.levels),
            "transients": transients_json(&self.swings(), &simulation.power),
        });
        if self.explain {
            keys["layouts"] = search.found.iter().take(SHOWN).map(|step| self.step_json(step)).collect();
        }
        keys
    }

    fn sections(&self) -> Vec<Section> {
        let simulation = &self.simulation;
        let search = &simulation.search;
        let mut facts = vec![
            ("workload".to_owned(), self.workload.1.clone()),
            ("model".to_owned(), self.workload.2.clone()),
            ("GEMMs in".to_owned(), simulation.gemm.name().to_owned()),
            ("tokens a step".to_owned(), grouped(simulation.tokens)),
            ("layouts".to_owned(), format!("{} tried, {} fit", search.found.len() + search.too_large, search.found.len())),
        ];
        let Some(step) = simulation.best() else {
            facts.push(("verdict".to_owned(), format!("misses: {}", self.refusal())));
            return vec![Section::Title(self.title.clone()), Section::Facts(facts)];
        };
        let chips = simulation.chips(step);
        let rate = simulation.rate(step);
        facts.extend([
            ("verdict".to_owned(), "fits".to_owned()),
            ("mapping".to_owned(), step.layout.to_string()),
            ("chips".to_owned(), format!("{chips} of {}", self.chips)),
            ("step".to_owned(), render(step.time)),
            ("tokens".to_owned(), format!("{} tokens/s, {:.1} a chip", grouped(rate.get()), rate.get() / f64::from(chips))),
            ("model operations".to_owned(), format!("{:.1} TFLOP/s a chip", simulation.flop_rate(step).get() / 1e12)),
            ("MFU".to_owned(), format!("{:.1} % of {}'s peak", 100.0 * simulation.utilisation(step), simulation.gemm.name())),
            ("bubble".to_owned(), format!("{:.1} % of the pipeline ({} micro-batches)", 100.0 * bubble_of(step), step.micro_batches)),
            ("a month".to_owned(), self.month.map_or("failure rates are not at hand".to_owned(), |month| month_text(&month, rate))),
            ("clock".to_owned(), format!("{:.1} % of the highest", 100.0 * step.pace.clock)),
            ("energy".to_owned(), format!("{} a token", render(simulation.energy_per_token(step)))),
        ]);
        let mut times = Table::new(&["<time of a step", "s", "share"]);
        for (name, time) in step.parts() {
            times.row([name.to_owned(), format!("{:.4}", time.get()), format!("{:.1} %", 100.0 * (time / step.time))]);
        }
        let mut memory = Table::new(&["<memory of a rank", "GB"]);
        let held = &step.memory;
        for (name, bytes) in [
            ("weights", held.weights),
            ("gradients", held.gradients),
            ("optimizer", held.optimizer),
            ("activations", held.activations),
            ("all", held.total()),
            ("usable", self.usable_memory),
        ] {
            memory.row([name.to_owned(), format!("{:.2}", bytes.get() / 1e9)]);
        }
        let mut sections = vec![Section::Title(self.title.clone()), Section::Facts(facts), Section::Table(times), Section::Table(memory)];
        if self.explain {
            sections.extend(self.explanation(step));
        }
        sections.extend(power_sections(&simulation.power, rate, "trained", &self.levels));
        sections.extend(transients_sections(&self.swings(), &simulation.power));
        sections
    }
}
