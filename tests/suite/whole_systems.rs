//! Whole systems against published figures, and the mechanisms that only a whole pass shows.

use supernode::execution::{Machine, Mapping};
use supernode::fabric;
use supernode::input::cases::{Case, load_cases};
use supernode::input::document::{Attention, Precision, Precisions};
use supernode::input::spec::{load_model, load_supernode, load_workload_with};
use supernode::network::Network;
use supernode::serving::decode_at;
use supernode::units::quantile;
use supernode::validation::calibrate::ConstantFamily;
use supernode::validation::{Comparison, FittedParts, validate};
use supernode::workload::{AttentionBatch, Device, GemmWork, Operator, Work, kernel, layer_attention, split_attention};

/// Throughput, TPOT and TTFT of whole systems: rates and times of decode and prefill of every file of single published figures.
fn whole_systems() -> Vec<Comparison> {
    let quantities = ["decode_rate", "tpot", "decode_best", "prefill_rate", "serving_tpot"];
    let files = ["systems", "cloudmatrix384", "published"];
    let cases = files.iter().flat_map(|name| load_cases(name).expect("shipped measurements are readable"));
    let cases: Vec<Case> = cases.filter(|case| quantities.contains(&case.quantity.as_str())).collect();
    validate(&cases)
}

/// Half of the whole systems are within 15 %, and whatever is off by more than a factor of one and a half is explained by name.
#[test]
fn whole_systems_are_within_their_aim_or_explained() {
    let explained = include_str!("../../docs/model/limits.md");
    let found = whole_systems();
    let mut errors: Vec<f64> = found.iter().filter_map(Comparison::error).map(f64::abs).collect();
    errors.sort_by(f64::total_cmp);
    assert!(errors.len() >= 30 && quantile(&errors, 0.5) < 0.15, "{} systems, median {}", errors.len(), quantile(&errors, 0.5));
    let far = |found: &&Comparison| found.error().is_some_and(|error| (1.0 + error).ln().abs() > 1.5_f64.ln());
    let silent: Vec<&str> = found.iter().filter(far).map(|found| found.id.as_str()).filter(|id| !explained.contains(id)).collect();
    assert!(silent.is_empty(), "docs/model/limits.md does not name {silent:?}");
}

/// At limits of 50 and 30 ms; 15 ms is missed, which `docs/model/limits.md` explains.
#[test]
fn cloudmatrix_keeps_its_rate_under_a_limit() {
    let ids = ["CM-009", "CM-010", "CM-011", "CM-012", "CM-T30", "CM-R30"];
    let found = whole_systems();
    let found: Vec<&Comparison> = found.iter().filter(|found| ids.contains(&found.id.as_str())).collect();
    assert_eq!(found.len(), ids.len());
    for found in found {
        assert!(found.error().expect("a prediction").abs() < 0.15, "{found:?}");
    }
}

/// Runs of up to 64 requests whose prompts are read on chips of their own, by TensorRT-LLM, SGLang and vLLM on five systems; no fit uses them.
#[test]
fn instances_that_only_answer_keep_the_measured_pace() {
    let cases = load_cases("disaggregated").expect("shipped measurements are readable");
    let few = |case: &Case| case.quantity == "disaggregated_tpot" && case.settings.count("concurrency").is_ok_and(|count| count <= 64);
    let cases: Vec<Case> = cases.into_iter().filter(few).collect();
    let mut errors: Vec<f64> = validate(&cases).iter().filter_map(Comparison::error).map(f64::abs).collect();
    errors.sort_by(f64::total_cmp);
    assert!(errors.len() > 100 && quantile(&errors, 0.5) < 0.1, "{} runs, median {}", errors.len(), quantile(&errors, 0.5));
}

/// No kernel of a chip and no engine has more than four constants that measurements fixed.
#[test]
fn no_family_has_more_constants_than_it_may() {
    for machine in ["hgx-a100", "hgx-h100", "hgx-h200", "hgx-b200", "gb200-nvl72", "l40s-8", "rtx-pro-6000-8", "cloudmatrix384"] {
        let mut parts = FittedParts::of(&load_supernode(machine).expect("a shipped supernode"));
        for engine in ["trtllm", "vllm-0.11", "vllm", "sglang"] {
            parts.engine(engine).expect("a shipped engine");
            let family = ConstantFamily::Engine(engine.to_owned());
            assert!(family.constants(&mut parts).expect("constants").len() <= 4, "{engine}");
        }
        for precision in Precision::ALL {
            for kernel in ["gemm", "mla", "gqa", "mha", "experts", "experts-low-latency"] {
                let family = ConstantFamily::parse(&format!("{kernel}:{}", precision.name())).expect("a family");
                let constants = family.constants(&mut parts).map_or(0, |constants| constants.len());
                assert!(constants <= 4, "{machine}: {family} has {constants}");
            }
        }
    }
}

fn latent() -> Attention {
    let model = load_model("deepseek-r1", &supernode::input::catalog::Mention::on_command_line()).expect("a shipped model");
    (*model.layer[0].attention).clone()
}

const FORMATS: Precisions = Precisions {
    weights: Precision::Int8,
    experts: None,
    attention: Precision::Bf16,
    kv_cache: Precision::Bf16,
    dispatch: Precision::Int8,
    combine: Precision::Bf16,
};

fn rows(operators: &[Operator], name: &str) -> f64 {
    let found = operators.iter().find(|operator| operator.name == name).expect("the operator");
    let Work::Gemm(GemmWork { rows, .. }) = found.work else { panic!("{found:?} is no product") };
    rows
}

/// Two prompts of 4 096 tokens of which 3 072 are in the cache: queries of 2 x 1 024 tokens, keys and values of 2 x 4 096, since the cache keeps
/// them compressed. Of a whole prompt both are the same; where ranks of a training step read a part of each sequence, each expands its own.
#[test]
fn a_found_prefix_is_expanded_again() {
    let attention = latent();
    let found = AttentionBatch { sequences: 2.0, new_tokens: 1024.0, context: 3072.0 + 512.0, prefill: true };
    let block = split_attention(&attention, 7168, &FORMATS, [1, 1], &[found]);
    assert_eq!([rows(&block, "expand query"), rows(&block, "expand key, value")], [2048.0, 8192.0]);
    let whole = AttentionBatch { sequences: 2.0, new_tokens: 4096.0, context: 2048.0, prefill: true };
    let block = split_attention(&attention, 7168, &FORMATS, [1, 1], &[whole]);
    assert_eq!([rows(&block, "expand query"), rows(&block, "expand key, value")], [8192.0, 8192.0]);
    let part = AttentionBatch { sequences: 1.0, new_tokens: 1024.0, context: 2048.0, prefill: true };
    assert_eq!(rows(&layer_attention(&attention, 7168, &FORMATS, 1, &[part]), "expand key, value"), 1024.0);
}

/// CANN computes norm, two projections and the absorbed keys of a decode step in one kernel: three gaps fewer, nothing else.
#[test]
fn a_fused_prolog_starts_once() {
    let chip = load_supernode("cloudmatrix384").expect("a shipped supernode").chip;
    let batch = AttentionBatch { sequences: 4.0, new_tokens: 2.0, context: 4096.0, prefill: false };
    let block = layer_attention(&latent(), 7168, &FORMATS, 1, &[batch]);
    let time = |device: &Device| block.iter().map(|operator| kernel::time(device, operator).get()).sum::<f64>();
    let fused = Device::new(&chip);
    let mut apart = fused.clone();
    apart.kernels.fused_prolog = false;
    let saved = time(&apart) - time(&fused);
    assert!((saved / (3.0 * chip.kernels.launch.value.get()) - 1.0).abs() < 1e-9, "{saved}");
}

/// With one micro-batch nothing else runs while tokens travel, so shared experts do; with two the cores have the other micro-batch.
#[test]
fn shared_experts_run_while_tokens_travel() {
    let spec = load_supernode("hgx-h100-ib-64").expect("a shipped supernode");
    let workload = load_workload_with("deepseek-r1-fp8", None).unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    let phase = workload.workload.decode.clone().expect("it decodes");
    let mapping = Mapping { ep: 32, dp: 32, ..Mapping::ONE };
    let stage = |micro_batches: u32, name: &str| {
        let point = decode_at(&machine, &phase, mapping, 64 * micro_batches, micro_batches);
        point.step.stages.iter().find(|stage| stage.name == name).expect("the stage").time.get()
    };
    let [beside, before] = [1, 2].map(|micro_batches| stage(micro_batches, "gate"));
    // Shared experts are 3 x 7168 x 2048 bytes of weights in three kernels.
    let least = 3.0 * 7168.0 * 2048.0 / spec.chip.memory.bandwidth.value.get() + 3.0 * spec.chip.kernels.launch.value.get();
    assert!(before - beside > least, "{before} and {beside}");
    assert!(stage(1, "dispatch") >= stage(2, "dispatch") && stage(1, "dispatch") < stage(2, "dispatch") + before);
}
