//! The supernode file of an imported graph.

use std::fmt::Write as _;

use super::joined::Joined;
use super::network::HostNetwork;
use super::recognise::RecognisedStructure;
use super::toml_words::{comment, quoted};
use crate::input::foreign_graph::ForeignGraph;

/// Writes the file.
pub(super) fn write(
    graph: &ForeignGraph,
    joined: &Joined,
    structure: &RecognisedStructure,
    network: Option<&HostNetwork>,
    with_racks: bool,
) -> String {
    let mut out = String::new();
    comment(&mut out, &format!("Imported from {}: {}.", graph.format, structure.words()));
    for conflict in &joined.conflicts {
        comment(&mut out, &format!("conflict: {conflict}."));
    }
    for note in &joined.notes {
        comment(&mut out, &format!("{note}."));
    }
    let name = if graph.name.is_empty() { "imported machine" } else { &graph.name };
    let _ = write!(
        out,
        "schema = 1\n\n[supernode]\nname = {}\nvendor = \"not stated\"\nchip = {}\nlibrary = {}\n",
        quoted(name),
        quoted(&joined.chip),
        quoted(&joined.library)
    );
    if let Some(chips) = host_chips(graph) {
        let _ = writeln!(out, "host_chips = {chips}");
    }
    levels(&mut out, joined, structure);
    out += &network.map_or_else(String::new, cluster);
    out += &joined.supply.toml(with_racks);
    out
}

/// Chips of each of several equal hosts that links join.
fn host_chips(graph: &ForeignGraph) -> Option<usize> {
    let last = *graph.hosts.iter().max()?;
    let of = |host: u32| graph.hosts.iter().filter(|known| **known == host).count();
    (last > 0 && (1..=last).all(|host| of(host) == of(0))).then(|| of(0))
}

/// The level of hosts that their network cards join.
fn cluster(network: &HostNetwork) -> String {
    let [cable, nic, nic_link, rail] = [&network.cable, &network.nic, &network.nic_link, &network.rail].map(|name| quoted(name));
    let mut out = format!(
        "\n[[level]]\nname = \"cluster\"\nsize = {}\nlink = {cable}\nnic = {{ part = {nic}, link = {nic_link} }}\n[level.rail]\npart = {rail}\n",
        network.hosts
    );
    if let Some((part, count, uplinks)) = &network.spine {
        let _ = writeln!(out, "spines = {{ part = {}, count = {count}, uplinks = {uplinks} }}", quoted(part));
    }
    out
}

fn level(out: &mut String, name: &str, size: usize, link: &str, links: u32) {
    let _ = write!(out, "\n[[level]]\nname = {}\nsize = {size}\nlink = {}\n", quoted(name), quoted(link));
    if links > 1 {
        let _ = writeln!(out, "links = {links}");
    }
}

fn levels(out: &mut String, joined: &Joined, structure: &RecognisedStructure) {
    let link = joined.links.first().map_or("", |link| link.part.as_str());
    let list = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let switch = || joined.switches.first().map_or("", String::as_str);
    match structure {
        RecognisedStructure::Single | RecognisedStructure::FullMesh { .. } | RecognisedStructure::Ring { .. } => {
            let (key, links) = match structure {
                RecognisedStructure::Ring { links } => ("ring", *links),
                RecognisedStructure::FullMesh { links } => ("full-mesh", *links),
                _ => ("full-mesh", 1),
            };
            level(out, "node", joined.chips, link, links);
            let _ = writeln!(out, "[level.{key}]");
        }
        RecognisedStructure::Torus { dimensions, links } | RecognisedStructure::Mesh { dimensions, links } => {
            let key = if matches!(structure, RecognisedStructure::Torus { .. }) { "torus" } else { "mesh" };
            level(out, "node", joined.chips, link, *links);
            let _ = writeln!(out, "[level.{key}]\ndimensions = [{}]", list(dimensions));
        }
        RecognisedStructure::Switch { links } => {
            let even = links.iter().all(|count| *count == links[0]);
            level(out, "node", joined.chips, link, if even { links[0] } else { 1 });
            let _ = writeln!(out, "[level.switch]\npart = {}\nplanes = {}", quoted(switch()), links.len());
            if !even {
                let _ = writeln!(out, "links_per_plane = [{}]", list(links));
            }
        }
        RecognisedStructure::Clos { chips_per_leaf, leaves, down, spines, up } => clos(out, joined, (*chips_per_leaf, *leaves, *spines), (down, up)),
        RecognisedStructure::PcieTree { switches, hosts, links: [down, up, across] } => {
            level(out, "host", joined.chips, &down.1, down.0);
            let host = joined.hosts.first().map_or("", String::as_str);
            let _ = writeln!(
                out,
                "[level.pcie-tree]\nswitch = {}\nswitches = {switches}\nuplink = {}\nuplinks = {}",
                quoted(switch()),
                quoted(&up.1),
                up.0
            );
            let _ = writeln!(out, "host = {}\nhosts = {hosts}\nhost_link = {}\nhost_links = {}", quoted(host), quoted(&across.1), across.0);
        }
        RecognisedStructure::Custom => custom(out, joined, link),
    }
}

fn clos(out: &mut String, joined: &Joined, (chips_per_leaf, leaves, spines): (u32, u32, u32), (down, up): (&(u32, String), &(u32, String))) {
    let leaf_ends = joined.links.iter().find(|link| link.ends[0] < joined.chips).map_or(joined.chips, |link| link.ends[1]);
    let leaf = &joined.switches[leaf_ends - joined.chips];
    let spine = joined
        .switches
        .iter()
        .zip(joined.chips..)
        .find(|(_, number)| !joined.links.iter().any(|link| link.ends[0] < joined.chips && link.ends[1] == *number));
    level(out, "leaf", chips_per_leaf as usize, &down.1, down.0);
    let _ = writeln!(out, "[level.switch]\npart = {}\nplanes = 1", quoted(leaf));
    level(out, "spine", leaves as usize, &up.1, up.0);
    let spine = spine.map_or("", |(part, _)| part.as_str());
    let _ = writeln!(out, "[level.clos]\nspine = {}\nspines_per_plane = {spines}", quoted(spine));
}

fn custom(out: &mut String, joined: &Joined, link: &str) {
    level(out, "node", joined.chips, link, 1);
    out.push_str("[level.custom]\n");
    let name = |node: usize| if node < joined.chips { node.to_string() } else { format!("s{}", node - joined.chips) };
    for (number, part) in joined.switches.iter().enumerate() {
        let _ = write!(out, "[[level.custom.switch]]\nname = \"s{number}\"\npart = {}\n", quoted(part));
    }
    for joined_link in &joined.links {
        let [first, second] = joined_link.ends.map(name);
        let _ = write!(out, "[[level.custom.link]]\nends = [\"{first}\", \"{second}\"]\nlinks = {}\n", joined_link.count);
        if joined_link.part != link {
            let _ = writeln!(out, "link = {}", quoted(&joined_link.part));
        }
    }
}
