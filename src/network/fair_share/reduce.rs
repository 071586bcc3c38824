//! The same problem with fewer channels.
//!
//! Max-min rates depend only on the set of rates the inequalities allow. So a channel may go whenever the others already
//! imply its inequality:
//!
//! 1. *Equal columns.* Channels crossed by the same flows with the same shares carry the same load; only the smallest
//!    capacity can bind. (The planes of a sprayed injection, the up-links of a leaf switch.)
//! 2. *Covered channels.* Split the flows of channel `x` into groups, each crossing some other channel `g` in full:
//!
//! ```text
//! load(x) = sum over groups g of  sum over f in g of count[f] share[f,x] r[f]
//!        <= sum over groups g of  capacity[g] * max over f in g of share[f,x] / share[f,g]
//! ```
//!
//!    and a flow may also stand alone, loading at most `count * share * cap`. If that bound fits into `capacity[x]`, then
//!    `x` cannot be overfull while every `g` keeps its own inequality. (The spines of a Clos that does not block.) A channel
//!    removed is never used as a `g` later, so the arguments form no circle: the last one removed is implied by what is
//!    kept, the one before it by that and the last, and so on.
//!
//! Both hold for every set of running flows, thus for the whole life of a transfer. The bound is granted its own rounding,
//! a few units in the last place a term, so rates move by no more than that.

use rayon::prelude::*;

use super::sharing::{Sharing, SharingInput};

/// Stop looking for covers when it would read more than this many entries per entry of the problem.
const COVER_WORK_MAX: usize = 64;

/// Flows hashed by one task.
const CHUNK_FLOWS: usize = 1 << 14;

/// A smaller problem with the same rates.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduced {
    /// The smaller problem.
    pub sharing: Sharing,
    /// The original number of each channel that is left.
    pub kept: Vec<u32>,
}

/// Drops every channel that the two rules above prove redundant. The flows keep their numbers.
#[must_use]
pub fn reduce(sharing: &Sharing) -> Reduced {
    let merged = keep(sharing, &distinct_columns(sharing));
    let keeps = uncovered(&merged.sharing);
    let reduced = keep(&merged.sharing, &keeps);
    let kept = reduced.kept.iter().map(|&channel| merged.kept[channel as usize]).collect();
    Reduced { sharing: reduced.sharing, kept }
}

/// The problem restricted to the channels marked.
fn keep(sharing: &Sharing, keeps: &[bool]) -> Reduced {
    let kept: Vec<u32> = (0..sharing.channels() as u32).filter(|&channel| keeps[channel as usize]).collect();
    let mut renumbered = vec![u32::MAX; sharing.channels()];
    for (new, &old) in kept.iter().enumerate() {
        renumbered[old as usize] = new as u32;
    }
    let mut input = SharingInput::new(kept.iter().map(|&channel| sharing.capacity()[channel as usize]).collect());
    input.row_start.reserve(sharing.flows());
    for flow in 0..sharing.flows() {
        let (row, shares) = sharing.row(flow);
        let row = row.iter().map(|&channel| renumbered[channel as usize]).zip(shares.iter().copied());
        input.push_flow(row.filter(|&(channel, _)| channel != u32::MAX));
    }
    input.cap.clone_from(&sharing.input().cap);
    input.count.clone_from(&sharing.input().count);
    Reduced { sharing: Sharing::from_checked(input), kept }
}

/// Marks one channel of smallest capacity out of every set with equal columns, and drops channels nobody crosses.
fn distinct_columns(sharing: &Sharing) -> Vec<bool> {
    let prints = fingerprints(sharing);
    let mut by_print: Vec<u32> = (0..sharing.channels() as u32).filter(|&channel| prints[channel as usize].entries > 0).collect();
    by_print.sort_unstable_by(|&a, &b| {
        let capacity = |channel: u32| sharing.capacity()[channel as usize];
        prints[a as usize].cmp(&prints[b as usize]).then(capacity(a).total_cmp(&capacity(b))).then(a.cmp(&b))
    });
    let mut likeness: Vec<u32> = (0..sharing.channels() as u32).collect();
    for alike in by_print.chunk_by(|&a, &b| prints[a as usize] == prints[b as usize]) {
        for &channel in alike {
            likeness[channel as usize] = alike[0];
        }
    }
    let proven = equal_entries(sharing, &likeness);
    let mut keeps = vec![false; sharing.channels()];
    for &channel in &by_print {
        let is_first = likeness[channel as usize] == channel;
        keeps[channel as usize] = is_first || proven[channel as usize] < prints[channel as usize].entries;
    }
    keeps
}

/// How many entries of each channel's column are found, same flow and same share, in the column it is likened to.
/// Columns with equal fingerprints are equally long, so as many as there are entries proves them equal.
fn equal_entries(sharing: &Sharing, likeness: &[u32]) -> Vec<u64> {
    let mut proven = vec![0; sharing.channels()];
    let mut seen = vec![(u32::MAX, 0.0); sharing.channels()];
    for flow in 0..sharing.flows() {
        let (row, shares) = sharing.row(flow);
        let entries = || row.iter().zip(shares).map(|(&channel, &share)| (channel as usize, share));
        for (channel, share) in entries().filter(|&(channel, _)| likeness[channel] as usize == channel) {
            seen[channel] = (flow as u32, share);
        }
        for (channel, share) in entries() {
            proven[channel] += u64::from(seen[likeness[channel] as usize] == (flow as u32, share));
        }
    }
    proven
}

/// A sum over a column's entries that does not depend on their order.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint {
    entries: u64,
    sum: u64,
}

/// Sums of integers, so the answer does not depend on how rayon splits the flows.
fn fingerprints(sharing: &Sharing) -> Vec<Fingerprint> {
    let empty = || vec![Fingerprint::default(); sharing.channels()];
    let chunks = sharing.flows().div_ceil(CHUNK_FLOWS);
    let print_chunk = |mut prints: Vec<Fingerprint>, chunk: usize| {
        for flow in chunk * CHUNK_FLOWS..((chunk + 1) * CHUNK_FLOWS).min(sharing.flows()) {
            let (row, shares) = sharing.row(flow);
            let salt = scramble(flow as u64);
            for (&channel, &share) in row.iter().zip(shares) {
                let print = &mut prints[channel as usize];
                print.entries += 1;
                print.sum = print.sum.wrapping_add((share.to_bits() ^ salt).wrapping_mul(salt | 1));
            }
        }
        prints
    };
    let add = |mut left: Vec<Fingerprint>, right: Vec<Fingerprint>| {
        for (left, right) in left.iter_mut().zip(right) {
            left.entries += right.entries;
            left.sum = left.sum.wrapping_add(right.sum);
        }
        left
    };
    match chunks {
        // Not worth waking another thread.
        0 | 1 => print_chunk(empty(), 0),
        _ => (0..chunks).into_par_iter().fold(empty, print_chunk).reduce(empty, add),
    }
}

/// Spreads the bits of a number over 64 bits, one to one (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
pub(crate) fn scramble(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Marks the channels that no set of other channels covers. Tries the least loaded first: they are the likeliest to go.
fn uncovered(sharing: &Sharing) -> Vec<bool> {
    let mut keeps = vec![true; sharing.channels()];
    let work: usize = (0..sharing.flows()).map(|flow| sharing.row(flow).0.len().pow(2)).sum();
    if work > COVER_WORK_MAX * sharing.entries() {
        return keeps;
    }
    let mut column = vec![Vec::new(); sharing.channels()];
    let mut weight = vec![0.0; sharing.channels()];
    for flow in 0..sharing.flows() {
        let (row, shares) = sharing.row(flow);
        for (&channel, &share) in row.iter().zip(shares) {
            column[channel as usize].push((flow as u32, share));
            weight[channel as usize] += share * f64::from(sharing.count(flow));
        }
    }
    let fair_level = |channel: u32| sharing.capacity()[channel as usize] / weight[channel as usize];
    let mut by_level: Vec<u32> = (0..sharing.channels() as u32).collect();
    by_level.sort_unstable_by(|&a, &b| fair_level(b).total_cmp(&fair_level(a)).then(a.cmp(&b)));

    let mut covers = vec![Cover::default(); sharing.channels()];
    for channel in by_level {
        let bound = load_bound(sharing, channel, &column[channel as usize], &keeps, &mut covers);
        let rounding = 4.0 * f64::EPSILON * (column[channel as usize].len() + 4) as f64;
        keeps[channel as usize] = bound > sharing.capacity()[channel as usize] * (1.0 + rounding);
    }
    keeps
}

/// What one channel can say about the load on another.
#[derive(Clone, Copy)]
struct Cover {
    /// The channel being bounded; anything else here is left over from an earlier one.
    of: u32,
    flows: u32,
    /// Largest share there over share here.
    ratio: f64,
    counted: bool,
}

impl Default for Cover {
    fn default() -> Self {
        Self { of: u32::MAX, flows: 0, ratio: 0.0, counted: false }
    }
}

/// Bytes/s that the other kept channels, and the caps, let through `channel` at most. Each flow joins the group that costs
/// least per flow: a heuristic, but any choice gives a true bound.
fn load_bound(sharing: &Sharing, channel: u32, column: &[(u32, f64)], keeps: &[bool], covers: &mut [Cover]) -> f64 {
    let others = |flow: u32| {
        let (row, shares) = sharing.row(flow as usize);
        row.iter().copied().zip(shares.iter().copied()).filter(|&(other, _)| other != channel && keeps[other as usize])
    };
    for &(flow, share) in column {
        for (other, other_share) in others(flow) {
            let cover = &mut covers[other as usize];
            if cover.of != channel {
                *cover = Cover { of: channel, ..Cover::default() };
            }
            cover.flows += 1;
            cover.ratio = cover.ratio.max(share / other_share);
        }
    }
    let mut bound = 0.0;
    for &(flow, share) in column {
        let alone = share * f64::from(sharing.count(flow as usize)) * sharing.cap(flow as usize);
        let load = |cover: &Cover, other: u32| sharing.capacity()[other as usize] * cover.ratio;
        let mut least = alone;
        let mut group = None;
        for (other, _) in others(flow) {
            let cover = &covers[other as usize];
            let per_flow = load(cover, other) / f64::from(cover.flows);
            if per_flow < least {
                (least, group) = (per_flow, Some(other));
            }
        }
        match group {
            None => bound += alone,
            Some(other) if !covers[other as usize].counted => {
                covers[other as usize].counted = true;
                bound += load(&covers[other as usize], other);
            }
            Some(_) => {}
        }
        if bound > 2.0 * sharing.capacity()[channel as usize] {
            break;
        }
    }
    bound
}
