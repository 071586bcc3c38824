//! `[level.PATTERN]`: how the children of a level are joined.

use schemars::JsonSchema;
use serde::Deserialize;

use super::At;

/// Hands the one list of patterns to a macro: documentation, variant, table, key in files, field of [`super::Level`].
macro_rules! for_each_pattern {
    ($callback:ident) => {
        $callback! {
            "One tier of switches, in one or more planes.", Switch(Switched), "switch", switch;
            "Leaf and spine switches.", Clos(Clos), "clos", clos;
            "A link between every two children.", FullMesh(FullMesh), "full-mesh", full_mesh;
            "A circle of children.", Ring(Ring), "ring", ring;
            "A grid of children, open at its ends.", Mesh(Grid), "mesh", mesh;
            "A grid of children, closed to rings.", Torus(Torus), "torus", torus;
            "A full mesh along every dimension of a grid (nD full mesh).", HyperX(Grid), "hyperx", hyperx;
            "Groups of routers, every pair of groups joined.", Dragonfly(Dragonfly), "dragonfly", dragonfly;
            "Equal positions of all children on one switch.", Rail(Rail), "rail", rail;
            "PCIe switches below hosts.", PcieTree(PcieTree), "pcie-tree", pcie_tree;
            "Switches and links one by one.", Custom(Custom), "custom", custom;
        }
    };
}
pub(super) use for_each_pattern;

macro_rules! define_pattern {
    ($($about:literal, $variant:ident($table:ident), $key:literal, $field:ident;)+) => {
        /// How the children of a level are joined.
        #[derive(Clone, Debug)]
        pub enum Pattern {
            $(#[doc = $about] $variant($table),)+
        }

        impl Pattern {
            /// Every pattern's key.
            pub const NAMES: [&'static str; [$($key),+].len()] = [$($key),+];
        }
    };
}
for_each_pattern!(define_pattern);

impl Pattern {
    /// Whether the level hands switches to the level above.
    #[must_use]
    pub fn has_switches(&self) -> bool {
        match self {
            Self::Switch(_) | Self::Clos(_) | Self::Dragonfly(_) | Self::Rail(_) | Self::PcieTree(_) => true,
            Self::Custom(custom) => !custom.switch.is_empty(),
            Self::FullMesh(_) | Self::Ring(_) | Self::Mesh(_) | Self::Torus(_) | Self::HyperX(_) => false,
        }
    }
}

/// One tier of switches: every child has the level's links to every switch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switched {
    /// Switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub part: At<String>,
    /// Identical, disjoint copies of the tier; a child has ports in each.
    #[schemars(range(min = 1, max = 1024))]
    pub planes: u32,
    /// Switches of one plane, each joined to every child; 1 if absent.
    #[schemars(range(min = 1, max = 1024))]
    pub switches_per_plane: Option<u32>,
    /// Parallel links in each plane, where planes differ (an H100 has 5, 4, 4 and 5 links to its four switches); the level's `links`
    /// in all if absent.
    #[schemars(length(min = 1, max = 1024))]
    pub links_per_plane: Option<At<Vec<u32>>>,
}

/// Leaf and spine. Without `leaf`, the leaves are the switches of the level below.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clos {
    /// Spine switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub spine: At<String>,
    /// Spines in one plane.
    #[schemars(range(min = 1, max = 100_000))]
    pub spines_per_plane: u32,
    /// A tier of leaves of this level's own, between its children and the spines.
    pub leaf: Option<At<Leaf>>,
    /// Whether spine s meets only the switch at position s mod p of every child that offers p switches a plane, as the core of
    /// a k-ary fat tree does; otherwise every spine meets every switch of its plane.
    #[serde(default)]
    pub striped: bool,
}

/// The leaf tier of a Clos.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Leaf switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub part: At<String>,
    /// Identical, disjoint copies of the network; a child has ports in each.
    #[schemars(range(min = 1, max = 1024))]
    pub planes: u32,
    /// Children on one leaf.
    #[schemars(range(min = 1, max = 100_000))]
    pub children_per_leaf: u32,
    /// Link part from leaf to spine; the level's own if absent.
    #[schemars(extend("x-part" = "link"))]
    pub uplink: Option<At<String>>,
    /// Parallel links from one leaf to one spine; 1 if absent. Fewer than balance the children's links oversubscribe the leaf.
    #[schemars(range(min = 1, max = 4096))]
    pub uplinks: Option<u32>,
}

/// Every child has the level's links to every other.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullMesh {}

/// Every child has the level's links to the next, the last one to the first.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ring {}

/// Children at the points of a grid, the first dimension counted fastest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Children along each dimension; they multiply to the level's size.
    #[schemars(length(min = 1, max = 8))]
    pub dimensions: At<Vec<u32>>,
}

/// A grid whose every line closes to a ring; a dimension of two has one link, not two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Torus {
    /// Children along each dimension; they multiply to the level's size.
    #[schemars(length(min = 1, max = 8))]
    pub dimensions: At<Vec<u32>>,
    /// Blocks whose outer faces are joined by optical circuit switches; absent if every link is wired.
    pub circuits: Option<At<Circuits>>,
}

/// Links between blocks of a torus that cross optical circuit switches.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Circuits {
    /// Children of one block along each dimension.
    #[schemars(length(min = 1, max = 8))]
    pub block: Vec<u32>,
    /// Link part between blocks.
    #[schemars(extend("x-part" = "link"))]
    pub link: At<String>,
}

/// Dragonfly: groups of fully joined routers, every pair of groups joined by the same number of links.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dragonfly {
    /// Router (switch) part.
    #[schemars(extend("x-part" = "switch"))]
    pub router: At<String>,
    /// Groups.
    #[schemars(range(min = 2, max = 100_000))]
    pub groups: u32,
    /// Routers in one group.
    #[schemars(range(min = 1, max = 10_000))]
    pub routers_per_group: u32,
    /// Links from one router to other groups.
    #[schemars(range(min = 1, max = 10_000))]
    pub global_links_per_router: u32,
    /// Link part between routers of a group; the level's own if absent.
    #[schemars(extend("x-part" = "link"))]
    pub local_link: Option<At<String>>,
    /// Link part between groups; the level's own if absent.
    #[schemars(extend("x-part" = "link"))]
    pub global_link: Option<At<String>>,
}

/// Rail-optimised: chip (or NIC) i of every child on rail switch i.
///
/// Without spines traffic changes rails inside a child, through a chip on the wanted rail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rail {
    /// Rail switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub part: At<String>,
    /// Switches of one rail, each joined to every child; 1 if absent.
    #[schemars(range(min = 1, max = 1024))]
    pub planes: Option<u32>,
    /// Neighbouring rails that share one switch; 1 if absent.
    #[schemars(range(min = 1, max = 100_000))]
    pub rails_per_switch: Option<u32>,
    /// Spines that join the rails; absent in a rail-only network.
    pub spines: Option<RailSpines>,
}

/// Spines above rail switches.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RailSpines {
    /// Spine switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub part: At<String>,
    /// Spines in one plane.
    #[schemars(range(min = 1, max = 100_000))]
    pub count: u32,
    /// Link part from rail switch to spine; the level's own if absent.
    #[schemars(extend("x-part" = "link"))]
    pub uplink: Option<At<String>>,
    /// Parallel links from one rail switch to one spine; 1 if absent.
    #[schemars(range(min = 1, max = 4096))]
    pub uplinks: Option<u32>,
}

/// PCIe tree: children below switches, switches below hosts, whose root complexes pass traffic between switches.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PcieTree {
    /// Switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub switch: At<String>,
    /// Switches; they share the children equally.
    #[schemars(range(min = 1, max = 10_000))]
    pub switches: u32,
    /// Link part from switch to host; the level's own if absent.
    #[schemars(extend("x-part" = "link"))]
    pub uplink: Option<At<String>>,
    /// Parallel links from one switch to its host; 1 if absent.
    #[schemars(range(min = 1, max = 64))]
    pub uplinks: Option<u32>,
    /// CPU part.
    #[schemars(extend("x-part" = "cpu"))]
    pub host: At<String>,
    /// Hosts; they share the switches equally.
    #[schemars(range(min = 1, max = 64))]
    pub hosts: u32,
    /// Link part between hosts; the uplink's if absent.
    #[schemars(extend("x-part" = "link"))]
    pub host_link: Option<At<String>>,
    /// Parallel links between two hosts; 1 if absent.
    #[schemars(range(min = 1, max = 64))]
    pub host_links: Option<u32>,
}

/// Switches and links one by one. Children are named by their number, from 0.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// Switches with names of their own.
    #[serde(default)]
    pub switch: Vec<CustomSwitch>,
    /// Links between children, switches or both.
    #[schemars(length(min = 1, max = 100_000))]
    pub link: Vec<CustomLink>,
}

/// A switch of a custom level.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomSwitch {
    /// Name for `ends`; not a number.
    pub name: At<String>,
    /// Switch part.
    #[schemars(extend("x-part" = "switch"))]
    pub part: At<String>,
}

/// A link of a custom level.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomLink {
    /// Names of the two ends: a child's number as text, or a switch's name.
    #[schemars(length(min = 2, max = 2))]
    pub ends: Vec<At<String>>,
    /// Parallel links; the level's `links` if absent.
    #[schemars(range(min = 1, max = 4096))]
    pub links: Option<u32>,
    /// Link part; the level's own if absent.
    #[schemars(extend("x-part" = "link"))]
    pub link: Option<At<String>>,
}
