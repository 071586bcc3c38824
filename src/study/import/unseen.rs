//! Switches that a source knows as one address: as many as the map says.

use super::PartMap;
use crate::input::foreign_graph::{ForeignEdge, ForeignGraph, ForeignNode};
use crate::input::problem::Problem;

/// The graph with every such switch as the switches that it stands for, and what the map does not say about them.
pub(super) fn expanded(graph: &ForeignGraph, map: &PartMap) -> (ForeignGraph, Vec<Problem>) {
    let (mut out, mut problems) = (graph.clone(), Vec::new());
    for &place in &graph.unseen {
        match spread(graph, place, map) {
            Ok(shares) => split(&mut out, place, &shares),
            Err(problem) => problems.push(problem),
        }
    }
    out.unseen.clear();
    (out, problems)
}

/// Links of a chip to each of the switches.
fn spread(graph: &ForeignGraph, place: u32, map: &PartMap) -> Result<Vec<u32>, Problem> {
    let node = &graph.nodes[place as usize];
    let edges: Vec<&ForeignEdge> = graph.edges.iter().filter(|edge| edge.ends.contains(&place)).collect();
    let name = edges.first().map_or("", |edge| graph.links[edge.link as usize].name.as_str());
    let stated = edges.first().and_then(|edge| edge.count).unwrap_or(1);
    if edges.iter().any(|edge| edge.count.unwrap_or(1) != stated) {
        return Err(Problem::new(format!("chips have unequal numbers of links to `{}`, of which the host sees one address", node.component)));
    }
    let counts = |name: &str| map.of_name.get(name).map_or(&[][..], |mapped| &mapped.counts);
    match (counts(name), counts(&node.component)) {
        (several, _) if several.len() > 1 && several.iter().sum::<u32>() == stated => Ok(several.to_vec()),
        ([] | [_], [switches]) if stated.is_multiple_of(*switches) => Ok(vec![stated / switches; *switches as usize]),
        _ => {
            let message = format!("the file sees one address for all switches `{}`, to which each chip has {stated} links", node.component);
            let even = format!("add how many they are: --map {}=PART:{stated}", node.component);
            Err(Problem::new(message).help(format!("{even}, or the links to each: --map {name}=PART:5,4,4,5 (their sum is {stated})")))
        }
    }
}

/// Puts switches in the place of one.
fn split(graph: &mut ForeignGraph, place: u32, shares: &[u32]) {
    let ForeignNode { component, kind, .. } = graph.nodes[place as usize].clone();
    let places: Vec<u32> = (0..shares.len())
        .map(|number| {
            let node = ForeignNode { name: format!("{component}[{number}]"), component: component.clone(), kind };
            if number == 0 {
                graph.nodes[place as usize] = node;
                return place;
            }
            graph.nodes.push(node);
            u32::try_from(graph.nodes.len() - 1).unwrap_or(u32::MAX)
        })
        .collect();
    let (own, mut edges): (Vec<ForeignEdge>, Vec<ForeignEdge>) = graph.edges.iter().partition(|edge| edge.ends.contains(&place));
    for edge in own {
        for (to, count) in places.iter().zip(shares) {
            let ends = edge.ends.map(|end| if end == place { *to } else { end });
            edges.push(ForeignEdge { ends, count: Some(*count), ..edge });
        }
    }
    graph.edges = edges;
}
