use proptest::collection;
use proptest::prelude::*;

use super::problems::{any_sharing, renumbered, scaled, sharing};
use super::{assert_near, near};
use crate::network::fair_share::completion::Accuracy;
use crate::network::fair_share::judge;
use crate::network::fair_share::sample_fabrics as fabrics;
use crate::network::fair_share::sharing::Sharing;
use crate::network::fair_share::times::Completion;
use crate::network::fair_share::transfers::{Transfers, TransfersInput};

fn bytes(bytes: &[f64]) -> TransfersInput {
    TransfersInput { bytes: bytes.to_vec(), ..TransfersInput::default() }
}

fn exact(sharing: &Sharing, input: TransfersInput) -> Completion {
    Transfers::new(sharing, input).expect("sound").complete(Accuracy::Exact).expect("exact always works")
}

#[test]
fn the_longer_flow_speeds_up_when_the_shorter_ends() {
    // 2 bytes/s, 1 and 3 bytes. Both at 1 until 1 s; then 2 bytes are left at 2 bytes/s: 2 s.
    let answer = exact(&sharing(&[2.0], &[&[(0, 1.0)], &[(0, 1.0)]]), bytes(&[1.0, 3.0]));
    assert_near(&answer.end_s, &[1.0, 2.0]);
    assert_eq!(answer.makespan_s(), 2.0);
}

#[test]
fn an_end_can_slow_a_third_flow_down() {
    // A on 0, B on 0 and 1, C on 1; channel 0 carries 4, channel 1 carries 6. A = B = 2, C = 4.
    // A (2 bytes) ends at 1 s. Then only channel 1 binds: B = C = 3. C has 6 - 4 = 2 bytes left: it ends at 1 + 2/3 s,
    // where at its first rate it would have ended at 1.5 s. B has 8 - 2 - 2 = 4 left and 4 bytes/s of channel 0: 2 2/3 s.
    let chain = sharing(&[4.0, 6.0], &[&[(0, 1.0)], &[(0, 1.0), (1, 1.0)], &[(1, 1.0)]]);
    assert_near(&exact(&chain, bytes(&[2.0, 8.0, 6.0])).end_s, &[1.0, 8.0 / 3.0, 5.0 / 3.0]);
}

#[test]
fn a_late_flow_takes_its_half() {
    // 2 bytes/s. A (4 bytes) alone until 1 s, then both at 1: A has 2 left and ends at 3 s. B has sent 2 of 3: 3.5 s.
    let mut input = bytes(&[4.0, 3.0]);
    input.release_s = Some(vec![0.0, 1.0]);
    assert_near(&exact(&sharing(&[2.0], &[&[(0, 1.0)], &[(0, 1.0)]]), input).end_s, &[3.0, 3.5]);
}

#[test]
fn a_chain_of_flows_adds_up_over_idle_gaps() {
    // Each 1 s long. 1 waits for 0 and 5 s more, 2 for 1 with no delay; 3, without bytes, for 2.
    let mut input = bytes(&[1.0, 1.0, 1.0, 0.0]);
    input.waits_for = vec![(1, 0), (2, 1), (3, 2)];
    input.delay_s = Some(vec![0.0, 5.0, 0.0, 2.0]);
    let answer = exact(&sharing(&[1.0], &[&[(0, 1.0)][..]; 4]), input);
    assert_near(&answer.start_s, &[0.0, 6.0, 7.0, 10.0]);
    assert_near(&answer.end_s, &[1.0, 7.0, 8.0, 10.0]);
}

#[test]
fn flows_without_bytes_end_as_they_start() {
    let mut input = bytes(&[0.0, 0.0, 0.0]);
    input.release_s = Some(vec![0.0, 3.0, 0.0]);
    input.waits_for = vec![(2, 1), (2, 0)];
    assert_eq!(exact(&sharing(&[1.0], &[&[(0, 1.0)][..]; 3]), input).end_s, [0.0, 3.0, 3.0]);
}

#[test]
fn nothing_to_do_takes_no_time() {
    assert_eq!(exact(&sharing(&[1.0], &[]), bytes(&[])).makespan_s(), 0.0);
}

#[test]
fn sizes_thirty_orders_apart_both_keep_their_digits() {
    // 2 bytes/s. 1 byte at 1 byte/s ends at 1 s; 10^30 bytes then have the channel: 10^30 / 2 + 1/2 s.
    let answer = exact(&sharing(&[2.0], &[&[(0, 1.0)], &[(0, 1.0)]]), bytes(&[1.0, 1e30]));
    assert_near(&answer.end_s, &[1.0, 5e29]);
}

#[test]
fn a_small_flow_after_a_huge_one_keeps_its_digits() {
    // 0 and 1 share channel 0 (10^12 bytes/s) until 1 ends at 2 s and 0 is left with 10^30; then 10^6 flows of 1 byte on
    // channel 1 (1 byte/s), also crossed by 0, all start at 3 s: each gets 1 / (10^6 + 1) bytes/s and ends at 10^6 + 4 s.
    let mut input = super::problems::input(&[1e12, 1.0], &[&[(0, 1.0)], &[(0, 1.0)], &[(0, 1.0), (1, 1.0)]]);
    input.push_flow([(1, 1.0)]);
    input.count = Some(vec![1, 1, 1, 1_000_000]);
    let mut transfers = bytes(&[1e30, 1e12, 1e30, 1.0]);
    transfers.release_s = Some(vec![0.0, 0.0, 3.0, 3.0]);
    let answer = exact(&Sharing::new(input).expect("sound"), transfers);
    assert_near(&answer.end_s[1..2], &[2.0]);
    assert_near(&answer.end_s[3..], &[1_000_004.0]);
}

#[test]
fn equal_flows_on_a_crossbar_all_end_at_once() {
    // Every chip sends 15 MB at 100 GB/s.
    let sharing = Sharing::new(fabrics::crossbar_all_to_all(16)).expect("sound");
    let answer = exact(&sharing, bytes(&[1e6; 240]));
    assert_near(&answer.end_s, &[15.0 * 1e6 / 100e9; 240]);
    assert_eq!(answer.reshares, 2);
}

#[test]
fn a_clos_that_does_not_block_answers_like_a_crossbar() {
    let sizes = fabrics::spread_sizes(24 * 23, 1e6, 0.2, 7);
    let on = |input| exact(&Sharing::new(input).expect("sound"), bytes(&sizes)).end_s;
    assert_near(&on(fabrics::clos_all_to_all(24)), &on(fabrics::crossbar_all_to_all(24)));
}

#[test]
fn spread_sizes_on_a_crossbar_are_the_judges() {
    let sharing = Sharing::new(fabrics::crossbar_all_to_all(10)).expect("sound");
    let input = bytes(&fabrics::spread_sizes(90, 1e6, 0.2, 3));
    assert_near(&exact(&sharing, input.clone()).end_s, &judge::ends(&sharing, &input).0);
}

#[test]
fn within_a_tolerance_means_it() {
    let sharing = Sharing::new(fabrics::crossbar_all_to_all(32)).expect("sound");
    let mut sheet = String::from("tolerance  within it  re-shares <= exact\n");
    for seed in 0..3 {
        let input = bytes(&fabrics::spread_sizes(32 * 31, 1e6, 0.2, seed));
        let truth = exact(&sharing, input.clone());
        let transfers = Transfers::new(&sharing, input).expect("sound");
        for tolerance in [0.1, 0.01, 0.001] {
            let answer = transfers.complete(Accuracy::Within(tolerance)).expect("a sound tolerance");
            let error = answer.end_s.iter().zip(&truth.end_s).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
            assert!(answer.end_difference <= tolerance / 2.0);
            sheet += &format!("{tolerance:<9}  {:<9}  {}\n", error <= tolerance, answer.reshares <= truth.reshares);
        }
    }
    let line = |tolerance: &str| format!("{tolerance:<9}  true       true\n");
    let expected = ["0.1", "0.01", "0.001"].map(line).concat().repeat(3);
    assert_eq!(sheet.split_once('\n').map(|(_, lines)| lines), Some(expected.as_str()));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let sharing = Sharing::new(fabrics::clos_all_to_all(16)).expect("sound");
    let transfers = Transfers::new(&sharing, bytes(&fabrics::spread_sizes(240, 1e6, 0.2, 5))).expect("sound");
    let with = |threads: usize, accuracy: Accuracy| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| transfers.complete(accuracy).expect("sound"))
    };
    for accuracy in [Accuracy::Exact, Accuracy::Within(0.01)] {
        assert_eq!(with(1, accuracy), with(2, accuracy));
        assert_eq!(with(1, accuracy), with(8, accuracy));
    }
}

#[test]
fn every_refusal_says_what_and_where() {
    let sharing = sharing(&[1.0], &[&[(0, 1.0)][..]; 3]);
    let refusal = |change: fn(&mut TransfersInput)| {
        let mut input = bytes(&[1.0; 3]);
        change(&mut input);
        Transfers::new(&sharing, input).expect_err("must be refused").to_string()
    };
    let refusals = [
        refusal(|input| input.bytes.truncate(2)),
        refusal(|input| input.bytes[1] = -1.0),
        refusal(|input| input.bytes[1] = f64::INFINITY),
        refusal(|input| input.release_s = Some(vec![0.0, f64::NAN, 0.0])),
        refusal(|input| input.delay_s = Some(vec![0.0, 0.0, -1.0])),
        refusal(|input| input.waits_for = vec![(1, 3)]),
        refusal(|input| input.waits_for = vec![(0, 1), (1, 2), (2, 1)]),
        Transfers::new(&sharing, bytes(&[1.0; 3])).expect("sound").complete(Accuracy::Within(0.0)).expect_err("must be refused").to_string(),
    ];
    let expected = "\
bytes: 2 entries for 3 flows
flow 1 carries -1 bytes: expected 0 or a value between 1e-60 and 1e60
flow 1 carries inf bytes: expected 0 or a value between 1e-60 and 1e60
release of flow 1 is NaN s: expected a value between 0 and 1e60
delay of flow 2 is -1 s: expected a value between 0 and 1e60
a dependency names flow 3: there are 3 flows
flow 1 waits for itself through its dependencies
tolerance 0: expected a value above 0 and below 1";
    assert_eq!(refusals.join("\n"), expected);
}

/// A problem with sizes, late releases, delays and dependencies on lower-numbered flows, so never in a circle.
fn any_transfers() -> impl Strategy<Value = (Sharing, TransfersInput)> {
    any_sharing().prop_flat_map(|sharing| {
        let flows = sharing.flows();
        let size = prop_oneof![Just(0.0), Just(1.0), 0.1..100.0_f64];
        let time = prop_oneof![3 => Just(0.0), 1 => 0.0..5.0_f64];
        let waits = collection::vec((0..flows as u32, 0..flows as u32), 0..=flows / 2);
        let input = (collection::vec(size, flows), collection::vec(time.clone(), flows), collection::vec(time, flows), waits).prop_map(
            |(bytes, release, delay, waits)| TransfersInput {
                bytes,
                release_s: Some(release),
                delay_s: Some(delay),
                waits_for: waits.into_iter().filter(|(flow, other)| flow > other).collect(),
            },
        );
        (Just(sharing), input)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn ends_are_the_judges((sharing, input) in any_transfers()) {
        assert_near(&exact(&sharing, input.clone()).end_s, &judge::ends(&sharing, &input).0);
    }

    #[test]
    fn numbering_changes_nothing((sharing, mut input) in any_transfers()) {
        input.waits_for.clear();
        let forwards = exact(&sharing, input.clone()).end_s;
        input.bytes.reverse();
        input.release_s.iter_mut().chain(&mut input.delay_s).for_each(|times| times.reverse());
        let backwards: Vec<f64> = exact(&renumbered(&sharing), input).end_s.into_iter().rev().collect();
        assert_near(&forwards, &backwards);
    }

    #[test]
    fn twice_the_capacity_is_half_the_time((sharing, mut input) in any_transfers()) {
        input.release_s = None;
        input.delay_s = None;
        let halved: Vec<f64> = exact(&scaled(&sharing, 2.0), input.clone()).end_s.iter().map(|end| 2.0 * end).collect();
        prop_assert_eq!(exact(&sharing, input).end_s, halved);
    }

    /// Rates worked out by the judge for the flows that run by our starts and ends, added up over time, give the bytes.
    #[test]
    fn no_byte_is_lost_or_gained((sharing, input) in any_transfers()) {
        let answer = exact(&sharing, input.clone());
        let mut times: Vec<f64> = answer.start_s.iter().chain(&answer.end_s).copied().collect();
        times.sort_by(f64::total_cmp);
        let mut moved = vec![0.0; sharing.flows()];
        for stretch in times.windows(2).filter(|stretch| stretch[1] > stretch[0]) {
            let middle = 0.5 * (stretch[0] + stretch[1]);
            let runs: Vec<bool> = (0..sharing.flows()).map(|flow| answer.start_s[flow] < middle && middle < answer.end_s[flow]).collect();
            for (moved, rate) in moved.iter_mut().zip(judge::rates(&sharing, &runs)) {
                *moved += rate * (stretch[1] - stretch[0]);
            }
        }
        for (flow, (&moved, &bytes)) in moved.iter().zip(&input.bytes).enumerate() {
            prop_assert!(near(moved, bytes) || (moved - bytes).abs() < 1e-9 * bytes.max(answer.end_s[flow]), "flow {flow}: {moved} of {bytes}");
        }
    }

    #[test]
    fn judge_moves_every_byte_too((sharing, input) in any_transfers()) {
        let (_, stretches) = judge::ends(&sharing, &input);
        let moved = |flow: usize| -> f64 { stretches.iter().map(|stretch| stretch.rate[flow] * (stretch.to_s - stretch.from_s)).sum() };
        for flow in 0..sharing.flows() {
            prop_assert!((moved(flow) - input.bytes[flow]).abs() <= 1e-9 * (1.0 + input.bytes[flow]));
        }
    }
}
