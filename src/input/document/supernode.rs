//! `topologies/*.toml`: a supernode: parts, how many, how they are joined, power and cooling.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, Origin};
use crate::units::{Figure, Ratio, Watts};

/// What the machine is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Supernode {
    /// Name people use.
    pub name: String,
    /// Maker.
    pub vendor: String,
    /// Where the figures come from.
    #[serde(default)]
    pub origin: Origin,
    /// Chip part.
    pub chip: At<String>,
    /// Communication library part.
    pub library: At<String>,
    /// Workload that `simulate` runs when none is named.
    pub workload: Option<At<String>>,
    /// Published measurements of this machine (a file under `validation/`) that `simulate` sets beside its predictions.
    pub published: Option<At<String>>,
    /// Addresses of what describes the machine.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// One ring of the onion: `size` children joined by exactly one pattern.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// "board", "rack", "pod" ...
    pub name: String,
    /// Children: chips at the first level, whole lower levels above.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub size: At<u32>,
    /// Link part that joins them.
    pub link: At<String>,
    /// Parallel links where the pattern draws one; 1 if absent.
    #[schemars(range(min = 1, max = 4096))]
    pub links: Option<u32>,
    /// One tier of switches, in one or more planes.
    pub switch: Option<At<Switched>>,
    /// Spines above the switches of the level below, plane by plane.
    pub clos: Option<At<Clos>>,
    /// Host processors on this level's switches.
    #[serde(default)]
    pub attach: Vec<Attach>,
}

impl Level {
    /// The patterns that the file gives; a valid level has exactly one.
    #[must_use]
    pub fn patterns(&self) -> Vec<(&'static str, Range<usize>, Pattern)> {
        let mut found = Vec::new();
        if let Some(switched) = &self.switch {
            found.push(("switch", switched.span(), Pattern::Switch((**switched).clone())));
        }
        if let Some(clos) = &self.clos {
            found.push(("clos", clos.span(), Pattern::Clos((**clos).clone())));
        }
        found
    }
}

/// How the children of a level are joined.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// One tier of switches.
    Switch(Switched),
    /// Spines above the level below.
    Clos(Clos),
}

impl Pattern {
    /// Every pattern's key.
    pub const NAMES: [&'static str; 2] = ["switch", "clos"];
}

/// One tier of switches: every child has the level's links to the switch of each plane.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switched {
    /// Switch part.
    pub part: At<String>,
    /// Identical, disjoint copies of the tier; a child has ports in each.
    #[schemars(range(min = 1, max = 1024))]
    pub planes: u32,
}

/// Spines: every switch of the level below has the level's links to each spine of its plane.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clos {
    /// Spine switch part.
    pub spine: At<String>,
    /// Spines in one plane.
    #[schemars(range(min = 1, max = 100_000))]
    pub spines_per_plane: u32,
}

/// Endpoints that are not chips, on the switches of a level.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// CPU part.
    pub cpu: At<String>,
    /// How many in each group of the level.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: u32,
    /// Link part to each switch of the level.
    pub link: At<String>,
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
    pub conversion_efficiency: Figure<Ratio>,
    /// Fans and pumps inside the racks, as a share of what the parts draw.
    pub cooling_share: Figure<Ratio>,
    /// Power of the hall over power of the racks.
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
