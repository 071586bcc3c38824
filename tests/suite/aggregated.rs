//! Prompts and answers on the same chips, and caches on their way between chips that are not the same.

use supernode::execution::{Machine, Mapping};
use supernode::fabric;
use supernode::input::spec::{Spec, WorkloadSpec, load_supernode, load_workload_with};
use supernode::network::{Network, Op};
use supernode::serving::{OperatingPoint, aggregated_at, decode_at, most_requests, prefill_at};
use supernode::units::Bytes;

const MAPPING: Mapping = Mapping { ep: 72, dp: 72, ..Mapping::ONE };

fn with_machine<T>(workload: &WorkloadSpec, ask: impl FnOnce(&Machine<'_>) -> T) -> T {
    let spec: Spec = load_supernode("gb200-nvl72").unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    ask(&Machine::new(&network, &spec.library, &spec.chip, workload))
}

fn chat() -> WorkloadSpec {
    load_workload_with("chat", None).unwrap_or_else(|problems| panic!("{problems}"))
}

/// As many prompt tokens are read as the answers that end make room for: passes/s x share that reads x chunk = requests/s of one group x
/// fresh tokens, with 3 600 x (1 - 0.563) = 1 573.2 fresh tokens and 1.7 tokens a pass and sequence.
#[test]
fn prompts_are_read_as_fast_as_answers_end() {
    let workload = chat();
    let request = workload.workload.request.as_ref().expect("chat says what a request is");
    with_machine(&workload, |machine| {
        let point = aggregated_at(machine, request, MAPPING, 64, 2048, 1).unwrap_or_else(|no| panic!("{no}"));
        let requests = point.requests.expect("it does both");
        let passes_per_second = 1.0 / (point.latency().get() * 1.7);
        let read = passes_per_second * requests.reading * 2048.0;
        let needed = requests.per_second / 72.0 * 1573.2;
        assert!((read / needed - 1.0).abs() < 1e-9, "{read} read, {needed} needed");
        // 64 sequences x 1.7 tokens end 0.1088 answers of 1 000 tokens a pass, and 0.1088 x 1 573.2 / 2 048 chunks.
        assert!((requests.reading - 0.083_576).abs() < 1e-6, "{}", requests.reading);
        assert!((point.rate.get() / requests.per_second - 1000.0).abs() < 1e-6, "answers are 1 000 tokens long");
    });
}

/// With every prompt in the cache but for its last token one pass in 4 706 (1 000 / 1.7 / 64 x 512) reads, and what remains is decode.
#[test]
fn without_prompts_it_is_decode() {
    let mut workload = chat();
    let mut request = workload.workload.request.clone().expect("chat says what a request is");
    request.cache_hit = 1.0;
    workload.workload.decode = Some(request.decode());
    with_machine(&workload, |machine| {
        let decode = decode_at(machine, &request.decode(), MAPPING, 64, 1);
        let both = aggregated_at(machine, &request, MAPPING, 64, 512, 1).unwrap_or_else(|no| panic!("{no}"));
        assert!((both.rate.get() / decode.rate.get() - 1.0).abs() < 0.01, "{} against {}", both.rate.get(), decode.rate.get());
        assert!(both.rate.get() <= decode.rate.get());
    });
}

/// The best point keeps both limits, and a looser one never serves fewer.
#[test]
fn limits_are_kept_and_looser_ones_never_lose() {
    let workload = chat();
    let request = workload.workload.request.clone().expect("chat says what a request is");
    with_machine(&workload, |machine| {
        let rate = |point: &OperatingPoint| point.requests.expect("it does both");
        let best = most_requests(machine, &request, MAPPING, 1).unwrap_or_else(|no| panic!("{no}"));
        assert!(best.tpot <= Some(request.tpot_limit.value) && best.ttft <= Some(request.ttft_limit.value) && rate(&best).reading <= 0.95);
        let mut looser = request.clone();
        let mut limit = (*looser.tpot_limit).clone();
        limit.value = limit.value * 2.0;
        looser.tpot_limit.set(limit);
        let more = most_requests(machine, &looser, MAPPING, 1).unwrap_or_else(|no| panic!("{no}"));
        assert!(rate(&more).per_second >= rate(&best).per_second);
    });
}

/// A prompt of 4 096 tokens leaves 61 layers x (512 + 64) x 2 bytes x 4 096 = 287.8 MB of latent cache; its last layer, a 61st, is waited
/// for after start and flight.
#[test]
fn the_cache_of_a_prompt_is_handed_over() {
    let spec = load_supernode("cloudmatrix384").unwrap_or_else(|problems| panic!("{problems}"));
    let workload = load_workload_with("deepseek-r1-cloudmatrix", None).unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    let communication = &machine.communication;
    let phase = workload.workload.prefill.as_ref().expect("it reads prompts");
    let point = prefill_at(&machine, phase, Mapping { ep: 32, dp: 32, ..Mapping::ONE }, 2.0, 1).unwrap_or_else(|no| panic!("{no}"));
    let transfer = point.kv_transfer.expect("answers are made elsewhere");
    assert_eq!(transfer.prompt.get(), 61.0 * 576.0 * 2.0 * 4096.0);
    // 32 groups read 2 prompts each; 32 ranks send, each to all 768.
    let move_out = |bytes: f64| communication.collective(Op::AllToAll, 768, Bytes::new(bytes));
    let sent = transfer.prompt.get() * 64.0 / 32.0;
    assert!((transfer.time.get() / move_out(sent).get() - 1.0).abs() < 1e-12);
    assert!((transfer.exposed.get() / move_out(sent / 61.0).get() - 1.0).abs() < 1e-12);
    assert!((point.latency().get() / (1.5 * point.step.time.get() + transfer.exposed.get()) - 1.0).abs() < 1e-12);
}
