//! `topologies/*.toml`: a supernode: parts, how many, how they are joined, power and cooling.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::pattern::{self, Pattern, for_each_pattern};
use super::{At, Origin};
use crate::units::{Figure, Ratio, Watts};

/// What the machine is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SupernodeTable {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Chip part.
    #[schemars(extend("x-part" = "chip"))]
    pub chip: At<String>,
    /// Communication library part.
    #[schemars(extend("x-part" = "library"))]
    pub library: At<String>,
    /// Chips under one operating system; the size of the innermost level if absent.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub host_chips: Option<At<u32>>,
    /// How traffic spreads over the ways to its destination, in every command; sprayed if absent.
    pub routing: Option<Routing>,
    /// Workload that `simulate` runs when none is named.
    #[schemars(extend("x-part" = "workload"))]
    pub workload: Option<At<String>>,
    /// Serving engine that runs a workload that names none; without one, nothing but kernels and transfers takes time.
    #[schemars(extend("x-part" = "engine"))]
    pub engine: Option<At<String>>,
    /// Published measurements of this machine (a file under `validation/`) that `simulate` sets beside its predictions.
    pub published: Option<At<String>>,
    /// What the description is of, where it is not of a machine that runs; of one, if absent.
    pub standing: Option<Standing>,
    /// Addresses of what describes the machine.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// How the machine spreads traffic; hashed ways start from seed 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// Packets over all shortest ways.
    #[default]
    Spray,
    /// A hash picks one shortest way for each flow.
    Ecmp,
    /// Stripes over the planes, a hashed way in each.
    Striped,
    /// Shortest ways, one dimension after the other.
    DimensionOrder,
    /// Shortest ways and detours one hop longer.
    AllPaths,
    /// By way of a random node.
    Valiant,
    /// Shortest ways and Valiant's, whatever mix serves best.
    Adaptive,
}

/// How far a description is one of a machine that runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Which of them.
    pub kind: StandingKind,
    /// Why, for whoever reads a result.
    pub because: String,
}

/// What a description is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StandingKind {
    /// A machine that runs; says so where the file that is extended says otherwise.
    Running,
    /// An announced machine that nobody is known to have measured: results are projections.
    Projection,
    /// A machine whose chip is a guess within ranges: results are bands.
    StandIn,
}

impl StandingKind {
    /// The word in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Projection => "projection",
            Self::StandIn => "stand-in",
        }
    }
}

/// A level has one key for each pattern of the list.
macro_rules! define_level {
    ($($about:literal, $variant:ident($table:ident), $key:literal, $field:ident;)+) => {
        /// One level: `size` children joined by exactly one pattern, or held by a package, whose children the next level joins.
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(extend("anyOf" = [{ "required": ["link"] }, { "required": ["package"] }]))]
        pub struct Level {
            /// "board", "rack", "pod" ...
            pub name: String,
            /// In a file that extends another: the new level stands outside this level of the other file; outside the outermost if absent.
            pub after: Option<At<String>>,
            /// Number of children: chips at the first level, and groups of the level below at every other level.
            #[schemars(range(min = 1, max = 1_000_000))]
            pub size: At<u32>,
            /// Link part that joins the children; a package has none.
            #[schemars(extend("x-part" = "link"))]
            pub link: Option<At<String>>,
            /// Parallel links where the pattern draws one; 1 if absent.
            #[schemars(range(min = 1, max = 4096))]
            pub links: Option<u32>,
            /// Number of queue pairs of each port, if the switches of this level choose an uplink by a hash of the queue pair. Flows with the same uplink
            /// collide, which lowers the bandwidth between switches. Absent where packets are sprayed or routed adaptively.
            #[schemars(range(min = 1, max = 1_000_000))]
            pub queue_pairs: Option<u32>,
            /// Every chip reaches this level through a NIC of its own. Absent where the chip's own fabric ports reach this level.
            pub nic: Option<LevelNic>,
            $(#[doc = $about] #[serde(rename = $key)] pub $field: Option<At<pattern::$table>>,)+
            /// A tray, drawer or rack: it holds its children, and the next level outwards joins those of all packages.
            pub package: Option<At<Package>>,
            /// Host processors, NICs and memory expanders of each group.
            #[serde(default)]
            pub attach: Vec<Attach>,
        }

        impl Level {
            /// The patterns that the file gives, with their places; a valid level has exactly one.
            #[must_use]
            pub fn patterns(&self) -> Vec<(Range<usize>, Pattern)> {
                let given = [$(self.$field.as_ref().map(|table| (table.span(), Pattern::$variant((**table).clone())))),+];
                given.into_iter().flatten().collect()
            }
        }
    };
}
for_each_pattern!(define_level);

/// A level that has no links of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {}

/// The NIC between a chip and a scale-out level.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelNic {
    /// NIC part.
    #[schemars(extend("x-part" = "nic"))]
    pub part: At<String>,
    /// Link part between chip and NIC.
    #[schemars(extend("x-part" = "link"))]
    pub link: At<String>,
}

/// Endpoints that are not chips: exactly one of `cpu`, `nic` and `memory`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// CPU part.
    #[schemars(extend("x-part" = "cpu"))]
    pub cpu: Option<At<String>>,
    /// NIC part: an end of its own, for storage or the network outside.
    #[schemars(extend("x-part" = "nic"))]
    pub nic: Option<At<String>>,
    /// Memory expander part.
    #[schemars(extend("x-part" = "memory"))]
    pub memory: Option<At<String>>,
    /// How many in each group of the level.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: At<u32>,
    /// Link part.
    #[schemars(extend("x-part" = "link"))]
    pub link: At<String>,
    /// Parallel links where one is drawn; 1 if absent.
    #[schemars(range(min = 1, max = 64))]
    pub links: Option<u32>,
    /// What they are linked to.
    #[serde(default)]
    pub to: AttachTo,
}

/// What an attached endpoint is linked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttachTo {
    /// Every switch of the level; where it has none, every chip.
    #[default]
    Switches,
    /// One switch of the level (one chip, where it has none), each the next in turn.
    Spread,
    /// Its equal share of the group's chips: two CPUs and eight chips make four chips each.
    Chips,
}

/// Parts that draw power and are not in the fabric: NICs, DPUs, fans, pumps, drives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auxiliary {
    /// What it is.
    pub name: String,
    /// How many in the whole supernode.
    pub count: u64,
    /// Power of one.
    pub power: Figure<Watts>,
}

/// From the grid to the chips.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Supply {
    /// Watts delivered to the parts over watts drawn by the rack.
    #[schemars(extend("x-range" = [0.01, 1.0]))]
    pub conversion_efficiency: Figure<Ratio>,
    /// Fans and pumps inside the racks, as a share of what the parts draw.
    #[schemars(extend("x-range" = [0.0, 10.0]))]
    pub cooling_share: Figure<Ratio>,
    /// Power of the hall over power of the racks.
    #[schemars(extend("x-range" = [1.0, 10.0]))]
    pub pue: Figure<Ratio>,
    /// What carries the heat out of the racks.
    pub cooling: Option<Cooling>,
    /// Racks that the whole supernode fills.
    pub racks: Option<Racks>,
}

/// What carries the heat out of the racks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cooling {
    /// Fans blow through heat sinks.
    Air,
    /// Liquid through plates on the hot parts, fans for the rest.
    ColdPlate,
    /// Parts stand in a liquid, which may boil.
    Immersion,
}

impl Cooling {
    /// What moves air or liquid and draws power for it.
    #[must_use]
    pub fn movers(self) -> &'static str {
        match self {
            Self::Air => "fans",
            Self::ColdPlate => "pumps and fans",
            Self::Immersion => "pumps",
        }
    }
}

/// Racks of a supernode.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Racks {
    /// How many.
    #[schemars(range(min = 1, max = 100_000))]
    pub count: u32,
    /// What one may draw; absent if not published.
    pub limit: Option<Figure<Watts>>,
}
