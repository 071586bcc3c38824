//! `supernode train`: step time, tokens, utilisation, memory and watts of training.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::power::{power_json, power_sections};
use crate::study::TrainingSimulation;
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
    /// Show the ten fastest layouts.
    pub explain: bool,
}

/// Where the time of a step goes; adds up to the step.
fn parts(step: &TrainingStep) -> [(&'static str, Seconds); 7] {
    [
        ("kernels", step.kernels),
        ("transfers of layers, exposed", step.exposed_layers),
        ("handing over between stages", step.handovers),
        ("bubble", step.bubble),
        ("gradients and weights, exposed", step.exposed_data),
        ("optimizer", step.optimizer),
        ("power limit", step.power),
    ]
}

fn bubble_of(step: &TrainingStep) -> f64 {
    bubble(step.layout.pp, step.micro_batches, step.layout.interleave)
}

impl TrainingReport {
    fn step_json(&self, step: &TrainingStep) -> Json {
        let simulation = &self.simulation;
        let layout = &step.layout;
        let rate = simulation.rate(step).get();
        let exposed = step.exposed_layers + step.handovers + step.exposed_data;
        json!({
            "mapping": {
                "tp": layout.tp, "ep": layout.ep, "dp": layout.dp, "pp": layout.pp, "micro_batch": layout.micro_batch,
                "micro_batches": step.micro_batches, "interleave": layout.interleave, "overlap": layout.overlap, "recompute": layout.recompute,
            },
            "chips": simulation.chips(step),
            "step_s": step.time,
            "tokens_per_s": rate,
            "tokens_per_s_per_chip": rate / f64::from(simulation.chips(step)),
            "flop_per_s_per_chip": simulation.flop_rate(step),
            "mfu": simulation.utilisation(step),
            "bubble": bubble_of(step),
            "micro_batch_forward_s": step.forward,
            "micro_batch_backward_s": step.backward,
            "exposed_communication_s": exposed,
            "exposed_communication_share": exposed / step.time,
            "time_s": parts(step).into_iter().map(|(name, time)| (name.to_owned(), json!(time))).collect::<serde_json::Map<_, _>>(),
            "gradients_and_weights_s": step.data,
            "memory_bytes": {
                "weights": step.memory.weights, "gradients": step.memory.gradients, "optimizer": step.memory.optimizer,
                "activations": step.memory.activations, "total": step.memory.total(), "usable": self.usable_memory,
            },
        })
    }
}

impl Report for TrainingReport {
    fn json(&self) -> Json {
        let simulation = &self.simulation;
        let best = simulation.best();
        let rate = best.map_or(TokensPerSecond::ZERO, |step| simulation.rate(step));
        let shown = if self.explain { 10 } else { 0 };
        json!({
            "supernode": self.supernode,
            "workload": self.workload.0,
            "model": self.workload.2,
            "gemm": simulation.gemm.name(),
            "chips": self.chips,
            "tokens_per_step": simulation.tokens,
            "flop_per_token": simulation.flop_per_token,
            "peak_flop_per_s_per_chip": simulation.peak,
            "tried": simulation.search.tried,
            "fit": simulation.search.found.len(),
            "best": best.map(|step| self.step_json(step)),
            "layouts": simulation.search.found.iter().take(shown).map(|step| self.step_json(step)).collect::<Vec<_>>(),
            "nearest": best.is_none().then_some(simulation.search.nearest).flatten()
                .map(|(layout, bytes)| json!({ "mapping": layout.to_string(), "memory_bytes": bytes, "usable_bytes": self.usable_memory })),
            "joules_per_token": best.map(|step| simulation.energy_per_token(step)),
            "power": power_json(&simulation.power, rate, &self.levels),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let simulation = &self.simulation;
        let mut facts = vec![
            ("workload".to_owned(), self.workload.1.clone()),
            ("model".to_owned(), self.workload.2.clone()),
            ("GEMMs in".to_owned(), simulation.gemm.name().to_owned()),
            ("tokens a step".to_owned(), format!("{:.0}", simulation.tokens)),
            ("layouts".to_owned(), format!("{} tried, {} fit", simulation.search.tried, simulation.search.found.len())),
        ];
        let Some(step) = simulation.best() else {
            let why = simulation.search.nearest.map_or("no layout divides heads, layers, experts and batch".to_owned(), |(layout, bytes)| {
                format!("no layout fits: {layout} needs least, {} of {} a rank", render(bytes), render(self.usable_memory))
            });
            facts.push(("possible".to_owned(), format!("no: {why}")));
            return vec![Section::Title(self.title.clone()), Section::Facts(facts)];
        };
        let chips = simulation.chips(step);
        let rate = simulation.rate(step);
        facts.extend([
            ("mapping".to_owned(), step.layout.to_string()),
            ("chips".to_owned(), format!("{chips} of {}", self.chips)),
            ("step".to_owned(), render(step.time)),
            ("tokens".to_owned(), format!("{:.0} tokens/s, {:.1} a chip", rate.get(), rate.get() / f64::from(chips))),
            ("model operations".to_owned(), format!("{:.1} TFLOP/s a chip", simulation.flop_rate(step).get() / 1e12)),
            ("MFU".to_owned(), format!("{:.1} % of {}'s peak", 100.0 * simulation.utilisation(step), simulation.gemm.name())),
            ("bubble".to_owned(), format!("{:.1} % of the pipeline ({} micro-batches)", 100.0 * bubble_of(step), step.micro_batches)),
            ("energy".to_owned(), format!("{} a token", render(simulation.energy_per_token(step)))),
        ]);
        let mut times = Table::new(&["<time of a step", "s", "share"]);
        for (name, time) in parts(step) {
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
            let mut table = Table::new(&["<layout", "step s", "tokens/s", "MFU", "bubble", "GB a rank"]);
            for other in simulation.search.found.iter().take(10) {
                table.row([
                    other.layout.to_string(),
                    format!("{:.3}", other.time.get()),
                    format!("{:.0}", simulation.rate(other).get()),
                    format!("{:.1} %", 100.0 * simulation.utilisation(other)),
                    format!("{:.1} %", 100.0 * bubble_of(other)),
                    format!("{:.1}", other.memory.total().get() / 1e9),
                ]);
            }
            sections.extend([Section::Title("Fastest layouts".into()), Section::Table(table)]);
        }
        sections.extend(power_sections(&simulation.power, rate, "trained", &self.levels));
        sections
    }
}
