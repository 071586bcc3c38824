//! A machine from its parts: how many planes, leaves and spines the ports of chips and switches make.
//!
//! A chip has `P = lanes / lanes of a link` ports, a switch chip `R`. Where `n <= R` chips meet on one switch, one tier is enough: `P / k` planes
//! with `k` links from a chip to each switch, `k n <= R`. Otherwise leaves of `d` chips and, in each plane, `S` spines with `L` links from every
//! leaf to each: `S L >= d` links up (as much up as down), `d + S L <= R`, and `L n / d <= R` at the spine.

use crate::input::document::{Chip, Link, Switch};

/// What is asked for.
pub struct NewMachine<'a> {
    /// Chips in all.
    pub chips: u32,
    /// Chip part.
    pub chip: &'a Chip,
    /// Switch part.
    pub switch: &'a Switch,
    /// Link from chip to switch.
    pub link: &'a Link,
    /// Link from leaf to spine.
    pub uplink: &'a Link,
    /// Tiers of switches; as few as will do if absent.
    pub tiers: Option<u8>,
}

/// How parts are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStructure {
    /// Every chip on every switch.
    OneTier {
        /// Disjoint copies.
        planes: u32,
        /// Links from a chip to each switch.
        links: u32,
    },
    /// Leaves and spines.
    TwoTiers {
        /// Disjoint copies.
        planes: u32,
        /// Chips of a leaf.
        leaf: u32,
        /// Spines of a plane.
        spines: u32,
        /// Links from a leaf to each spine.
        uplinks: u32,
    },
}

impl NewStructure {
    /// Switch chips in all.
    #[must_use]
    pub fn switches(self, chips: u32) -> u32 {
        match self {
            Self::OneTier { planes, .. } => planes,
            Self::TwoTiers { planes, leaf, spines, .. } => planes * (chips / leaf + spines),
        }
    }
}

/// Works the structure out.
///
/// # Errors
/// In one line, why the parts do not make such a machine.
pub fn structure(request: &NewMachine<'_>) -> Result<NewStructure, String> {
    let (chip, switch, link) = (request.chip, request.switch, request.link);
    let ports = chip.io.lanes / link.lanes;
    if ports == 0 {
        return Err(format!("a chip has {} lanes, a link takes {}", chip.io.lanes, link.lanes));
    }
    let most_ports = switch.ports.unwrap_or(u32::MAX);
    let radix = (switch.lanes / link.lanes).min(most_ports);
    let one_tier = || {
        let links =
            (1..=ports).rev().find(|links| ports.is_multiple_of(*links) && links.checked_mul(request.chips).is_some_and(|used| used <= radix))?;
        Some(NewStructure::OneTier { planes: ports / links, links })
    };
    let two_tiers = || {
        let rate = |link: &Link| f64::from(link.lanes) * link.lane_rate.value.get();
        let ratio = rate(link) / rate(request.uplink);
        let leaves = (2..request.chips).rev().filter(|leaf| request.chips.is_multiple_of(*leaf) && *leaf <= radix);
        leaves.into_iter().find_map(|leaf| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not above the radix of a switch")]
            let up = (f64::from(leaf) * ratio).ceil() as u32;
            let fits = leaf.checked_add(up)? <= most_ports && leaf * link.lanes + up * request.uplink.lanes <= switch.lanes;
            let spine = (switch.lanes / request.uplink.lanes).min(most_ports);
            let groups = request.chips / leaf;
            let uplinks = (1..=up).rev().find(|links| up.is_multiple_of(*links) && links.checked_mul(groups).is_some_and(|used| used <= spine))?;
            fits.then_some(NewStructure::TwoTiers { planes: ports, leaf, spines: up / uplinks, uplinks })
        })
    };
    let too_many =
        |tiers: &str| format!("{} chips do not fit {tiers} of `{}`, which has {radix} ports of {} lanes", request.chips, switch.name, link.lanes);
    match request.tiers {
        Some(1) => one_tier().ok_or_else(|| too_many("one tier")),
        Some(_) => two_tiers().ok_or_else(|| too_many("two tiers without oversubscription")),
        None => one_tier().or_else(two_tiers).ok_or_else(|| too_many("two tiers without oversubscription")),
    }
}
