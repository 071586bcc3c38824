//! Parts by kind and level, counted on the real graph.

use crate::fabric::{Endpoint, Fabric};
use crate::input::document::Medium;
use crate::units::Metres;

/// Parts of a supernode.
#[derive(Clone, Debug, PartialEq)]
pub struct Inventory {
    /// Accelerator packages.
    pub chips: u64,
    /// Host processors by part.
    pub cpus: Vec<(String, u64)>,
    /// Network cards by part.
    pub nics: Vec<(String, u64)>,
    /// Memory expanders by part.
    pub memories: Vec<(String, u64)>,
    /// Switch chips by part and level.
    pub switches: Vec<SwitchLine>,
    /// Links by part and level.
    pub links: Vec<LinkLine>,
}

/// Switch chips of one part at one level.
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchLine {
    /// Name in the catalog.
    pub part: String,
    /// Level that brought them in.
    pub level: u8,
    /// How many.
    pub count: u64,
}

/// Links of one part at one level.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkLine {
    /// Name in the catalog.
    pub part: String,
    /// Level that brought them in.
    pub level: u8,
    /// What carries the signal.
    pub medium: &'static str,
    /// Two-way links.
    pub count: u64,
    /// Optical modules on both ends together; zero for copper.
    pub modules: u64,
    /// Retimers on all of them.
    pub retimers: u64,
    /// Optical circuit switches that they cross.
    pub circuit_switches: u64,
    /// Cable or trace, all of them end to end.
    pub length: Metres,
}

impl Inventory {
    /// Switch chips of all parts.
    #[must_use]
    pub fn switch_count(&self) -> u64 {
        self.switches.iter().map(|line| line.count).sum()
    }

    /// Links of all parts.
    #[must_use]
    pub fn link_count(&self) -> u64 {
        self.links.iter().map(|line| line.count).sum()
    }

    /// Optical modules of all links.
    #[must_use]
    pub fn module_count(&self) -> u64 {
        self.links.iter().map(|line| line.modules).sum()
    }
}

/// Counts the parts of a fabric, innermost level first.
#[must_use]
pub fn inventory(fabric: &Fabric) -> Inventory {
    let mut inventory = Inventory {
        chips: u64::from(fabric.chips),
        cpus: Vec::new(),
        nics: Vec::new(),
        memories: Vec::new(),
        switches: Vec::new(),
        links: Vec::new(),
    };
    for node in fabric.graph.node_weights() {
        match node.endpoint {
            Endpoint::Chip => {}
            Endpoint::Cpu(part) => count(&mut inventory.cpus, &fabric.cpus[part as usize].0),
            Endpoint::Nic(part) => count(&mut inventory.nics, &fabric.nics[part as usize].0),
            Endpoint::Memory(part) => count(&mut inventory.memories, &fabric.memories[part as usize].0),
            Endpoint::Switch(part) => {
                let part = &fabric.switches[part as usize].id;
                match inventory.switches.iter_mut().find(|line| line.part == *part && line.level == node.level) {
                    Some(line) => line.count += 1,
                    None => inventory.switches.push(SwitchLine { part: part.clone(), level: node.level, count: 1 }),
                }
            }
        }
    }
    for edge in fabric.graph.edge_weights() {
        let spec = &fabric.links[edge.link as usize];
        let count = u64::from(edge.count);
        match inventory.links.iter_mut().find(|line| line.part == spec.id && line.level == edge.level) {
            Some(line) => line.count += count,
            None => inventory.links.push(LinkLine {
                part: spec.id.clone(),
                level: edge.level,
                medium: spec.link.medium.name(),
                count,
                modules: 0,
                retimers: 0,
                circuit_switches: 0,
                length: Metres::ZERO,
            }),
        }
    }
    for line in &mut inventory.links {
        let Some(spec) = fabric.links.iter().find(|spec| spec.id == line.part) else { continue };
        match &spec.link.medium {
            Medium::Optical { links_per_module, circuit, .. } => {
                line.modules = 2 * line.count.div_ceil(u64::from(*links_per_module));
                line.circuit_switches = circuit.as_ref().map_or(0, |circuit| line.count.div_ceil(u64::from(circuit.ports)));
            }
            Medium::Retimed { retimers, .. } => line.retimers = line.count * u64::from(*retimers),
            Medium::Trace {} | Medium::Copper {} => {}
        }
        #[expect(clippy::cast_precision_loss, reason = "link counts are far below 2^53")]
        let count = line.count as f64;
        line.length = spec.link.length.value * count;
    }
    inventory
}

fn count(lines: &mut Vec<(String, u64)>, name: &str) {
    match lines.iter_mut().find(|line| line.0 == name) {
        Some(line) => line.1 += 1,
        None => lines.push((name.to_owned(), 1)),
    }
}
