//! `supernode explain`: what a design rule of `check` means.

use serde_json::json;

use super::{CommandResult, Output};
use crate::input::problem::{Problem, suggest};
use crate::report::{self, Report, Section, Table};
use crate::study::{RULES, Rule};

/// Explain a design rule of `check`: what it examines, why, and the remedy. Without a name, all rules
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Name of the rule, as `check` prints it in brackets
    rule: Option<String>,
}

struct RuleNames(Vec<&'static Rule>);

impl Report for RuleNames {
    fn output(&self) -> &'static str {
        "explain"
    }

    fn json(&self) -> serde_json::Value {
        let rules = self
            .0
            .iter()
            .map(|rule| json!({ "name": rule.name, "severity": rule.severity.name(), "holds": rule.holds, "why": rule.why, "mend": rule.mend }));
        json!({ "rules": rules.collect::<Vec<_>>() })
    }

    fn sections(&self) -> Vec<Section> {
        if let [rule] = self.0.as_slice() {
            return vec![
                Section::Title(format!("{} ({})", rule.name, rule.severity.name())),
                Section::Note(rule.holds.to_owned()),
                Section::Note(rule.why.to_owned()),
                Section::Note(rule.mend.to_owned()),
            ];
        }
        let mut table = Table::new(&["<rule", "<severity", "<holds"]);
        self.0.iter().for_each(|rule| table.row([rule.name, rule.severity.name(), rule.holds].map(str::to_owned)));
        vec![Section::Table(table)]
    }
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let Some(name) = &arguments.rule else { return Ok(Output::report(&RuleNames(RULES.iter().collect()), format)) };
    match RULES.iter().find(|rule| rule.name == name) {
        Some(rule) => Ok(Output::report(&RuleNames(vec![rule]), format)),
        None => Err(Problem::new(format!("no rule is named `{name}`")).help(suggest(name, RULES.iter().map(|rule| rule.name))).into()),
    }
}
