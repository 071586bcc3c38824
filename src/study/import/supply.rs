//! Power supply and cooling of a machine that `--map` names, as they stand in its file: values with ranges, sources and confidence.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use super::toml_words::{comment, quoted};
use crate::input::catalog::Mention;
use crate::input::edit::{LeafValue, quantity};
use crate::input::file_cache::{FileReader, Log};
use crate::input::problem::Problems;
use crate::input::spec::load_supernode_from;

/// What a machine's file says of its supply.
#[derive(Clone, Debug, Default)]
pub struct BorrowedSupply {
    /// Name of the machine.
    id: String,
    /// Its chips: racks of a machine of another size say nothing of this one.
    chips: u32,
    values: Vec<LeafValue>,
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
        Ok(Self { chips: spec.chips(), id: spec.id, values })
    }

    /// The tables `[supply]` and `[sources]` of a machine of so many chips.
    pub(super) fn toml(&self, chips: usize) -> String {
        let mut out = "\n[supply]\n".to_owned();
        comment(&mut out, &format!("As {}, which --map names.", self.id));
        let (racks, others): (Vec<&LeafValue>, Vec<&LeafValue>) = self.values.iter().partition(|leaf| leaf.path.depth() > 2);
        let mut addresses: Vec<&str> = Vec::new();
        for leaf in others {
            let _ = writeln!(out, "{} = {}", leaf.path.last(), value(leaf, &mut addresses));
        }
        if !racks.is_empty() && chips == self.chips as usize {
            let keys: Vec<String> = racks.iter().map(|leaf| format!("{} = {}", leaf.path.last(), value(leaf, &mut addresses))).collect();
            let _ = writeln!(out, "racks = {{ {} }}", keys.join(", "));
        } else if !racks.is_empty() {
            comment(&mut out, &format!("Its racks are not taken: they hold {} chips, and these are {chips}.", self.chips));
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
