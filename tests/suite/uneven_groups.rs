//! Attention groups with unequal work: the fullest sets the pace of attention and of the exchange, experts serve all.

use supernode::execution::{Machine, Mapping, Step, StepShape, step};
use supernode::fabric;
use supernode::input::spec::{load_supernode, load_workload};
use supernode::network::Network;
use supernode::units::Watts;
use supernode::workload::AttentionBatch;

/// A prompt of 4 096 tokens in a pass of eight groups on eight H200: in all of them, or in one alone.
fn pass(workload: &str, mapping: Mapping, evenness: f64) -> Step {
    let mut spec = load_supernode("hgx-h200").unwrap_or_else(|problems| panic!("{problems}"));
    // The same clock whatever experts do.
    spec.chip.power.tdp.value = Watts::new(1e5);
    let workload = load_workload(workload).unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let batch = AttentionBatch { sequences: 1.0, new_tokens: 4096.0, context: 2048.0, prefill: true };
    let shape = StepShape { mapping, batch, chunk: None, micro_batches: 1, sampled: 1.0, evenness, drafts: 0 };
    step(&Machine::new(&network, &spec.library, &spec.chip, &workload), &shape)
}

#[test]
fn experts_serve_all_groups_and_the_fullest_sets_the_pace() {
    let groups = Mapping { dp: 8, ep: 8, ..Mapping::ONE };
    let [even, alone] = [1.0, 0.125].map(|evenness| pass("deepseek-r1-fp8", groups, evenness));
    let mut faster = Vec::new();
    for (all, one) in even.stages.iter().zip(&alone.stages) {
        assert_eq!(all.name, one.name);
        if one.time < all.time {
            faster.push(all.name);
        } else {
            assert_eq!(one.time, all.time, "{}", all.name);
        }
    }
    assert_eq!(faster, ["experts"]);
    assert!(alone.time < even.time);
}

/// Nothing in a dense model works for all groups.
#[test]
fn dense_groups_do_not_see_each_other() {
    let groups = Mapping { tp: 2, dp: 4, ..Mapping::ONE };
    let [even, alone] = [1.0, 0.25].map(|evenness| pass("llama-3.1-70b-fp8", groups, evenness));
    assert_eq!(alone.time, even.time);
}
