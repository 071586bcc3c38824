//! Power supply and cooling of a machine that `--map` names, as they stand in its file: values with ranges, sources and confidence.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use petgraph::graph::NodeIndex;

use super::toml_words::{comment, quoted};
use crate::fabric::{self, Endpoint, kind_name};
use crate::input::catalog::Mention;
use crate::input::edit::{LeafValue, quantity};
use crate::input::file_cache::{FileReader, Log};
use crate::input::problem::Problems;
use crate::input::spec::{Spec, load_supernode_from};

/// What a machine's file says of its supply.
#[derive(Clone, Debug, Default)]
pub struct BorrowedSupply {
    /// Name of the machine.
    id: String,
    /// What stands in its racks: those of another machine say nothing of this one.
    holds: Contents,
    values: Vec<LeafValue>,
}

/// Chips, the nodes that pass traffic on, and the links between all of these, by part.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contents(BTreeMap<String, u32>);

impl Contents {
    /// Counts what a machine's fabric consists of.
    ///
    /// # Errors
    /// Problems of the fabric.
    pub(super) fn of(spec: &Spec) -> Result<Self, Problems> {
        let fabric = fabric::build(spec)?;
        let is_part = |node: NodeIndex| fabric.graph[node].endpoint == Endpoint::Chip || fabric.graph[node].forwards;
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for node in fabric.graph.node_indices().filter(|node| is_part(*node)) {
            let is_chip = fabric.graph[node].endpoint == Endpoint::Chip;
            let part = if is_chip { &spec.chip_part } else { kind_name(&fabric, node) };
            *counts.entry(format!("`{part}`")).or_default() += 1;
        }
        for edge in fabric.graph.raw_edges().iter().filter(|edge| is_part(edge.source()) && is_part(edge.target())) {
            *counts.entry(format!("links `{}`", fabric.links[usize::from(edge.weight.link)].id)).or_default() += edge.weight.count;
        }
        Ok(Self(counts))
    }

    /// The first part of which there is another number than in another machine.
    fn differs_from(&self, other: &Self) -> Option<String> {
        let count = |of: &Self, part: &String| of.0.get(part).copied().unwrap_or(0);
        let parts = self.0.keys().chain(other.0.keys());
        let mut unequal = parts.filter(|part| count(self, part) != count(other, part));
        unequal.next().map(|part| format!("they hold {} {part}, and this machine has {}", count(self, part), count(other, part)))
    }
}

impl BorrowedSupply {
    /// Reads the supply of a machine, by name or path.
    ///
    /// # Errors
    /// Problems of its files.
    pub(super) fn of(machine: &str) -> Result<Self, Problems> {
        let log = Mutex::new(Log::default());
        let spec = load_supernode_from(&FileReader::default().logged(&log), machine, &Mention::on_command_line())?;
        let read = log.into_inner().unwrap_or_else(PoisonError::into_inner);
        let values = read.leaves.into_iter().filter(|leaf| leaf.path.root() == "supply").collect();
        Ok(Self { holds: Contents::of(&spec)?, id: spec.id, values })
    }

    /// Why the racks are not those of a machine; `None` where they are, or where there are none.
    pub(super) fn racks_differ(&self, machine: &Contents) -> Option<String> {
        let has_racks = self.values.iter().any(is_of_racks);
        self.holds.differs_from(machine).filter(|_| has_racks).map(|why| format!("the racks of {} are not taken: {why}", self.id))
    }

    /// The tables `[supply]` and `[sources]`, with or without the racks.
    pub(super) fn toml(&self, with_racks: bool) -> String {
        let mut out = "\n[supply]\n".to_owned();
        comment(&mut out, &format!("As {}, which --map names.", self.id));
        let (racks, others): (Vec<&LeafValue>, Vec<&LeafValue>) = self.values.iter().partition(|leaf| is_of_racks(leaf));
        let mut addresses: Vec<&str> = Vec::new();
        for leaf in others {
            let _ = writeln!(out, "{} = {}", leaf.path.last(), value(leaf, &mut addresses));
        }
        if !racks.is_empty() && with_racks {
            let keys: Vec<String> = racks.iter().map(|leaf| format!("{} = {}", leaf.path.last(), value(leaf, &mut addresses))).collect();
            let _ = writeln!(out, "racks = {{ {} }}", keys.join(", "));
        }
        if !addresses.is_empty() {
            out += "\n[sources]\n";
        }
        for (number, address) in addresses.iter().enumerate() {
            let _ = writeln!(out, "{} = {}", key(number), quoted(address));
        }
        out
    }
}

fn is_of_racks(leaf: &LeafValue) -> bool {
    leaf.path.depth() > 2
}

fn key(number: usize) -> String {
    format!("SUPPLY{}", number + 1)
}

/// A value as TOML: a figure with all that its file says of it, a count or a word as it is.
fn value<'l>(leaf: &'l LeafValue, addresses: &mut Vec<&'l str>) -> String {
    if leaf.path.last() == "count" || quantity(&leaf.value).is_none() {
        return leaf.value.clone();
    }
    let mut keys = vec![format!("value = {}", leaf.value)];
    keys.extend(leaf.range.as_ref().map(|(low, high)| format!("range = [{low}, {high}]")));
    if let Some(address) = &leaf.source {
        let number = addresses.iter().position(|known| known == address).unwrap_or_else(|| {
            addresses.push(address);
            addresses.len() - 1
        });
        keys.push(format!("source = \"{}\"", key(number)));
    }
    keys.extend(leaf.confidence.as_ref().map(|word| format!("confidence = {}", quoted(word))));
    format!("{{ {} }}", keys.join(", "))
}
