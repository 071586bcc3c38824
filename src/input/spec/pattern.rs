//! Patterns as meant: parts followed, numbers that fit together.

use std::ops::Range;

use super::names::Names;
use super::{Cable, LinkSpec, SwitchSpec};
use crate::input::document::{
    At, Circuits, Clos, Cpu, CpuFile, Custom, CustomLink, Dragonfly, Leaf, Level, Pattern, PcieTree, Rail, RailSpines, Switched, Torus,
};
use crate::input::problem::{Place, Problem, suggest};

/// How the children of a level are joined.
#[derive(Clone, Debug)]
pub enum PatternSpec {
    /// One tier of switches, in planes.
    Switch {
        /// Switch part.
        part: SwitchSpec,
        /// Disjoint copies.
        planes: u32,
        /// Switches of one plane.
        switches_per_plane: u32,
        /// Parallel links from a child to one switch, plane by plane.
        links: Vec<u32>,
    },
    /// Spines above switches: a leaf tier of its own, or the switches of the level below.
    Clos {
        /// Leaf tier.
        leaf: Option<LeafSpec>,
        /// Spine part.
        spine: SwitchSpec,
        /// Spines in each plane.
        spines_per_plane: u32,
        /// Whether a spine meets one switch of each child only.
        striped: bool,
    },
    /// Every pair.
    FullMesh,
    /// A grid, open at its ends.
    Mesh {
        /// Children along each dimension.
        dimensions: Vec<u32>,
    },
    /// A grid, closed to rings; a ring is a torus of one dimension.
    Torus {
        /// Children along each dimension.
        dimensions: Vec<u32>,
        /// Optical circuits between blocks.
        circuits: Option<CircuitsSpec>,
    },
    /// A full mesh along each dimension of a grid.
    HyperX {
        /// Children along each dimension.
        dimensions: Vec<u32>,
    },
    /// Groups of routers.
    Dragonfly(Box<DragonflySpec>),
    /// Equal positions of all children on one switch.
    Rail {
        /// Rail switch part.
        part: SwitchSpec,
        /// Switches of one rail.
        planes: u32,
        /// Neighbouring rails that share a switch.
        rails_per_switch: u32,
        /// Spines above.
        spines: Option<SpinesSpec>,
    },
    /// PCIe switches below hosts.
    PcieTree(Box<PcieTreeSpec>),
    /// Switches and links one by one.
    Custom(CustomSpec),
}

/// The leaf tier of a Clos.
#[derive(Clone, Debug)]
pub struct LeafSpec {
    /// Leaf part.
    pub part: SwitchSpec,
    /// Disjoint copies.
    pub planes: u32,
    /// Children on one leaf; divides the level's size.
    pub children_per_leaf: u32,
    /// Leaf to spine.
    pub uplink: Cable,
}

/// Optical circuits between the blocks of a torus.
#[derive(Clone, Debug)]
pub struct CircuitsSpec {
    /// Children of a block along each dimension; each divides its dimension.
    pub block: Vec<u32>,
    /// Link part between blocks.
    pub link: LinkSpec,
}

/// Groups of fully joined routers.
#[derive(Clone, Debug)]
pub struct DragonflySpec {
    /// Router part.
    pub router: SwitchSpec,
    /// Groups.
    pub groups: u32,
    /// Routers in one group.
    pub routers_per_group: u32,
    /// Links from one router to other groups; those of a group divide evenly over the other groups.
    pub global_links_per_router: u32,
    /// Between routers of a group.
    pub local_link: LinkSpec,
    /// Between groups.
    pub global_link: LinkSpec,
}

/// Spines above rail switches.
#[derive(Clone, Debug)]
pub struct SpinesSpec {
    /// Spine part.
    pub part: SwitchSpec,
    /// Spines in one plane.
    pub count: u32,
    /// Rail switch to spine.
    pub uplink: Cable,
}

/// PCIe switches below hosts.
#[derive(Clone, Debug)]
pub struct PcieTreeSpec {
    /// Switch part.
    pub switch: SwitchSpec,
    /// Switches; they divide the level's size.
    pub switches: u32,
    /// Switch to host.
    pub uplink: Cable,
    /// CPU part with its name in the catalog.
    pub host: (String, Cpu),
    /// Hosts; they divide the switches.
    pub hosts: u32,
    /// Host to host.
    pub host_link: Cable,
}

/// Switches and links one by one.
#[derive(Clone, Debug)]
pub struct CustomSpec {
    /// Switches.
    pub switches: Vec<SwitchSpec>,
    /// Links.
    pub links: Vec<(CustomEnd, CustomEnd, Cable)>,
}

/// One end of a custom link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomEnd {
    /// A child of the level.
    Child(u32),
    /// Index into [`CustomSpec::switches`].
    Switch(u32),
}

/// A torus, shortest dimension first: chips are numbered along it first whatever order the file gives, so that the order changes no result.
fn torus(dimensions: &[u32], circuits: Option<CircuitsSpec>) -> PatternSpec {
    let block = circuits.as_ref().map_or(dimensions, |circuits| &circuits.block);
    let mut pairs: Vec<(u32, u32)> = dimensions.iter().copied().zip(block.iter().copied()).collect();
    pairs.sort_unstable();
    let circuits = circuits.map(|circuits| CircuitsSpec { block: pairs.iter().map(|pair| pair.1).collect(), ..circuits });
    PatternSpec::Torus { dimensions: pairs.iter().map(|pair| pair.0).collect(), circuits }
}

impl Names<'_> {
    /// Follows the parts of a pattern and checks its numbers against the level.
    pub(super) fn pattern(&mut self, level: &Level, pattern: Pattern, place: &Place, above_switches: bool) -> Option<PatternSpec> {
        let own = level.link.as_ref().and_then(|link| self.link(link));
        match pattern {
            Pattern::Switch(switched) => self.switched(level, switched),
            Pattern::Clos(clos) => self.clos(level, clos, own, place, above_switches),
            Pattern::FullMesh(_) => Some(PatternSpec::FullMesh),
            Pattern::Ring(_) => Some(PatternSpec::Torus { dimensions: vec![*level.size], circuits: None }),
            Pattern::Mesh(grid) => self.dimensions(level, &grid.dimensions).map(|dimensions| PatternSpec::Mesh { dimensions }),
            Pattern::HyperX(grid) => self.dimensions(level, &grid.dimensions).map(|dimensions| PatternSpec::HyperX { dimensions }),
            Pattern::Torus(Torus { dimensions, circuits }) => {
                let as_written = self.dimensions(level, &dimensions).map(|_| (*dimensions).clone());
                let circuits = circuits.map(|circuits| self.circuits(&circuits, as_written.as_deref()));
                let circuits = match circuits {
                    Some(found) => Some(found?),
                    None => None,
                };
                Some(torus(&as_written?, circuits))
            }
            Pattern::Dragonfly(dragonfly) => self.dragonfly(level, &dragonfly, own, place),
            Pattern::Rail(rail) => self.rail(rail, own),
            Pattern::PcieTree(tree) => self.pcie_tree(level, &tree, own, place),
            Pattern::Custom(custom) => self.custom(level, &custom, own),
        }
    }

    fn report(&mut self, span: Range<usize>, message: String, label: impl Into<String>, help: impl Into<String>) {
        let place = self.place(span);
        self.problems.push(Problem::new(message).at(place, label).help(help));
    }

    /// The named link part, or the level's own.
    fn link_or(&mut self, name: Option<&At<String>>, own: Option<LinkSpec>) -> Option<LinkSpec> {
        name.map_or(own, |name| self.link(name))
    }

    fn cable(&mut self, name: Option<&At<String>>, own: Option<LinkSpec>, count: Option<u32>) -> Option<Cable> {
        self.link_or(name, own).map(|link| Cable { link, count: count.unwrap_or(1) })
    }

    /// Shortest first, as [`torus`] has them.
    fn dimensions(&mut self, level: &Level, dimensions: &At<Vec<u32>>) -> Option<Vec<u32>> {
        let product = dimensions.iter().try_fold(1u32, |product, dimension| product.checked_mul(*dimension));
        if product == Some(*level.size) {
            let mut sorted = (**dimensions).clone();
            sorted.sort_unstable();
            return Some(sorted);
        }
        let shown = dimensions.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
        let label = product.map_or("too many to count".to_owned(), |product| format!("{shown} is {product}"));
        let message = format!("the dimensions of level `{}` do not multiply to its size", level.name);
        self.report(dimensions.span(), message, label, format!("the level has {} children", *level.size));
        None
    }

    fn circuits(&mut self, circuits: &At<Circuits>, dimensions: Option<&[u32]>) -> Option<CircuitsSpec> {
        let link = self.link(&circuits.link);
        let dimensions = dimensions?;
        let fits = |(dimension, block): (&u32, &u32)| *block > 0 && dimension.is_multiple_of(*block);
        if circuits.block.len() != dimensions.len() || !dimensions.iter().zip(&circuits.block).all(fits) {
            let help = "`block` has one entry for each dimension, which it divides";
            self.report(circuits.span(), "the blocks do not fill the torus".to_owned(), "this `block`", help);
            return None;
        }
        Some(CircuitsSpec { block: circuits.block.clone(), link: link? })
    }

    fn switched(&mut self, level: &Level, switched: Switched) -> Option<PatternSpec> {
        let part = self.switch(&switched.part);
        let planes = switched.planes;
        let links = match switched.links_per_plane {
            None => vec![level.links.unwrap_or(1); planes as usize],
            Some(links) if links.len() == planes as usize && links.iter().all(|count| (1..=4096).contains(count)) => (*links).clone(),
            Some(links) => {
                let message = format!("`links_per_plane` of level `{}` does not fit its planes", level.name);
                let help = "one number from 1 to 4096 for each plane";
                self.report(links.span(), message, format!("{} numbers for {planes} planes", links.len()), help);
                return None;
            }
        };
        Some(PatternSpec::Switch { part: part?, planes, switches_per_plane: switched.switches_per_plane.unwrap_or(1), links })
    }

    fn clos(&mut self, level: &Level, clos: Clos, own: Option<LinkSpec>, place: &Place, above_switches: bool) -> Option<PatternSpec> {
        let spine = self.switch(&clos.spine);
        let leaf = clos.leaf.as_ref().map(|leaf| self.leaf(level, leaf, own));
        if leaf.is_none() && (!above_switches || level.nic.is_some()) {
            let problem = Problem::new("a Clos needs switches below it").at(place.clone(), "its leaves are the switches of the level below");
            self.problems.push(problem.help("give the level below a `[level.switch]`, or this one a `[level.clos.leaf]`"));
        }
        let leaf = match leaf {
            Some(leaf) => Some(leaf?),
            None => None,
        };
        Some(PatternSpec::Clos { leaf, spine: spine?, spines_per_plane: clos.spines_per_plane, striped: clos.striped })
    }

    fn leaf(&mut self, level: &Level, leaf: &At<Leaf>, own: Option<LinkSpec>) -> Option<LeafSpec> {
        let part = self.switch(&leaf.part);
        let uplink = self.cable(leaf.uplink.as_ref(), own, leaf.uplinks);
        if !level.size.is_multiple_of(leaf.children_per_leaf) {
            let message = format!("the leaves of level `{}` do not share its children equally", level.name);
            let label = format!("{} children, {} a leaf", *level.size, leaf.children_per_leaf);
            self.report(leaf.span(), message, label, "`children_per_leaf` divides the level's size");
            return None;
        }
        Some(LeafSpec { part: part?, planes: leaf.planes, children_per_leaf: leaf.children_per_leaf, uplink: uplink? })
    }

    fn dragonfly(&mut self, level: &Level, dragonfly: &Dragonfly, own: Option<LinkSpec>, place: &Place) -> Option<PatternSpec> {
        let router = self.switch(&dragonfly.router);
        let local_link = self.link_or(dragonfly.local_link.as_ref(), own.clone());
        let global_link = self.link_or(dragonfly.global_link.as_ref(), own);
        let (groups, routers, global) = (dragonfly.groups, dragonfly.routers_per_group, dragonfly.global_links_per_router);
        let mut complain = |message: String, label: String, help: &str| {
            self.problems.push(Problem::new(message).at(place.clone(), label).help(help));
        };
        if !level.size.is_multiple_of(groups.saturating_mul(routers)) {
            let message = format!("the routers of level `{}` do not share its children equally", level.name);
            let label = format!("{} children, {groups} groups of {routers} routers", *level.size);
            complain(message, label, "`groups` x `routers_per_group` divides the level's size");
            return None;
        }
        if !routers.saturating_mul(global).is_multiple_of(groups - 1) {
            let message = format!("the groups of level `{}` cannot all be joined by the same number of links", level.name);
            let label = format!("{routers} x {global} links leave a group, for {} others", groups - 1);
            complain(message, label, "`routers_per_group` x `global_links_per_router` is a multiple of `groups` - 1");
            return None;
        }
        Some(PatternSpec::Dragonfly(Box::new(DragonflySpec {
            router: router?,
            groups,
            routers_per_group: routers,
            global_links_per_router: global,
            local_link: local_link?,
            global_link: global_link?,
        })))
    }

    fn rail(&mut self, rail: Rail, own: Option<LinkSpec>) -> Option<PatternSpec> {
        let part = self.switch(&rail.part);
        let spines = match &rail.spines {
            Some(RailSpines { part, count, uplink, uplinks }) => {
                let spine = self.switch(part);
                let uplink = self.cable(uplink.as_ref(), own, *uplinks);
                Some(SpinesSpec { part: spine?, count: *count, uplink: uplink? })
            }
            None => None,
        };
        let (planes, rails_per_switch) = (rail.planes.unwrap_or(1), rail.rails_per_switch.unwrap_or(1));
        Some(PatternSpec::Rail { part: part?, planes, rails_per_switch, spines })
    }

    fn pcie_tree(&mut self, level: &Level, tree: &PcieTree, own: Option<LinkSpec>, place: &Place) -> Option<PatternSpec> {
        let switch = self.switch(&tree.switch);
        let host = self.follow::<CpuFile>(&tree.host);
        let uplink = self.cable(tree.uplink.as_ref(), own, tree.uplinks);
        let host_link = self.cable(tree.host_link.as_ref(), uplink.as_ref().map(|cable| cable.link.clone()), tree.host_links);
        if !level.size.is_multiple_of(tree.switches) || !tree.switches.is_multiple_of(tree.hosts) {
            let message = format!("the PCIe tree of level `{}` does not branch evenly", level.name);
            let label = format!("{} children, {} switches, {} hosts", *level.size, tree.switches, tree.hosts);
            let help = "`switches` divides the level's size, `hosts` divides `switches`";
            self.problems.push(Problem::new(message).at(place.clone(), label).help(help));
            return None;
        }
        Some(PatternSpec::PcieTree(Box::new(PcieTreeSpec {
            switch: switch?,
            switches: tree.switches,
            uplink: uplink?,
            host: (tree.host.to_string(), host?),
            hosts: tree.hosts,
            host_link: host_link?,
        })))
    }

    fn custom(&mut self, level: &Level, custom: &Custom, own: Option<LinkSpec>) -> Option<PatternSpec> {
        let mut switches = Vec::new();
        for (index, switch) in custom.switch.iter().enumerate() {
            if let Some(first) = custom.switch[..index].iter().find(|other| *other.name == *switch.name) {
                let (place, also) = (self.place(switch.name.span()), self.place(first.name.span()));
                let problem = Problem::new(format!("switch `{}` is declared twice", *switch.name)).at(place, "declared again here");
                self.problems.push(problem.also(also, "first declared here"));
            } else if switch.name.parse::<u64>().is_ok() {
                let message = format!("switch `{}` is named like a child", *switch.name);
                self.report(switch.name.span(), message, "a number names a child", "give it a name that is not a number");
            }
            switches.push(self.switch(&switch.part));
        }
        let links: Vec<_> = custom.link.iter().map(|link| self.custom_link(level, custom, link, own.clone())).collect();
        Some(PatternSpec::Custom(CustomSpec {
            switches: switches.into_iter().collect::<Option<_>>()?,
            links: links.into_iter().collect::<Option<_>>()?,
        }))
    }

    fn custom_link(&mut self, level: &Level, custom: &Custom, link: &CustomLink, own: Option<LinkSpec>) -> Option<(CustomEnd, CustomEnd, Cable)> {
        let cable = self.cable(link.link.as_ref(), own, link.links.or(level.links));
        let ends: Vec<Option<CustomEnd>> = link.ends.iter().map(|name| self.custom_end(level, custom, name)).collect();
        let [Some(first), Some(second)] = ends[..] else { return None };
        if first == second {
            let message = format!("a link joins `{}` to itself", *link.ends[1]);
            self.report(link.ends[1].span(), message, "the same end again", "a link has two different ends");
            return None;
        }
        Some((first, second, cable?))
    }

    fn custom_end(&mut self, level: &Level, custom: &Custom, name: &At<String>) -> Option<CustomEnd> {
        if let Some(position) = custom.switch.iter().position(|switch| *switch.name == **name) {
            return u32::try_from(position).ok().map(CustomEnd::Switch);
        }
        if let Some(child) = name.parse().ok().filter(|child| *child < *level.size) {
            return Some(CustomEnd::Child(child));
        }
        let hint = suggest(name, custom.switch.iter().map(|switch| switch.name.as_str()));
        let help = format!("children are named \"0\" to \"{}\"; switches: {hint}", *level.size - 1);
        self.report(name.span(), format!("no child or switch is named `{}`", **name), "used as a link's end here", help);
        None
    }
}
