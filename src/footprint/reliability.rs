//! How often the parts of a machine fail, and the chance that one is out at a given moment.

use petgraph::graph::{EdgeIndex, NodeIndex};

use super::damage::FailedPart;
use crate::fabric::{Endpoint, Fabric};
use crate::input::document::{Medium, Reliability, Wear};
use crate::units::Seconds;

/// A Julian year.
const YEAR: Seconds = Seconds::new(365.25 * 86_400.0);

/// Failures of one part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failures {
    /// In a year.
    pub per_year: f64,
    /// Share of time that the part is out: `rate x repair / (1 + rate x repair)`, the steady state of a part that is by turns up for
    /// `1 / rate` and down for the repair.
    pub out: f64,
}

impl Failures {
    fn of(wear: &Wear, parts: f64) -> Self {
        let per_year = wear.failures_per_year.value.get() * parts;
        let down = per_year * (wear.repair.value / YEAR);
        Self { per_year, out: down / (1.0 + down) }
    }
}

/// Failures of a part of the fabric. An optical link fails with either of its modules; where links share a module each bears its share.
#[must_use]
pub fn failures(reliability: &Reliability, fabric: &Fabric, part: FailedPart) -> Failures {
    match part {
        FailedPart::Node(node) => match fabric.graph[NodeIndex::new(node as usize)].endpoint {
            Endpoint::Chip => Failures::of(&reliability.chip, 1.0),
            Endpoint::Switch(_) => Failures::of(&reliability.switch, 1.0),
            Endpoint::Cpu(_) | Endpoint::Nic(_) | Endpoint::Memory(_) => Failures::of(&reliability.host, 1.0),
        },
        FailedPart::Link(edge) => {
            let link = fabric.graph[EdgeIndex::new(edge as usize)].link;
            match &fabric.links[link as usize].link.medium {
                Medium::Trace {} | Medium::Copper {} => Failures::of(&reliability.copper, 1.0),
                Medium::Retimed { retimers, .. } => Failures::of(&reliability.retimer, f64::from(*retimers)),
                Medium::Optical { links_per_module, .. } => Failures::of(&reliability.module, 2.0 / f64::from(*links_per_module)),
            }
        }
    }
}
