//! Two fabrics and one traffic pattern for tests, benches and the comparison with peers.

use super::reduce::scramble;
use super::sharing::SharingInput;

/// Bytes/s a chip injects and ejects.
pub const INJECTION: f64 = 100e9;

const CHIPS_PER_L1: u32 = 8;
const PLANES: u32 = 7;
const SPINES: u32 = 16;

/// All-to-all flow `source -> destination`, self excluded, in the order of the answer's flows.
pub fn all_to_all(chips: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..chips).flat_map(move |source| (0..chips).filter(move |&to| to != source).map(move |to| (source, to)))
}

/// A crossbar: chip `i` has channel `i` up and channel `chips + i` down.
#[must_use]
pub fn crossbar_all_to_all(chips: u32) -> SharingInput {
    let mut input = SharingInput::new(vec![INJECTION; 2 * chips as usize]);
    for (source, to) in all_to_all(chips) {
        input.push_flow([(source, 1.0), (chips + to, 1.0)]);
    }
    input
}

/// A Clos that does not block: 8 chips under an L1 switch, 7 planes with 16 spines each, every flow sprayed evenly over
/// all its shortest paths. Channels: chip to L1 and L1 to chip in each plane, L1 to spine and spine to L1.
#[must_use]
pub fn clos_all_to_all(chips: u32) -> SharingInput {
    let switches = chips.div_ceil(CHIPS_PER_L1);
    let port = INJECTION / f64::from(PLANES);
    let trunk = port * f64::from(CHIPS_PER_L1) / f64::from(SPINES);
    let up = |chip: u32, plane: u32| chip * PLANES + plane;
    let down = |chip: u32, plane: u32| chips * PLANES + up(chip, plane);
    let to_spine = |switch: u32, path: u32| 2 * chips * PLANES + switch * PLANES * SPINES + path;
    let from_spine = |switch: u32, path: u32| to_spine(switches + switch, path);

    let mut capacity = vec![port; (2 * chips * PLANES) as usize];
    capacity.resize(capacity.len() + (2 * switches * PLANES * SPINES) as usize, trunk);
    let mut input = SharingInput::new(capacity);
    for (source, to) in all_to_all(chips) {
        let (leaf, leaf_to) = (source / CHIPS_PER_L1, to / CHIPS_PER_L1);
        let paths = if leaf == leaf_to { 0 } else { PLANES * SPINES };
        let by_plane = 1.0 / f64::from(PLANES);
        let by_path = 1.0 / f64::from(PLANES * SPINES);
        let row = (0..PLANES).map(|plane| (up(source, plane), by_plane));
        let row = row.chain((0..paths).map(|path| (to_spine(leaf, path), by_path)));
        let row = row.chain((0..paths).map(|path| (from_spine(leaf_to, path), by_path)));
        input.push_flow(row.chain((0..PLANES).map(|plane| (down(to, plane), by_plane))));
    }
    input
}

/// `bytes * (1 + spread * u)` for each flow, in whole bytes, `u` in [0, 1) drawn from its number and the seed. The peers'
/// driver repeats this formula.
#[must_use]
pub fn spread_sizes(flows: usize, bytes: f64, spread: f64, seed: u64) -> Vec<f64> {
    let unit = |flow: usize| (scramble(scramble(seed) ^ flow as u64) >> 11) as f64 / (1u64 << 53) as f64;
    (0..flows).map(|flow| (bytes * (1.0 + spread * unit(flow))).round()).collect()
}
