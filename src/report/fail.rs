//! `supernode fail`: what remains after failures.

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use super::simulate::engine_text;
use crate::study::{Chances, Remaining, SingleFailure, grouped};
use crate::units::{BytesPerSecond, render};

/// Failures of one supernode.
#[derive(Clone, Debug)]
pub struct FailReport {
    /// Shipped name or path.
    pub supernode: String,
    /// Name people use, with its maker.
    pub title: String,
    /// Name of the serving engine in force.
    pub engine: Option<String>,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Without failures.
    pub sound: Remaining,
    /// Parts that were asked to fail, by name.
    pub gone: Vec<String>,
    /// What remains without them.
    pub given: Option<Remaining>,
    /// Every part in turn, one of each class, worst first.
    pub singles: Vec<SingleFailure>,
    /// Names of the parts that stood for their classes.
    pub examples: Vec<String>,
    /// Share of the tokens served over the years.
    pub availability: f64,
    /// Random moments.
    pub chances: Option<Chances>,
}

fn remaining_json(remaining: &Remaining) -> Json {
    json!({
        "chips": remaining.chips,
        "all_to_all_bytes_per_s": remaining.all_to_all,
        "all_reduce_bytes_per_s": remaining.all_reduce,
        "tokens_per_s": remaining.tokens,
    })
}

/// What fewer chips may have more of, since they are nearer to each other: no loss.
const MORE: f64 = 1.005;

/// "97.3 %" of what the sound machine does. A piece of a machine that fell apart may do more for each of its chips than the whole did: then
/// what that piece does.
fn of_sound_or_piece(rate: BytesPerSecond, sound: BytesPerSecond) -> String {
    if rate > sound * MORE { format!("{}, largest piece", render(rate)) } else { of_sound(rate.get(), sound.get()) }
}

/// "97.3 %" of what the sound machine does.
fn of_sound(value: f64, sound: f64) -> String {
    if sound > 0.0 { format!("{:.2} %", 100.0 * value / sound) } else { "-".to_owned() }
}

impl FailReport {
    fn shares(&self, remaining: &Remaining) -> [String; 3] {
        let all_reduce = match (remaining.all_reduce, self.sound.all_reduce) {
            (Some(left), Some(sound)) => of_sound_or_piece(left, sound),
            _ => "-".to_owned(),
        };
        [of_sound_or_piece(remaining.all_to_all, self.sound.all_to_all), all_reduce, of_sound(remaining.tokens.get(), self.sound.tokens.get())]
    }

    fn facts(&self, remaining: &Remaining) -> Section {
        let [all_to_all, all_reduce, tokens] = self.shares(remaining);
        let reduce = remaining.all_reduce.map_or("-".to_owned(), render);
        Section::Facts(vec![
            ("chips".to_owned(), format!("{} of {}", remaining.chips, self.sound.chips)),
            ("all-to-all".to_owned(), format!("{} a chip, {all_to_all}", render(remaining.all_to_all))),
            ("all-reduce, 1 GiB".to_owned(), format!("busbw {reduce}, {all_reduce}")),
            ("tokens".to_owned(), format!("{} tokens/s, {tokens}", grouped(remaining.tokens.get()))),
            ("engine".to_owned(), engine_text(self.engine.as_deref())),
        ])
    }
}

impl Report for FailReport {
    fn output(&self) -> &'static str {
        "fail"
    }

    fn json(&self) -> Json {
        let singles: Vec<Json> = self
            .singles
            .iter()
            .zip(&self.examples)
            .map(|(single, example)| {
                json!({
                    "part": single.class.name, "example": example, "count": single.class.count,
                    "chips_lost": self.sound.chips - single.remaining.chips,
                    "remaining": remaining_json(&single.remaining),
                    "tokens_lost": single.tokens_lost,
                    "failures_per_year": single.failures_per_year,
                    "share_of_time_out": single.out,
                })
            })
            .collect();
        json!({
            "supernode": self.supernode,
            "engine": self.engine,
            "seed": self.seed,
            "sound": remaining_json(&self.sound),
            "gone": self.gone,
            "remaining": self.given.as_ref().map(remaining_json),
            "single_failures": singles,
            "failures_per_year": self.singles.iter().map(|single| single.failures_per_year).sum::<f64>(),
            "availability": self.availability,
            "chances": self.chances.as_ref().map(|chances| json!({
                "draws": chances.draws, "seed": chances.seed, "all_parts_work": chances.sound,
                "expected_tokens": chances.expected, "standard_error": chances.error, "kept_by_99_percent": chances.kept_by_99,
                "level": chances.above.0, "at_or_above_level": chances.above.1,
            })),
        })
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = vec![Section::Title(format!("{}, everything works", self.title)), self.facts(&self.sound)];
        if let Some(given) = &self.given {
            sections.push(Section::Title(format!("Without {}", self.gone.join(", "))));
            sections.push(self.facts(given));
        }
        sections.push(Section::Title("Every part in turn, worst first".into()));
        let mut table = Table::new(&["<part", "count", "<example", "chips lost", "all-to-all", "all-reduce", "tokens", "failures/year"]);
        for (single, example) in self.singles.iter().zip(&self.examples) {
            let [all_to_all, all_reduce, tokens] = self.shares(&single.remaining);
            table.row([
                single.class.name.clone(),
                single.class.count.to_string(),
                example.clone(),
                (self.sound.chips - single.remaining.chips).to_string(),
                all_to_all,
                all_reduce,
                tokens,
                format!("{:.2}", single.failures_per_year),
            ]);
        }
        sections.push(Section::Table(table));
        let parts: u64 = self.singles.iter().map(|single| single.class.count).sum();
        let yearly: f64 = self.singles.iter().map(|single| single.failures_per_year).sum();
        sections.push(Section::Facts(vec![
            ("parts".to_owned(), format!("{parts} in {} classes of like ones", self.singles.len())),
            ("failures".to_owned(), if yearly > 0.0 { format!("{yearly:.1} a year, one in {:.1} days", 365.25 / yearly) } else { "none".to_owned() }),
            ("served over the years".to_owned(), format!("{:.4} % of the tokens of a machine without failures", 100.0 * self.availability)),
        ]));
        if let Some(chances) = &self.chances {
            sections.push(Section::Title(format!("{} random moments, seed {}", chances.draws, chances.seed)));
            sections.push(Section::Facts(vec![
                ("all parts work".to_owned(), format!("in {:.2} %", 100.0 * chances.sound)),
                (
                    "tokens, mean".to_owned(),
                    format!("{:.4} % of the sound machine's, standard error {:.4} %", 100.0 * chances.expected, 100.0 * chances.error),
                ),
                ("tokens, 99 % of the time".to_owned(), format!("at least {:.2} %", 100.0 * chances.kept_by_99)),
                (
                    "above the level".to_owned(),
                    format!("{:.2} % of the time at least {:.1} % of the tokens", 100.0 * chances.above.1, 100.0 * chances.above.0),
                ),
            ]));
        }
        sections
    }
}
