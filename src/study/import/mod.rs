//! A machine that another program describes, as a supernode file: what the source states, what `--map` adds, and nothing invented.
//!
//! | question | file |
//! | --- | --- |
//! | which part is each name of the source? | `map.rs` |
//! | which nodes and links join the chips, and what is not stated? | `joined.rs` |
//! | which pattern is it? | `recognise.rs` |
//! | how many switches is one address? | `unseen.rs` |
//! | what joins hosts that only network cards join? | `network.rs` |
//! | how is it written? | `toml_text.rs`; what a machine that the map names has as supply: `supply.rs` |
//! | does a file that `describe --full` wrote still say what it was expanded from? | `own.rs` |

mod joined;
mod map;
mod network;
mod own;
mod recognise;
mod supply;
mod toml_text;
mod toml_words;
mod unseen;

use std::path::PathBuf;
use std::sync::Arc;

use crate::fabric;
use crate::input::catalog::FoundText;
use crate::input::file_cache::FileReader;
use crate::input::foreign_graph::{ForeignGraph, ForeignNode};
use crate::input::problem::{Problem, Problems, Source};
use crate::input::spec::{Spec, supernode_of};
use crate::units::counted;

pub use joined::Joined;
pub use map::{Mapped, PartMap};
pub use recognise::{RecognisedStructure, recognise};
use supply::Contents;

/// Nodes that a message names.
const SHOWN: usize = 8;

/// A supernode file made from another program's.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The file.
    pub toml: String,
    /// What it means.
    pub spec: Spec,
    /// What was recognised, in words.
    pub structure: String,
    /// Where the source and the parts contradict each other.
    pub conflicts: Vec<String>,
    /// What was left out, and what else the source says.
    pub notes: Vec<String>,
}

/// Makes a supernode file of a graph.
///
/// # Errors
/// Nodes without an edge, chips that nothing joins, every fact that neither the source nor the map states, parts that do not fit together.
pub fn import(graph: &ForeignGraph, map: &PartMap) -> Result<Imported, Problems> {
    if let Some(description) = graph.description.as_deref().filter(|_| !map.graph_alone) {
        return own::import(graph, description);
    }
    refuse_incomplete(graph)?;
    let (whole, mut problems) = unseen::expanded(graph, map);
    let (graph, network) = network::of_hosts(&whole, map, &mut problems);
    let graph = &graph;
    let mut joined = Joined::new(graph, map, problems)?;
    joined.conflicts.extend(network.iter().flat_map(|network| network.conflicts.iter().cloned()));
    let structure = recognise(&joined);
    if structure == RecognisedStructure::Custom && !joined.hosts.is_empty() {
        let problem = Problem::new(format!("`{}` joins its chips over hosts, and not as a PCIe tree of equal branches", graph.name));
        return Err(problem.help("hosts pass traffic on in [level.pcie-tree] alone; omit the links to them if others join the chips").into());
    }
    let written = |joined: &Joined, with_racks: bool| {
        let toml = toml_text::write(graph, joined, &structure, network.as_ref(), with_racks);
        let spec = read_back(&toml).map_err(|problems| {
            let mut list = problems.into_list();
            list.push(Problem::new("the parts that --map names do not make a machine together").help("the text above is the file that was made"));
            as_problems(list)
        })?;
        Ok::<_, Problems>((toml, spec))
    };
    // Whether it is the machine whose racks they are is known once its parts are a fabric.
    let (_, without_racks) = written(&joined, false)?;
    let differ = joined.supply.racks_differ(&Contents::of(&without_racks)?);
    let with_racks = differ.is_none();
    joined.notes.extend(differ);
    let (toml, spec) = written(&joined, with_racks)?;
    let words = network.map_or_else(|| structure.words(), |network| format!("{} hosts on rails, each: {}", network.hosts, structure.words()));
    Ok(Imported { toml, spec, structure: words, conflicts: joined.conflicts, notes: joined.notes })
}

/// The spec of a text, once it builds.
fn read_back(toml: &str) -> Result<Spec, Problems> {
    let source = Arc::new(Source { name: "imported.toml".to_owned(), text: toml.to_owned() });
    // Parts that are named by a path stand where the command runs.
    let found = FoundText { source, folder: Some(PathBuf::new()) };
    let spec = supernode_of(&FileReader::default(), found, "imported")?;
    fabric::build(&spec)?;
    Ok(spec)
}

fn as_problems(list: Vec<Problem>) -> Problems {
    Problems::check(list, ()).err().unwrap_or_else(|| Problem::new("the file that was made cannot be read").into())
}

/// A file that states a node and no link to it, or a link to nothing, is not the whole machine.
fn refuse_incomplete(graph: &ForeignGraph) -> Result<(), Problems> {
    let broken = graph.broken.iter().take(SHOWN).map(|reason| Problem::new(format!("`{}`: {reason}", graph.name)));
    let mut problems: Vec<Problem> = broken.collect();
    let lonely = graph.lonely();
    if lonely.is_empty() {
        return Problems::check(problems, ());
    }
    let names = |nodes: &[&ForeignNode]| nodes.iter().take(SHOWN).map(|node| format!("`{}`", node.name)).collect::<Vec<_>>().join(", ");
    let more = if lonely.len() > SHOWN { format!(" and {} more", lonely.len() - SHOWN) } else { String::new() };
    let verb = if lonely.len() == 1 { "has" } else { "have" };
    let problem = Problem::new(format!("{} of `{}` {verb} no edge: {}{more}", counted(lonely.len(), "node"), graph.name, names(&lonely)));
    problems.insert(0, problem.help("the file does not say what they are joined to, so the machine is not known; add their links, or take them out"));
    Problems::check(problems, ())
}
