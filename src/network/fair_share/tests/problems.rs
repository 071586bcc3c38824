//! Problems for the tests: short hand-written ones, and random ones.

use proptest::prelude::*;

use crate::network::fair_share::sharing::{Sharing, SharingInput};

/// Channels of the given capacities (bytes/s) and flows of the given rows.
pub fn sharing(capacity: &[f64], rows: &[&[(u32, f64)]]) -> Sharing {
    Sharing::new(input(capacity, rows)).expect("a sound problem")
}

pub fn input(capacity: &[f64], rows: &[&[(u32, f64)]]) -> SharingInput {
    let mut input = SharingInput::new(capacity.to_vec());
    for row in rows {
        input.push_flow(row.iter().copied());
    }
    input
}

/// Random problems: few channels and many flows so that they meet; round numbers so that levels tie, and ragged ones; caps
/// and counts now and then.
pub fn any_sharing() -> impl Strategy<Value = Sharing> {
    let number = |round: &'static [f64]| prop_oneof![proptest::sample::select(round), 0.01..100.0_f64];
    let capacity = proptest::collection::vec(number(&[1.0, 2.0, 10.0]), 1..9);
    capacity.prop_flat_map(move |capacity| {
        let channels: Vec<u32> = (0..capacity.len() as u32).collect();
        let row = proptest::sample::subsequence(channels, 1..=capacity.len().min(4));
        let flow = (row, proptest::collection::vec(number(&[1.0, 0.5, 0.25]), 4), proptest::option::weighted(0.2, number(&[0.5, 1.0])), 1..4_u32);
        (Just(capacity), proptest::collection::vec(flow, 1..25)).prop_map(|(capacity, flows)| {
            let mut input = SharingInput::new(capacity);
            for (row, shares, _, _) in &flows {
                input.push_flow(row.iter().copied().zip(shares.iter().copied()));
            }
            input.cap = Some(flows.iter().map(|(_, _, cap, _)| cap.unwrap_or(f64::INFINITY)).collect());
            input.count = Some(flows.iter().map(|&(_, _, _, count)| count).collect());
            Sharing::new(input).expect("a sound problem")
        })
    })
}

/// The same problem with channels and flows numbered backwards.
pub fn renumbered(sharing: &Sharing) -> Sharing {
    let last_channel = sharing.channels() as u32 - 1;
    let mut input = SharingInput::new(sharing.capacity().iter().rev().copied().collect());
    for flow in (0..sharing.flows()).rev() {
        let (row, shares) = sharing.row(flow);
        input.push_flow(row.iter().zip(shares).rev().map(|(&channel, &share)| (last_channel - channel, share)));
    }
    input.cap = Some((0..sharing.flows()).rev().map(|flow| sharing.cap(flow)).collect());
    input.count = Some((0..sharing.flows()).rev().map(|flow| sharing.count(flow)).collect());
    Sharing::new(input).expect("still sound")
}

/// The same problem with all capacities and caps multiplied.
pub fn scaled(sharing: &Sharing, factor: f64) -> Sharing {
    let mut input = sharing.input().clone();
    input.capacity.iter_mut().for_each(|capacity| *capacity *= factor);
    input.cap.iter_mut().flatten().for_each(|cap| *cap *= factor);
    Sharing::new(input).expect("still sound")
}
