use proptest::prelude::*;

use super::problems::{any_sharing, input, renumbered, scaled, sharing};
use super::{assert_near, near};
use crate::network::fair_share::judge;
use crate::network::fair_share::max_min::{Bottleneck, fill, max_min};
use crate::network::fair_share::sharing::Sharing;
use crate::network::fair_share::table::SharingTable;

#[test]
fn two_flows_on_one_channel_get_half_each() {
    // x + x = 10
    let answer = max_min(&sharing(&[10.0], &[&[(0, 1.0)], &[(0, 1.0)]]));
    assert_near(&answer.rate, &[5.0, 5.0]);
    assert_eq!(answer.bottleneck, [Bottleneck::Channel(0); 2]);
}

#[test]
fn a_flow_over_two_channels_is_held_by_the_scarcer() {
    // A on 0 and 1, B on 0, C on 1.   channel 0: A + B <= 10,   channel 1: A + C <= 4
    // Level 2 fills channel 1: A = C = 2. Then B alone rises until 2 + B = 10: B = 8.
    let answer = max_min(&sharing(&[10.0, 4.0], &[&[(0, 1.0), (1, 1.0)], &[(0, 1.0)], &[(1, 1.0)]]));
    assert_near(&answer.rate, &[2.0, 8.0, 2.0]);
    assert_eq!(answer.bottleneck, [1, 0, 1].map(Bottleneck::Channel));
}

#[test]
fn a_sprayed_flow_weighs_only_its_share() {
    // A sprayed evenly on 0 and 1, B on 0.   channel 0: A/2 + B <= 6,   channel 1: A/2 <= 3
    // Channel 0 fills at level 6 / 1.5 = 4, channel 1 would at 6: A = B = 4.
    let answer = max_min(&sharing(&[6.0, 3.0], &[&[(0, 0.5), (1, 0.5)], &[(0, 1.0)]]));
    assert_near(&answer.rate, &[4.0, 4.0]);
}

#[test]
fn what_a_capped_flow_leaves_goes_to_the_others() {
    // A <= 1, A + B + C <= 10: A stops at 1, then B = C = 9 / 2.
    let mut input = input(&[10.0], &[&[(0, 1.0)], &[(0, 1.0)], &[(0, 1.0)]]);
    input.cap = Some(vec![1.0, f64::INFINITY, 20.0]);
    let answer = max_min(&Sharing::new(input).expect("sound"));
    assert_near(&answer.rate, &[1.0, 4.5, 4.5]);
    assert_eq!(answer.bottleneck, [Bottleneck::Cap, Bottleneck::Channel(0), Bottleneck::Channel(0)]);
}

#[test]
fn a_cap_alone_holds_a_flow_without_channels() {
    let mut input = input(&[], &[&[]]);
    input.cap = Some(vec![7.0]);
    assert_near(&max_min(&Sharing::new(input).expect("sound")).rate, &[7.0]);
}

#[test]
fn a_row_that_stands_for_three_flows_weighs_three() {
    // 3 A + B <= 8: A = B = 2, each.
    let mut input = input(&[8.0], &[&[(0, 1.0)], &[(0, 1.0)]]);
    input.count = Some(vec![3, 1]);
    assert_near(&max_min(&Sharing::new(input).expect("sound")).rate, &[2.0, 2.0]);
}

#[test]
fn a_light_flow_is_not_lost_beside_a_heavy_one() {
    // A weighs 1e10 on 0 and stops at 1, which fills 1. B weighs 1e-7 on 0, less than the last digit of A's weight:
    // channel 0 has 1e10 left for it, 1e10 / 1e-7 = 1e17. Channel 2 would let it go ten times as fast.
    let answer = max_min(&sharing(&[2e10, 1.0, 1e18], &[&[(0, 1e10), (1, 1.0)], &[(0, 1e-7), (2, 1.0)]]));
    assert_near(&answer.rate, &[1.0, 1e17]);
    assert_eq!(answer.bottleneck, [1, 0].map(Bottleneck::Channel));
}

#[test]
fn a_channel_that_holds_nobody_has_no_level() {
    // A fills both at 1; 0 holds it. 1 is full as well, and holds none. B stops at 5, which fills 2; 3 holds none.
    let problem = sharing(&[1.0, 1.0, 5.0, 9.0], &[&[(0, 1.0), (1, 1.0)], &[(2, 1.0), (3, 1.0)]]);
    let table = SharingTable::new(&problem);
    let filled = fill(&table, &table.limit, |_| true);
    assert_eq!(filled.level, [1.0, f64::INFINITY, 5.0, f64::INFINITY]);
    assert_eq!(filled.order, [0, 2, 1, 3]);
    // Without B its channels hold nobody.
    let filled = fill(&table, &table.limit, |flow| flow == 0);
    assert_eq!(filled.level, [1.0, f64::INFINITY, f64::INFINITY, f64::INFINITY]);
    assert_eq!(filled.order, [0, 1, 2, 3]);
}

#[test]
fn a_weighted_flow_is_a_flow_with_its_share_rescaled() {
    // A shall get three times what B gets: x_A = A / 3, so 3 x_A + B <= 8, x_A = B = 2, A = 6.
    let answer = max_min(&sharing(&[8.0], &[&[(0, 3.0)], &[(0, 1.0)]]));
    assert_near(&[3.0 * answer.rate[0], answer.rate[1]], &[6.0, 2.0]);
}

#[test]
fn a_tiny_share_beside_a_million_large_ones_keeps_its_digits() {
    // 10^6 flows on 0 and 1, one flow with share 10^-9 on 1 alone.   0: 10^6 x <= 10^6,   1: 10^6 x + 10^-9 y <= 10^6 + 1
    // x = 1, y = 1 / 10^-9.
    let mut input = input(&[1e6, 1e6 + 1.0], &[]);
    for _ in 0..1_000_000 {
        input.push_flow([(0, 1.0), (1, 1.0)]);
    }
    input.push_flow([(1, 1e-9)]);
    let answer = max_min(&Sharing::new(input).expect("sound"));
    assert_near(&[answer.rate[0], answer.rate[1_000_000]], &[1.0, 1e9]);
}

#[test]
fn no_flows_get_no_rates() {
    assert!(max_min(&sharing(&[1.0], &[])).rate.is_empty());
}

/// No channel overfull; every flow at its cap, or on a full channel on which none is faster.
fn assert_fair(sharing: &Sharing, rate: &[f64]) {
    let load = |channel: usize| -> f64 {
        (0..rate.len()).map(|flow| judge::share(sharing, flow, channel) * f64::from(sharing.count(flow)) * rate[flow]).sum()
    };
    for channel in 0..sharing.channels() {
        assert!(load(channel) <= sharing.capacity()[channel] * (1.0 + 1e-9), "channel {channel} overfull");
    }
    for flow in 0..rate.len() {
        let (row, _) = sharing.row(flow);
        let held = row.iter().map(|&channel| channel as usize).any(|channel| {
            let fastest = (0..rate.len()).filter(|&other| judge::share(sharing, other, channel) > 0.0).map(|other| rate[other]).fold(0.0, f64::max);
            near(load(channel), sharing.capacity()[channel]) && rate[flow] >= fastest * (1.0 - 1e-9)
        });
        assert!(held || near(rate[flow], sharing.cap(flow)), "nothing holds flow {flow}");
    }
}

proptest! {
    #[test]
    fn rates_carry_the_certificate(sharing in any_sharing()) {
        assert_fair(&sharing, &max_min(&sharing).rate);
    }

    #[test]
    fn rates_are_the_judges(sharing in any_sharing()) {
        assert_near(&max_min(&sharing).rate, &judge::rates(&sharing, &vec![true; sharing.flows()]));
    }

    #[test]
    fn the_bottleneck_named_is_one(sharing in any_sharing()) {
        let answer = max_min(&sharing);
        for flow in 0..sharing.flows() {
            match answer.bottleneck[flow] {
                Bottleneck::Cap => prop_assert!(near(answer.rate[flow], sharing.cap(flow))),
                Bottleneck::Channel(channel) => prop_assert!(sharing.row(flow).0.contains(&channel)),
            }
        }
    }

    #[test]
    fn numbering_changes_nothing(sharing in any_sharing()) {
        let backwards: Vec<f64> = max_min(&renumbered(&sharing)).rate.into_iter().rev().collect();
        assert_near(&max_min(&sharing).rate, &backwards);
    }

    #[test]
    fn twice_the_capacity_is_twice_the_rate(sharing in any_sharing()) {
        let doubled: Vec<f64> = max_min(&sharing).rate.iter().map(|rate| 2.0 * rate).collect();
        prop_assert_eq!(max_min(&scaled(&sharing, 2.0)).rate, doubled);
    }
}
