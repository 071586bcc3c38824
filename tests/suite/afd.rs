//! Attention and experts on chips of their own.

use supernode::execution::{Communication, Machine, Mapping, MappingRequest, Resource, afd_mappings, expert_rank_bytes, timeline, weight_bytes};
use supernode::fabric;
use supernode::input::document::ExpertChips;
use supernode::input::spec::{Spec, WorkloadSpec, load_supernode, load_workload};
use supernode::network::{AfdTraffic, Network};
use supernode::serving::{Infeasible, best_batch, decode_at};
use supernode::study::{MappingChoice, simulate_with};
use supernode::units::Bytes;

fn h800() -> Spec {
    load_supernode("hgx-h800").unwrap_or_else(|problems| panic!("{problems}"))
}

fn step_3() -> WorkloadSpec {
    load_workload("step-3-fp8").unwrap_or_else(|problems| panic!("{problems}"))
}

const fn apart(dp: u32, ffn: u32) -> Mapping {
    Mapping { ep: ffn, dp, ffn: Some(ffn), ..Mapping::ONE }
}

/// Four GPUs with attention send 64 tokens each to 4 experts on four others, in FP8 with 224 B of scales: 7 392 B x 64 x 4 / 4 = 473 088 B
/// a pair, 1.892 MB out of each GPU and as much into each. At 200 GB/s and 0.6678 of it: 14.17 µs. 256
/// experts on 132 cores are two a core, on 128 cores: a core handles half a token, 1.00 µs. With 7.551 µs of base, 256 x 14.26 ns and 0.65 µs of path: 27.0 µs.
/// Six senders and two receivers: 7 392 x 64 x 4 / 2 = 946 176 B a pair, 5.677 MB into a receiver, 42.51 µs; back, as much out of it;
/// a core of a receiver handles one and a half tokens, 3.01 µs.
#[test]
fn tokens_between_the_two_kinds_by_hand() {
    let spec = h800();
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let communication = Communication::new(&network, &spec.library);
    let traffic =
        |attention, experts| AfdTraffic { attention, experts, tokens: 64.0, copies: 4.0, message: Bytes::new(7168.0), imbalance: 1.0, routed: 256.0 };
    for (attention, experts, wire) in [(4, 4, 14.17 + 1.0), (6, 2, 42.51 + 3.01)] {
        let [there, _] = communication.afd_exchange(&traffic(attention, experts), &traffic(attention, experts));
        let expected = wire + 7.551 + 3.65 + 0.65;
        assert!((there.time.microseconds() / expected - 1.0).abs() < 0.01, "{there:?} is not {expected} µs");
        let sent = traffic(attention, experts).attention_bytes(&spec.library.dispatch);
        assert_eq!([sent, there.sent], [Bytes::new(7392.0 * 64.0 * 4.0); 2]);
        let all = [sent * f64::from(attention), traffic(attention, experts).expert_bytes(&spec.library.dispatch) * f64::from(experts)];
        assert_eq!(all[0], all[1], "what one kind sends the other gets");
    }
}

/// 32 tokens each of 16 GPUs go to 4 of the experts on 16 others, two hosts away: over NICs at 50 GB/s and 0.9476 of it, 7 392 B x 32 x 4 take
/// 19.97 µs and 2.404 + 3.6 log2(17) = 17.1 µs to start. With 1 024 tokens the way by nodes is faster: to d(2) = 2 (1 - 1/2^4) = 1.875 hosts of two
/// 7 392 B x 1 024 x 1.875 take 290.1 µs at 0.9783 of the card's rate instead of 639 µs, and what goes on inside a host (less) flows beside it.
#[test]
fn tokens_between_hosts_by_hand() {
    let spec = load_supernode("hgx-h800-ib-256").unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let communication = Communication::new(&network, &spec.library);
    for (tokens, expected) in [(32.0, 19.97 + 17.1), (1024.0, 290.1 + 1.245 + 5.453 * 17.0_f64.log2() + (6.779_f64 * 290.1).sqrt())] {
        let traffic = AfdTraffic { attention: 16, experts: 16, tokens, copies: 4.0, message: Bytes::new(7168.0), imbalance: 1.0, routed: 256.0 };
        let [there, _] = communication.afd_exchange(&traffic, &traffic);
        let beyond = there.time.microseconds() / expected - 1.0;
        assert!((0.0..0.15).contains(&beyond), "{there:?} is not {expected} µs, a path and headers");
    }
}

/// Step-3 has 56 layers with 48 experts and one shared expert of 3 x 7168 x 5120 weights. On 16 ranks of their own: (3 + 1) x 110.1e6 x 56 =
/// 24.66 GB in FP8. A rank with attention holds none of it.
#[test]
fn weights_by_hand() {
    let WorkloadSpec { workload, model, .. } = step_3();
    let placement = workload.experts.as_ref();
    let experts = expert_rank_bytes(&model, &workload.precision, placement, 16);
    assert_eq!(experts, Bytes::new(4.0 * 3.0 * 7168.0 * 5120.0 * 56.0 * workload.precision.weights.bytes()));
    let together = weight_bytes(&model, &workload.precision, placement, &Mapping { ep: 16, dp: 16, ..Mapping::ONE });
    let attention = weight_bytes(&model, &workload.precision, placement, &apart(16, 16));
    assert!(((attention + experts) / together - 1.0).abs() < 1e-12, "{attention:?} and {experts:?} are not {together:?}");
}

/// A layer takes what its stages give: attention with its gate, experts, and both ways.
#[test]
fn a_layer_is_the_longest_of_sides_and_way_round() {
    let (spec, mut workload) = (h800(), step_3());
    workload.workload.precision = workload.workload.precision.on(&spec.chip);
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    let phase = workload.workload.decode.as_ref().expect("the workload decodes");
    for (mapping, parts) in [(apart(4, 4), 2), (apart(4, 4), 3), (apart(6, 2), 4)] {
        let step = decode_at(&machine, phase, mapping, 12 * parts, parts).step;
        let on = |resource: Resource| step.stages.iter().filter(|stage| stage.resource == resource).map(|stage| stage.time.get()).sum::<f64>();
        let all = Resource::ALL.map(on);
        let expected = all.iter().fold(0.0, |most: f64, time| most.max(time * f64::from(parts))).max(all.iter().sum());
        assert!((step.layer.get() / step.pace.rest / expected - 1.0).abs() < 1e-6, "{mapping}, {parts}: {:?} is not {expected}", step.layer);
        // Stage by stage a rank does, on average over both kinds, what the whole pass says.
        let moments = timeline(&step);
        let memory: f64 = moments.iter().map(|moment| moment.work.memory.get()).sum();
        let sent: f64 = moments.iter().map(|moment| moment.work.sent.get()).sum();
        assert!((memory / step.activity.memory.get() - 1.0).abs() < 1e-9 && (sent / step.activity.sent.get() - 1.0).abs() < 1e-9);
    }
    // Four experts' ranks would hold 12 + 1 of them: 80.1 GB of weights on a GPU of 80 GB.
    let refused = best_batch(&machine, phase, apart(4, 4), 2);
    assert!(matches!(refused, Err(Infeasible::Weights { .. })), "{refused:?}");
}

/// `--mapping ffn=` fixes it, whatever the workload says; prompts are read without. A dense model has nothing to part.
#[test]
fn asked_for_by_mapping() {
    let spec = load_supernode("gb200-nvl72").unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let workload = load_workload("deepseek-r1-cloudmatrix").unwrap_or_else(|problems| panic!("{problems}"));
    let target = supernode::input::spec::load_target("doubao-2026-04").unwrap_or_else(|problems| panic!("{problems}"));
    let asked = |text: &str, workload: &WorkloadSpec| {
        let request: MappingRequest = text.parse().expect("degrees");
        request.candidates(workload, spec.chips(), spec.levels[0].size, spec.chip.ranks)
    };
    let candidates = Some(asked("ffn=36,dp=36", &workload).expect("a legal mapping"));
    let simulation = simulate_with(&spec, &fabric, &workload, &target, &MappingChoice { candidates, ..MappingChoice::default() });
    let decode = simulation.decode.expect("asked for").expect("it fits").point;
    assert_eq!(decode.mapping.to_string(), "tp=1,ep=36,dp=36,pp=1,ffn=36");
    assert!(simulation.prefill.expect("asked for").is_ok_and(|found| found.point.mapping.ffn.is_none()));

    assert_eq!(asked("ffn=30,dp=10,tp=2", &workload).map(|found| found[0].to_string()), Ok("tp=2,ep=30,dp=10,pp=1,ffn=30".to_owned()));
    assert_eq!(
        asked("ffn=64,dp=32", &workload),
        Err("tp=1,ep=64,dp=32,pp=1,ffn=64 takes 96 chips, the supernode has 72; the nearest that works is tp=1,ep=42,dp=30,pp=1,ffn=42".to_owned())
    );
    assert_eq!(
        asked("ffn=36,pp=2", &workload),
        Err("with ffn, experts are on ep = ffn ranks, without pipeline stages and without shared sequences; the nearest that works is \
             tp=1,ep=36,dp=36,pp=1,ffn=36"
            .to_owned())
    );
    let dense = load_workload("llama-3.1-70b-fp8").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(asked("ffn=8", &dense), Err("a dense model has no experts to give ranks of their own".to_owned()));
    assert!(afd_mappings(&dense.model, 72, 72, 1).is_empty());
}

/// With the choice of both, the best is at least as good as either alone.
#[test]
fn either_is_the_better_one() {
    let spec = load_supernode("gb200-nvl72").unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let target = supernode::input::spec::load_target("doubao-2026-04").unwrap_or_else(|problems| panic!("{problems}"));
    let rate = |chips| {
        let mut workload = step_3();
        workload.workload.decode.as_mut().expect("the workload decodes").expert_chips = chips;
        let found = simulate_with(&spec, &fabric, &workload, &target, &MappingChoice::default()).decode.expect("asked for").expect("it fits");
        (found.rate.get(), found.point.mapping.ffn.is_some())
    };
    let (shared, apart, either) = (rate(ExpertChips::Shared), rate(ExpertChips::Apart), rate(ExpertChips::Either));
    assert!(!shared.1 && apart.1);
    assert_eq!(either.0, shared.0.max(apart.0));
}
