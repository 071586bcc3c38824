//! The chips of a graph and what joins them, every name followed to its part; all that is missing is asked for at once.

use std::collections::{BTreeMap, BTreeSet};

use super::supply::BorrowedSupply;
use super::{PartMap, SHOWN, network};
use crate::input::catalog::shipped;
use crate::input::document::{ChipFile, CpuFile, FileKind, Kind, LibraryFile, LinkFile, SwitchFile};
use crate::input::foreign_graph::{ForeignGraph, ForeignKind, ForeignLink, ForeignNode};
use crate::input::problem::{Problem, Problems, suggest};
use crate::input::spec::{LinkSpec, load_link};
use crate::units::{Bytes, BytesPerSecond, counted, render};

/// A rate that differs from a part's by less is the same, rounded.
const SAME_RATE: f64 = 0.02;

/// What joins the chips.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Chip part.
    pub chip: String,
    /// Communication library part.
    pub library: String,
    /// A machine whose power supply and cooling this one shares.
    pub supply: BorrowedSupply,
    /// Chips.
    pub chips: usize,
    /// Parts of the switches; their numbers follow the chips'.
    pub switches: Vec<String>,
    /// Parts of the hosts that pass traffic on; their numbers follow the switches'.
    pub hosts: Vec<String>,
    /// Links: both ends, link part, how many in parallel.
    pub links: Vec<JoinedLink>,
    /// Where the source and the parts contradict each other.
    pub conflicts: Vec<String>,
    /// What was left out.
    pub notes: Vec<String>,
}

/// Parallel links between two nodes, numbered chips first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JoinedLink {
    /// The lower number first.
    pub ends: [usize; 2],
    /// Link part.
    pub part: String,
    /// How many.
    pub count: u32,
}

impl Joined {
    /// Follows all names; `problems` are those that were found before.
    ///
    /// # Errors
    /// Everything that neither the source nor the map states; chips that nothing joins.
    pub fn new(graph: &ForeignGraph, map: &PartMap, problems: Vec<Problem>) -> Result<Self, Problems> {
        let mut asking = Asking { graph, map, problems, unnamed: BTreeSet::new() };
        let kept = asking.kept_links();
        let used = asking.used_nodes(&kept);
        let chip = asking.chip();
        let mut numbers: BTreeMap<u32, usize> = BTreeMap::new();
        let mut parts: [Vec<String>; 3] = [Vec::new(), Vec::new(), Vec::new()];
        for (group, kind) in [ForeignKind::Chip, ForeignKind::Switch, ForeignKind::Host].into_iter().enumerate() {
            for (place, node) in (0u32..).zip(&graph.nodes).filter(|(_, node)| node.kind == kind) {
                if group == 0 || used.contains(&place) {
                    numbers.insert(place, numbers.len());
                    let part = match group {
                        0 => chip.clone(),
                        1 => asking.part::<SwitchFile>(&node.component, "switch"),
                        _ => asking.part::<CpuFile>(&node.component, "CPU"),
                    };
                    parts[group].push(part);
                }
            }
        }
        let [chips, switches, hosts] = parts;
        let (library, supply) = (asking.of_none("library", "communication library", &shipped::<LibraryFile>()), asking.supply());
        let mut joined =
            Self { chip, library, supply, chips: chips.len(), switches, hosts, links: Vec::new(), conflicts: Vec::new(), notes: Vec::new() };
        asking.links(&kept, &numbers, &mut joined);
        asking.unused();
        joined.notes.extend(graph.remarks.iter().cloned());
        joined.notes.extend(left_out(graph, &kept, &used));
        let Asking { problems, .. } = asking;
        Problems::check(problems, ())?;
        joined.links.sort();
        joined.leave_hosts();
        joined.refuse_apart(graph)?;
        Ok(joined)
    }

    /// Hosts that only hang on the chips or switches are no part of what joins them.
    fn leave_hosts(&mut self) {
        let first_host = self.chips + self.switches.len();
        let without: Vec<JoinedLink> = self.links.iter().filter(|link| link.ends[1] < first_host).cloned().collect();
        if self.hosts.is_empty() || apart(self.chips, first_host, &without).is_some() {
            return;
        }
        self.notes.push(format!(
            "left out, since the chips are joined without them: {} with {}",
            counted(self.hosts.len(), "host"),
            counted(self.links.len() - without.len(), "link")
        ));
        self.links = without;
        self.hosts.clear();
    }

    /// Refuses chips that nothing joins.
    fn refuse_apart(&self, graph: &ForeignGraph) -> Result<(), Problems> {
        if self.chips == 0 {
            return Err(Problem::new(format!("`{}` has no accelerator", graph.name))
                .help("expected nodes of kind xpu (InfraGraph), <gpu> (NCCL) or GPUs (hwloc)")
                .into());
        }
        let nodes = self.chips + self.switches.len() + self.hosts.len();
        let Some(apart) = apart(self.chips, nodes, &self.links) else { return Ok(()) };
        let chips: Vec<&ForeignNode> = graph.nodes.iter().filter(|node| node.kind == ForeignKind::Chip).collect();
        let problem = Problem::new(format!("nothing that was kept joins `{}` to `{}`", chips[0].name, chips[apart].name));
        Err(problem
            .help("only links between chips, switches and the hosts of a PCIe tree are followed: map those that join them instead of omitting them, or import one device on its own")
            .into())
    }
}

/// The first chip that links do not join to chip 0.
fn apart(chips: usize, nodes: usize, links: &[JoinedLink]) -> Option<usize> {
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for link in links {
        neighbours[link.ends[0]].push(link.ends[1]);
        neighbours[link.ends[1]].push(link.ends[0]);
    }
    let mut seen = vec![false; nodes];
    let mut waiting = vec![0];
    seen[0] = true;
    while let Some(node) = waiting.pop() {
        for &next in &neighbours[node] {
            if !std::mem::replace(&mut seen[next], true) {
                waiting.push(next);
            }
        }
    }
    seen[..chips].iter().position(|seen| !seen)
}

/// Follows names, and notes those that lead nowhere.
struct Asking<'a> {
    graph: &'a ForeignGraph,
    map: &'a PartMap,
    problems: Vec<Problem>,
    /// Kinds of links that were asked for: they have no part yet.
    unnamed: BTreeSet<String>,
}

/// The word by which `list` names the files of a kind.
fn kinds<K: FileKind>() -> &'static str {
    Kind::ALL.into_iter().find(|kind| kind.word() == K::KIND).map_or(K::KIND, Kind::plural)
}

/// Kinds of nodes that a supernode's fabric has.
fn is_fabric(node: &ForeignNode) -> bool {
    matches!(node.kind, ForeignKind::Chip | ForeignKind::Switch | ForeignKind::Host)
}

impl Asking<'_> {
    /// Which kinds of links join chips, switches and hosts, and are not omitted. A link that leads to a chip, or over switches to several, has to be
    /// named; others are left out.
    fn kept_links(&mut self) -> Vec<bool> {
        let (graph, map) = (self.graph, self.map);
        let mut kept = vec![false; graph.links.len()];
        for (place, link) in graph.links.iter().enumerate() {
            let edges = || graph.edges.iter().filter(|edge| edge.link as usize == place);
            let inside = edges().filter(|edge| edge.ends.iter().all(|&end| is_fabric(&graph.nodes[end as usize]))).count();
            match map.of_name.get(&link.name) {
                Some(mapped) => kept[place] = mapped.part.is_some() && inside > 0,
                None if inside == 0 => {}
                None if shipped::<LinkFile>().contains(&link.name) => kept[place] = true,
                None => {
                    // Kept, so that what it leads to is asked for as well.
                    kept[place] = true;
                    if !self.unnamed.insert(link.name.clone()) {
                        continue;
                    }
                    let joins = |end: u32| graph.nodes[end as usize].component.clone();
                    let mut ends: Vec<String> = edges().map(|edge| format!("{} and {}", joins(edge.ends[0]), joins(edge.ends[1]))).collect();
                    ends.sort();
                    ends.dedup();
                    ends.truncate(SHOWN);
                    let unstated_count = edges().find_map(|edge| edge.count).map_or_else(|| ":LINKS".to_owned(), |_| String::new());
                    let about = stated(link).map_or_else(String::new, |about| format!(" The file says: {about}."));
                    self.problems.push(
                        Problem::new(format!(
                            "link `{}` is no known part ({}, between {})",
                            link.name,
                            counted(edges().count(), "edge"),
                            ends.join("; ")
                        ))
                        .help(format!(
                            "add --map {0}=PART{unstated_count} (`supernode list links`), or --map {0}=omit to leave it out.{about}",
                            link.name
                        )),
                    );
                }
            }
        }
        kept
    }

    /// Nodes that kept links reach.
    fn used_nodes(&self, kept: &[bool]) -> BTreeSet<u32> {
        let edges = self.graph.edges.iter().filter(|edge| kept[edge.link as usize]);
        let inside = edges.filter(|edge| edge.ends.iter().all(|&end| is_fabric(&self.graph.nodes[end as usize])));
        inside.flat_map(|edge| edge.ends).collect()
    }

    fn chip(&mut self) -> String {
        let components: BTreeSet<&str> =
            self.graph.nodes.iter().filter(|node| node.kind == ForeignKind::Chip).map(|node| node.component.as_str()).collect();
        let components: Vec<String> = components.into_iter().map(str::to_owned).collect();
        if components.len() > 1 {
            let names = components.join("`, `");
            self.problems.push(Problem::new(format!("the accelerators `{names}` are several parts")).help("a supernode has one kind of chip"));
        }
        components.first().map_or_else(String::new, |component| self.part::<ChipFile>(component, "chip"))
    }

    /// The part that a component is.
    fn part<K: FileKind>(&mut self, component: &str, what: &str) -> String {
        if let Some(part) = self.map.of_name.get(component).and_then(|mapped| mapped.part.clone()) {
            return part;
        }
        let known = shipped::<K>();
        if known.iter().any(|known| known == component) {
            return component.to_owned();
        }
        let message = format!("{what} `{component}` is no known part");
        if !self.problems.iter().any(|problem| problem.message == message) {
            let count = self.graph.nodes.iter().filter(|node| node.component == component).count();
            self.problems.push(Problem::new(message).help(format!(
                "add --map {component}=PART, a {what} part, for {} (`supernode list {}`)",
                counted(count, "node"),
                kinds::<K>()
            )));
        }
        String::new()
    }

    /// What no graph holds.
    fn of_none(&mut self, name: &str, what: &str, known: &[String]) -> String {
        self.map.of_name.get(name).and_then(|mapped| mapped.part.clone()).unwrap_or_else(|| {
            let known = suggest("?", known.iter().map(String::as_str));
            self.problems
                .push(Problem::new(format!("the file does not say which {what} the machine has")).help(format!("add --map {name}=NAME; {known}")));
            String::new()
        })
    }

    fn supply(&mut self) -> BorrowedSupply {
        let named = self.map.of_name.get("supply").and_then(|mapped| mapped.part.clone());
        match named.as_deref().map(BorrowedSupply::of) {
            Some(Ok(supply)) => return supply,
            Some(Err(problems)) => self.problems.extend(problems.into_list()),
            None => self.problems.push(
                Problem::new("the file does not say how power is supplied and heat taken away")
                    .help("add --map supply=SUPERNODE to take the losses of a shipped machine (`supernode list supernodes`)"),
            ),
        }
        // Never written: a problem is noted.
        BorrowedSupply::default()
    }

    /// Every kept edge with its part and number of links; what they say against what the parts say.
    fn links(&mut self, kept: &[bool], numbers: &BTreeMap<u32, usize>, joined: &mut Joined) {
        let mut parts: BTreeMap<u32, Option<(String, LinkSpec)>> = BTreeMap::new();
        for edge in self.graph.edges.iter().filter(|edge| kept[edge.link as usize]) {
            let (Some(&a), Some(&b)) = (numbers.get(&edge.ends[0]), numbers.get(&edge.ends[1])) else { continue };
            let link = &self.graph.links[edge.link as usize];
            let Some((part, spec)) = parts.entry(edge.link).or_insert_with(|| self.link_part(&link.name)) else { continue };
            let ends = [a.min(b), a.max(b)];
            let switch = (ends[1] >= joined.chips).then(|| ends[1] - joined.chips);
            let Some(count) = self.count(edge.count, link, switch, spec) else { continue };
            if let Some(conflict) = conflict(link, spec, count)
                && !joined.conflicts.contains(&conflict)
            {
                joined.conflicts.push(conflict);
            }
            joined.links.push(JoinedLink { ends, part: part.clone(), count });
        }
    }

    fn link_part(&mut self, name: &str) -> Option<(String, LinkSpec)> {
        if self.unnamed.contains(name) {
            return None;
        }
        let part = self.map.of_name.get(name).and_then(|mapped| mapped.part.clone()).unwrap_or_else(|| name.to_owned());
        match load_link(&part) {
            Ok(spec) => Some((part, spec)),
            Err(problems) => {
                self.problems.extend(problems.into_list());
                None
            }
        }
    }

    /// Parallel links of an edge: as the file says, as the map says, or as many as carry the rate that the file states.
    fn count(&mut self, in_file: Option<u32>, link: &ForeignLink, switch: Option<usize>, spec: &LinkSpec) -> Option<u32> {
        let counts = self.map.of_name.get(&link.name).map_or(&[][..], |mapped| &mapped.counts);
        let mapped = match counts {
            [] => None,
            [one] => Some(*one),
            several => switch.and_then(|switch| several.get(switch).copied()).or_else(|| {
                let message = format!("`{}` is mapped to {} numbers of links, which are one for each switch", link.name, several.len());
                self.note_once(message, "give one number, or as many as there are switches, in the order of the file");
                None
            }),
        };
        if let (Some(stated), Some(mapped)) = (in_file, mapped)
            && stated != mapped
        {
            self.note_once(
                format!("the file states {} of `{}` where the map says {mapped}", counted(stated, "link"), link.name),
                "leave the number out of --map",
            );
            return None;
        }
        if !counts.is_empty() && mapped.is_none() {
            return None;
        }
        in_file.or(mapped).or_else(|| whole_links(link, spec)).or_else(|| {
            let message = format!("the file does not say how many links `{}` stands for between two nodes", link.name);
            self.note_once(message, &format!("add the number: --map {}={}:1, or one for each switch, as in :5,4,4,5", link.name, spec.id));
            None
        })
    }

    fn note_once(&mut self, message: String, help: &str) {
        if !self.problems.iter().any(|problem| problem.message == message) {
            self.problems.push(Problem::new(message).help(help));
        }
    }

    /// Names of the map that the source does not have.
    fn unused(&mut self) {
        let graph = self.graph;
        let names: BTreeSet<&str> = graph
            .nodes
            .iter()
            .map(|node| node.component.as_str())
            .chain(graph.links.iter().map(|link| link.name.as_str()))
            .chain(graph.ports.iter().map(|port| port.name.as_str()))
            .chain(["library", "supply"])
            .chain(network::NAMES)
            .collect();
        for name in self.map.of_name.keys().filter(|name| !names.contains(name.as_str())) {
            self.problems
                .push(Problem::new(format!("--map names `{name}`, which the file does not have")).help(suggest(name, names.iter().copied())));
        }
    }
}

/// What the file says about a link, in words.
fn stated(link: &ForeignLink) -> Option<String> {
    let rate = link.bytes_per_s.map(|rate| format!("{} one way", render(BytesPerSecond::new(rate))));
    link.about.iter().filter(|about| !about.trim().is_empty()).cloned().chain(rate).reduce(|a, b| format!("{a}, {b}"))
}

/// Signalling and payload rate of one link, one way, bytes/s.
fn rates(spec: &LinkSpec) -> [f64; 2] {
    [(spec.link.lane_rate.value * f64::from(spec.link.lanes)).get(), crate::fabric::payload_rate(spec, Bytes::new(1e9)).get()]
}

/// How many links carry the rate that the file states, if a whole number does.
fn whole_links(link: &ForeignLink, spec: &LinkSpec) -> Option<u32> {
    let stated = link.bytes_per_s?;
    let fits = |rate: f64| {
        let links = (stated / rate).round();
        ((1.0..=4096.0).contains(&links) && (stated / (links * rate) - 1.0).abs() <= SAME_RATE).then_some(links)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 4096")]
    rates(spec).into_iter().find_map(fits).map(|links| links as u32)
}

/// Where the file states another rate than the part has.
fn conflict(link: &ForeignLink, spec: &LinkSpec, count: u32) -> Option<String> {
    let stated = link.bytes_per_s?;
    let [signalling, payload] = rates(spec);
    let differs = |rate: f64| (stated / rate - 1.0).abs() > SAME_RATE;
    let all = [signalling, payload].into_iter().flat_map(|rate| [rate, rate * f64::from(count)]);
    all.clone().all(differs).then(|| {
        let [stated, signalling, payload] = [stated, signalling, payload].map(|rate| render(BytesPerSecond::new(rate)));
        format!(
            "the file gives `{}` {stated} one way; `{}` signals at {signalling} and carries {payload}, times {}",
            link.name,
            spec.id,
            counted(count, "link")
        )
    })
}

/// What a supernode's fabric does not hold.
fn left_out(graph: &ForeignGraph, kept: &[bool], used: &BTreeSet<u32>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, node) in (0u32..).zip(&graph.nodes) {
        if node.kind != ForeignKind::Chip && !used.contains(&place) {
            *counts.entry(&node.component).or_default() += 1;
        }
    }
    let omitted = graph.edges.iter().filter(|edge| !kept[edge.link as usize]).count();
    let nodes = counts.iter().map(|(name, count)| format!("{count} {name}"));
    let all: Vec<String> = nodes.chain((omitted > 0).then(|| format!("{omitted} links"))).collect();
    (!all.is_empty()).then(|| format!("left out, since they join no chips: {}", all.join(", ")))
}
