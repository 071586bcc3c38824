//! Parts by kind and level, counted on the real graph.

use std::collections::BTreeMap;

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
    /// Links that end at network cards, by the card's part.
    pub nic_links: BTreeMap<String, Vec<NicLinks>>,
    /// Memory expanders by part.
    pub memories: Vec<(String, u64)>,
    /// Switch chips by part and level.
    pub switches: Vec<SwitchLine>,
    /// Links by part and level.
    pub links: Vec<LinkLine>,
}

/// Links of one part that end at network cards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NicLinks {
    /// Index into [`Fabric::links`].
    pub link: u16,
    /// How many end there.
    pub count: u64,
    /// Their share of all links of the part.
    pub share: f64,
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

    /// Links that end at network cards of a part.
    #[must_use]
    pub fn links_at_nics(&self, part: &str) -> &[NicLinks] {
        self.nic_links.get(part).map_or(&[], Vec::as_slice)
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
        nic_links: nic_links(fabric),
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

/// The links at the cards of every part, and their share of all links of theirs.
fn nic_links(fabric: &Fabric) -> BTreeMap<String, Vec<NicLinks>> {
    let mut all: BTreeMap<u16, u64> = BTreeMap::new();
    let mut at_cards: BTreeMap<(u16, u16), u64> = BTreeMap::new();
    for edge in fabric.graph.edge_indices() {
        let (link, count) = (fabric.graph[edge].link, u64::from(fabric.graph[edge].count));
        *all.entry(link).or_default() += count;
        let Some((a, b)) = fabric.graph.edge_endpoints(edge) else { continue };
        for node in [a, b] {
            if let Endpoint::Nic(part) = fabric.graph[node].endpoint {
                *at_cards.entry((part, link)).or_default() += count;
            }
        }
    }
    let mut links: BTreeMap<String, Vec<NicLinks>> = BTreeMap::new();
    for ((part, link), count) in at_cards {
        #[expect(clippy::cast_precision_loss, reason = "link counts are far below 2^53")]
        let share = count as f64 / all[&link] as f64;
        links.entry(fabric.nics[part as usize].0.clone()).or_default().push(NicLinks { link, count, share });
    }
    links
}
