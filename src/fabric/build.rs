//! Spec to fabric: level by level, innermost first, then the port budgets.

use petgraph::graph::{NodeIndex, UnGraph};

use super::graph::{Edge, Endpoint, Fabric, Node};
use crate::input::problem::{Problem, Problems};
use crate::input::spec::{AttachSpec, LevelSpec, LinkSpec, PatternSpec, Spec, SwitchSpec};

/// Expands a spec into its graph.
///
/// # Errors
/// A switch, chip or CPU whose links need more lanes or ports than the part has: one problem for each part and level.
pub fn build(spec: &Spec) -> Result<Fabric, Problems> {
    let mut builder = Builder::new(spec);
    let mut groups: Vec<Group> = (0..spec.chips()).map(|_| Group::chip(builder.node(Endpoint::Chip, 0, 0))).collect();
    for (level_index, level) in spec.levels.iter().enumerate() {
        builder.level = u8::try_from(level_index).unwrap_or(u8::MAX);
        groups = groups.chunks(level.size as usize).map(|children| builder.join(level, children)).collect();
    }
    let fabric = builder.fabric;
    Problems::check(over_budget(&fabric, spec), fabric)
}

/// What a level hands to the one above: the nodes that its links may start from, plane by plane.
struct Group {
    planes: Vec<Vec<NodeIndex>>,
}

impl Group {
    /// A bare chip: the same node in every plane.
    fn chip(node: NodeIndex) -> Self {
        Self { planes: vec![vec![node]] }
    }

    fn plane(&self, plane: usize) -> &[NodeIndex] {
        self.planes.get(plane).unwrap_or(&self.planes[0])
    }
}

struct Builder {
    fabric: Fabric,
    level: u8,
}

/// Edge classes of one level: child to switch, CPU to switch.
const CLASSES_PER_LEVEL: u16 = 8;

impl Builder {
    fn new(spec: &Spec) -> Self {
        let fabric = Fabric {
            graph: UnGraph::default(),
            chips: spec.chips(),
            chip: spec.chip.clone(),
            links: Vec::new(),
            switches: Vec::new(),
            cpus: Vec::new(),
            level_names: spec.levels.iter().map(|level| level.name.clone()).collect(),
            level_sizes: spec.levels.iter().map(|level| level.size).collect(),
            uniform: true,
        };
        Self { fabric, level: 0 }
    }

    fn node(&mut self, endpoint: Endpoint, level: u8, plane: u16) -> NodeIndex {
        self.fabric.graph.add_node(Node { endpoint, level, plane })
    }

    fn switch(&mut self, part: &SwitchSpec, plane: u16) -> NodeIndex {
        let index = position_or_push(&mut self.fabric.switches, part, |known| known.id == part.id);
        self.node(Endpoint::Switch(index), self.level, plane)
    }

    fn edge(&mut self, ends: (NodeIndex, NodeIndex), link: &LinkSpec, count: u32, plane: u16, class: u16) {
        let link = position_or_push(&mut self.fabric.links, link, |known| known.id == link.id);
        let class = u16::from(self.level) * CLASSES_PER_LEVEL + class;
        self.fabric.graph.add_edge(ends.0, ends.1, Edge { link, count, level: self.level, plane, class });
    }

    fn join(&mut self, level: &LevelSpec, children: &[Group]) -> Group {
        match &level.pattern {
            PatternSpec::Switch { part, planes } => self.join_by_switches(level, children, part, *planes, 1),
            PatternSpec::Clos { spine, spines_per_plane } => {
                let planes = children.first().map_or(1, |child| child.planes.len());
                self.join_by_switches(level, children, spine, u32::try_from(planes).unwrap_or(u32::MAX), *spines_per_plane)
            }
        }
    }

    /// In every plane, each of `per_plane` switches has the level's links to every node that a child offers in that plane.
    fn join_by_switches(&mut self, level: &LevelSpec, children: &[Group], part: &SwitchSpec, planes: u32, per_plane: u32) -> Group {
        let planes = (0..planes)
            .map(|plane| {
                let plane_number = u16::try_from(plane).unwrap_or(u16::MAX);
                let switches: Vec<NodeIndex> = (0..per_plane).map(|_| self.switch(part, plane_number)).collect();
                for &switch in &switches {
                    for child in children {
                        for &below in child.plane(plane as usize) {
                            self.edge((below, switch), &level.link, level.links, plane_number, 0);
                        }
                    }
                }
                switches
            })
            .collect();
        let group = Group { planes };
        for (index, attach) in level.attach.iter().enumerate() {
            self.attach(&group, attach, 1 + u16::try_from(index).unwrap_or(u16::MAX));
        }
        group
    }

    /// CPUs with one link to each switch of the group.
    fn attach(&mut self, group: &Group, attach: &AttachSpec, class: u16) {
        let part = (attach.id.clone(), attach.cpu.clone());
        let index = position_or_push(&mut self.fabric.cpus, &part, |known| known.0 == attach.id);
        for _ in 0..attach.count {
            let cpu = self.node(Endpoint::Cpu(index), self.level, 0);
            for (plane, switches) in group.planes.iter().enumerate() {
                for &switch in switches {
                    self.edge((cpu, switch), &attach.link, 1, u16::try_from(plane).unwrap_or(u16::MAX), class);
                }
            }
        }
    }
}

fn position_or_push<T: Clone>(items: &mut Vec<T>, item: &T, same: impl Fn(&T) -> bool) -> u16 {
    let position = items.iter().position(same).unwrap_or_else(|| {
        items.push(item.clone());
        items.len() - 1
    });
    u16::try_from(position).unwrap_or(u16::MAX)
}

/// One problem for each kind of node whose links need more than its part has.
fn over_budget(fabric: &Fabric, spec: &Spec) -> Vec<Problem> {
    let mut reported: Vec<(Endpoint, u8)> = Vec::new();
    let mut problems = Vec::new();
    for node in fabric.graph.node_indices() {
        let weight = fabric.graph[node];
        let (name, lanes, ports) = match weight.endpoint {
            Endpoint::Chip => (format!("chip `{}`", fabric.chip.name), fabric.chip.io.lanes, None),
            Endpoint::Switch(part) => {
                let part = &fabric.switches[part as usize];
                (format!("switch `{}`", part.id), part.switch.lanes, part.switch.ports)
            }
            Endpoint::Cpu(part) => (format!("CPU `{}`", fabric.cpus[part as usize].0), fabric.cpus[part as usize].1.lanes, None),
        };
        let (mut used_lanes, mut used_ports, mut outermost) = (0u64, 0u64, weight.level);
        for edge in fabric.graph.edges(node) {
            let edge = edge.weight();
            used_lanes += u64::from(edge.count) * u64::from(fabric.links[edge.link as usize].link.lanes);
            used_ports += u64::from(edge.count);
            outermost = outermost.max(edge.level);
        }
        let over =
            |used: u64, budget: u32, what: &str| (used > u64::from(budget)).then(|| format!("{name} has {budget} {what}, its links need {used}"));
        let excess = over(used_lanes, lanes, "lanes").or_else(|| ports.and_then(|ports| over(used_ports, ports, "ports")));
        let kind = (weight.endpoint, weight.level);
        if let Some(message) = excess
            && !reported.contains(&kind)
        {
            reported.push(kind);
            let level = &spec.levels[outermost as usize];
            let label = format!("level `{}` adds the links that do not fit", level.name);
            let problem = Problem::new(message).at(level.place.clone(), label);
            problems.push(problem.help("fewer children, planes or parallel links, or a part with more ports"));
        }
    }
    problems
}
