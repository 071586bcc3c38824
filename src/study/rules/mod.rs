//! Design rules: what a right file may still say of a machine that nobody could build, price or trust.
//!
//! | question | file |
//! | --- | --- |
//! | which rules are there, and what do they mean? | `catalogue.rs` |
//! | are the figures of parts those of things that exist? | `figures.rs` |
//! | do the parts of a machine fit each other? | `machine.rs` |

mod catalogue;
mod figures;
mod machine;

pub use catalogue::{RULES, Rule, Severity};
pub use figures::check_figures;
pub use machine::{MachineFacts, check_link, check_machine};

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFinding {
    /// The rule.
    pub rule: &'static Rule,
    /// How much it matters here.
    pub severity: Severity,
    /// What was found.
    pub message: String,
}

impl RuleFinding {
    fn new(rule: &str, message: String) -> Self {
        let rule = catalogue::rule_named(rule);
        Self { rule, severity: rule.severity, message }
    }

    fn at_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}
