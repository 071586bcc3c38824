//! Attention groups with unequal work. Passes are priced for groups that are all as full as the fullest, and for one group alone, and in between.

use crate::execution::{Machine, Mapping};

/// Groups that share experts; one if nothing works for all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnevenGroups(f64);

impl UnevenGroups {
    /// Those of an instance.
    pub(super) fn of(machine: &Machine<'_>, mapping: &Mapping) -> Self {
        Self(if machine.workload.model.experts().is_some() { f64::from(mapping.dp) } else { 1.0 })
    }

    /// How much of the way from groups that are all alike (0) to one group alone (1) a pass is, by the mean tokens of a group over those of the fullest.
    pub(super) fn alone(self, evenness: f64) -> f64 {
        if self.0 > 1.0 { ((1.0 - evenness) / (1.0 - 1.0 / self.0)).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The evenness at either end.
    pub(super) fn evenness(self, alone: bool) -> f64 {
        if alone { 1.0 / self.0 } else { 1.0 }
    }
}
