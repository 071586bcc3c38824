//! Speculative decoding with a draft model on the same chips.

use crate::command::Project;
use supernode::execution::{Machine, Mapping, StepShape, cache_room, draft_mapping, step, timeline, weight_bytes};
use supernode::fabric;
use supernode::input::document::Speculation;
use supernode::input::spec::{Spec, WorkloadSpec, load_supernode, load_workload, load_workload_with};
use supernode::network::Network;
use supernode::serving::{best_batch, decode_at, prefill_at};
use supernode::units::{Bytes, Seconds};
use supernode::workload::AttentionBatch;

const TP8: Mapping = Mapping { tp: 8, ..Mapping::ONE };

fn with_draft() -> WorkloadSpec {
    load_workload("llama-3.1-70b-fp8-draft").unwrap_or_else(|problems| panic!("{problems}"))
}

fn on_h100<T>(workload: &WorkloadSpec, ask: impl FnOnce(&Machine<'_>, &Spec) -> T) -> T {
    let spec = load_supernode("hgx-h100").unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    ask(&Machine::new(&network, &spec.library, &spec.chip, workload), &spec)
}

/// 1 + 0.7 + 0.49 + 0.343 + 0.2401 = 2.7731 = (1 - 0.7^5) / (1 - 0.7).
#[test]
fn tokens_of_a_step_by_hand() {
    let workload = with_draft();
    let speculation: &Speculation = workload.workload.decode.as_ref().and_then(|decode| decode.speculation.as_ref()).expect("it speculates");
    assert!((speculation.tokens_per_step() - 2.7731).abs() < 1e-12);
    assert!((speculation.tokens_per_step() - (1.0 - 0.7_f64.powi(5)) / 0.3).abs() < 1e-12);
}

/// A step of 16 sequences with four proposed tokens: one pass of the model over 16 x 5 tokens, and four of the draft over 16 each.
#[test]
fn a_step_is_one_pass_of_the_model_and_k_of_the_draft() {
    let workload = with_draft();
    let phase = workload.workload.decode.as_ref().expect("it decodes");
    let found = on_h100(&workload, |machine, _| decode_at(machine, phase, TP8, 16, 1));
    let alone = |model: &str, new_tokens: f64| {
        let mut alone = load_workload_with("llama-3.1-70b-fp8", Some(model)).unwrap_or_else(|problems| panic!("{problems}"));
        alone.draft = None;
        let batch = AttentionBatch { sequences: 16.0, new_tokens, context: 2048.0, prefill: false };
        let shape = StepShape { mapping: TP8, batch, chunk: None, micro_batches: 1, sampled: batch.tokens(), evenness: 1.0, drafts: 0 };
        on_h100(&alone, |machine, _| step(machine, &shape).time)
    };
    let (check, propose) = (alone("llama-3.1-70b", 5.0), alone("llama-3.2-1b", 1.0));
    let close = |a: Seconds, b: Seconds| (a / b - 1.0).abs() < 1e-12;
    assert!(close(found.step.time, check + propose * 4.0), "{:?} is not {check:?} + 4 x {propose:?}", found.step.time);
    assert!(close(found.step.drafting, propose * 4.0));
    assert!(close(found.latency(), found.step.time / 2.7731));
    // The whole step is in the trace: graph, layers and head of the model, and of each pass of the draft.
    let layers: u32 = found.step.segments.iter().map(|segment| segment.layers).sum();
    assert_eq!(layers, (80 + 2) + 4 * (16 + 2));
    let memory: f64 = timeline(&found.step).iter().map(|moment| moment.work.memory.get()).sum();
    assert!((memory / found.step.activity.memory.get() - 1.0).abs() < 1e-9);
}

/// A cache token takes 80 x 2 x 8 x 128 / 8 = 20 480 B on each of eight ranks, the draft's 16 x 2 x 8 x 64 / 8 = 2 048 B more. The draft's weights:
/// 16 x (2 x 2048 x (32 + 8) x 64 + 3 x 2048 x 8192) / 8 in FP8, and its one embedding of 2048 x 128 256 / 8 in BF16.
#[test]
fn the_draft_takes_room() {
    let mut workload = with_draft();
    let decode = workload.workload.decode.as_mut().expect("it decodes");
    decode.tpot_limit.set(supernode::units::Figure::plain(Seconds::new(1e6)));
    // So few sequences that reading weights takes the time, and more always make more tokens.
    decode.context.set(900_000);
    let phase = decode.clone();
    on_h100(&workload, |machine, _| {
        let own = weight_bytes(&workload.model, &workload.workload.precision, None, &TP8);
        let layers = 16.0 * (2.0 * 2048.0 * 40.0 * 64.0 + 3.0 * 2048.0 * 8192.0);
        let draft = Bytes::new((layers + 2.0 * 2048.0 * 128_256.0) / 8.0);
        let room = cache_room(&machine.device, own + draft).expect("it fits");
        let expected = (room / Bytes::new((20_480.0 + 2_048.0) * 900_000.0)).floor();
        let found = best_batch(machine, &phase, TP8, 1).unwrap_or_else(|no| panic!("{no}"));
        assert_eq!(found.batch, expected);
    });
}

/// As many ranks share the draft as share the model, or as many as divide its heads; a pipeline goes through both.
#[test]
fn ranks_of_the_draft() {
    let draft = |model: &str| load_workload_with("llama-3.1-70b-fp8", Some(model)).unwrap_or_else(|problems| panic!("{problems}")).model;
    let laid = |model: &str, mapping: Mapping| draft_mapping(&draft(model), &mapping).to_string();
    assert_eq!(laid("llama-3.2-1b", TP8), "tp=8,ep=1,dp=1,pp=1");
    assert_eq!(laid("qwen3-0.6b", Mapping { tp: 64, ..Mapping::ONE }), "tp=16,ep=1,dp=4,pp=1");
    assert_eq!(laid("llama-3.2-1b", Mapping { tp: 4, dp: 2, ep: 8, pp: 4, ..Mapping::ONE }), "tp=4,ep=1,dp=2,pp=4");
    assert_eq!(laid("llama-3.2-1b", Mapping { tp: 4, pp: 20, ..Mapping::ONE }), "tp=4,ep=1,dp=1,pp=1");
    assert_eq!(laid("gpt-oss-120b", Mapping { tp: 4, dp: 2, ep: 8, ..Mapping::ONE }), "tp=4,ep=8,dp=2,pp=1");
}

/// The draft reads prompts too, and its cache goes to the chips that answer.
#[test]
fn prompts_are_read_twice() {
    let (with, without) = (with_draft(), load_workload("llama-3.1-70b-fp8").unwrap_or_else(|problems| panic!("{problems}")));
    let at = |workload: &WorkloadSpec| {
        let phase = workload.workload.prefill.clone().expect("it prefills");
        on_h100(workload, |machine, _| prefill_at(machine, &phase, TP8, 4.0, 1).unwrap_or_else(|no| panic!("{no}")))
    };
    let (with, without) = (at(&with), at(&without));
    assert!(((with.step.time - with.step.drafting) / without.step.time - 1.0).abs() < 1e-12);
    assert!(with.step.drafting > Seconds::ZERO && with.latency() > without.latency());
    let prompt = |point: &supernode::serving::OperatingPoint| point.kv_transfer.expect("decode has its own chips").prompt;
    // 16 x 2 x 8 x 64 B a token.
    assert_eq!(prompt(&with), prompt(&without) + Bytes::new(16_384.0 * 1024.0));
}

/// A draft that is never right costs time; one that always is makes 5 tokens a step.
#[test]
fn never_and_always_right() {
    let rate = |acceptance: Option<f64>| {
        let mut workload = with_draft();
        let mut phase = workload.workload.decode.clone().expect("it decodes");
        match acceptance {
            Some(acceptance) => {
                phase.speculation.as_mut().expect("it speculates").acceptance =
                    supernode::units::Figure::plain(supernode::units::Ratio::new(acceptance));
            }
            None => (phase.speculation, workload.draft) = (None, None),
        }
        on_h100(&workload, |machine, _| decode_at(machine, &phase, TP8, 4, 1).rate.get())
    };
    let (none, never, always) = (rate(None), rate(Some(0.0)), rate(Some(1.0)));
    assert!(never < none && none < always);
    assert!((always / never - 5.0).abs() < 1e-12);
}

const WORKLOAD: &str = r#"schema = 1

[workload]
name = "mine"
model = "llama-3.1-70b"

[workload.precision]
weights = "fp8"
attention = "fp8"
kv_cache = "fp8"
dispatch = "fp8"
combine = "bf16"

[workload.decode]
context = 2048
tpot_limit = "50 ms"
speculation = { draft = "llama-3.2-1b", draft_tokens = 4, acceptance = 0.7 }
"#;

fn with(name: &str, from: &str, to: &str) -> crate::command::Run {
    Project::new(name).file("mine.toml", &WORKLOAD.replace(from, to)).run(&["check", "mine.toml"])
}

#[test]
fn drafts_that_cannot_be() {
    with("draft-ok", "", "").succeeds("mine.toml: ok, workload mine\n");
    with("draft-name", "llama-3.2-1b", "llama-3.2-1bb").fails(
        r#"error: no model is named `llama-3.2-1bb`
  --> ./mine.toml:17:25
   |
17 | speculation = { draft = "llama-3.2-1bb", draft_tokens = 4, acceptance = 0.7 }
   |                         ^^^^^^^^^^^^^^^ names a model
   |
   = help: did you mean `llama-3.2-1b`?
"#,
    );
    with("draft-vocabulary", "llama-3.2-1b", "qwen3-0.6b").fails(
        r#"error: Qwen3-0.6B cannot draft for Llama-3.1-70B: their tokens differ
  --> ./mine.toml:17:25
   |
17 | speculation = { draft = "qwen3-0.6b", draft_tokens = 4, acceptance = 0.7 }
   |                         ^^^^^^^^^^^^ 151936 tokens, 128256 in the model
   |
   = help: a smaller model of the same family has the same vocabulary
"#,
    );
    with("draft-none", "draft = \"llama-3.2-1b\", ", "").fails(
        r#"error: `speculation` names no draft model
 --> ./mine.toml:5:9
  |
5 | model = "llama-3.1-70b"
  |         ^^^^^^^^^^^^^^^ this model has no MTP layers that draft for it
  |
  = help: name one as `draft`, such as a smaller model of the same family
"#,
    );
    with("draft-acceptance", "0.7 }", "1.7 }").fails(
        r#"error: `acceptance` is out of range
  --> ./mine.toml:17:72
   |
17 | speculation = { draft = "llama-3.2-1b", draft_tokens = 4, acceptance = 1.7 }
   |                                                                        ^^^ expected a ratio from 0 to 1
"#,
    );
    with("draft-tokens", "draft_tokens = 4", "draft_tokens = 0").fails(
        r#"error: `draft_tokens` is out of range
  --> ./mine.toml:17:56
   |
17 | speculation = { draft = "llama-3.2-1b", draft_tokens = 0, acceptance = 0.7 }
   |                                                        ^ expected a whole number, from 1 to 16
"#,
    );
    with("experts-of-dense", "context = 2048", "context = 2048\nexpert_chips = \"apart\"").fails(
        r#"error: `expert_chips` asks for experts on chips of their own
 --> ./mine.toml:5:9
  |
5 | model = "llama-3.1-70b"
  |         ^^^^^^^^^^^^^^^ this model has no experts
  |
  = help: leave `expert_chips` out
"#,
    );
    with("experts-where", "context = 2048", "context = 2048\nexpert_chips = \"appart\"").fails(
        r#"error: unknown `expert_chips`: `appart`
  --> ./mine.toml:16:16
   |
16 | expert_chips = "appart"
   |                ^^^^^^^^ not known here
   |
   = help: did you mean `apart`?
"#,
    );
}
