//! Shipped models against what their publishers state: parameters, active parameters, cache bytes and operations for a token.

use supernode::input::catalog::{Mention, shipped};
use supernode::input::document::{Model, ModelFile, Precision, Precisions};
use supernode::input::spec::load_model;
use supernode::workload::{AttentionBatch, Work, head, layer_attention, sequence_cache, totals};

fn model(name: &str) -> Model {
    load_model(name, &Mention::on_command_line()).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) const BF16: Precisions = Precisions {
    weights: Precision::Bf16,
    experts: None,
    attention: Precision::Bf16,
    kv_cache: Precision::Bf16,
    dispatch: Precision::Bf16,
    combine: Precision::Bf16,
};

/// One published figure of a model and how far the shape may be from it. Names round ("1.0T", "26B"), active counts leave one or both
/// embedding tables out, and norms, biases, vision towers and MTP modules are not in the shape.
struct Published {
    model: &'static str,
    /// Parameters in 10^9, and the tolerated share.
    total: Option<(f64, f64)>,
    active: Option<(f64, f64)>,
    /// BF16 cache bytes by which one more token lets a long sequence grow; exact.
    cache: Option<f64>,
}

const fn published(model: &'static str, total: Option<(f64, f64)>, active: Option<(f64, f64)>, cache: Option<f64>) -> Published {
    Published { model, total, active, cache }
}

/// Totals and active parameters: the publishers' model cards; for DeepSeek-V4-Flash (without attention), GLM-5, MiMo-V2-Flash,
/// Step-3.7-Flash and MiniMax-M3, whose cards are not at hand, a count made apart from this program on the same configuration. Cache bytes: layers x cached elements x 2 from the published configuration,
/// e.g. 61 x (512 + 64) x 2 = 70 272 for DeepSeek-V3 and 126 x 2 x 8 x 128 x 2 = 516 096 for Llama-3.1-405B.
const PUBLISHED: [Published; 47] = [
    published("deepseek-v3", Some((671.0, 0.005)), Some((37.0, 0.03)), Some(70_272.0)),
    published("deepseek-r1", Some((671.0, 0.005)), Some((37.0, 0.03)), Some(70_272.0)),
    // The index key is kept in 8 bit with a 4-byte scale: 61 x (576 x 2 + 132).
    published("deepseek-v3.2", Some((671.0, 0.005)), Some((37.0, 0.04)), Some(78_324.0)),
    published("deepseek-v4-pro", Some((1600.0, 0.03)), None, None),
    published("deepseek-v4-flash", Some((279.0, 0.03)), None, None),
    published("kimi-k2", Some((1000.0, 0.03)), Some((32.0, 0.03)), Some(70_272.0)),
    published("kimi-k3", Some((2800.0, 0.03)), None, Some(27_648.0)),
    published("qwen3-235b-a22b", Some((235.0, 0.005)), Some((22.0, 0.02)), Some(192_512.0)),
    published("qwen3-32b", Some((32.8, 0.005)), None, Some(262_144.0)),
    published("qwen3-coder-480b-a35b", Some((480.0, 0.005)), Some((35.0, 0.02)), Some(253_952.0)),
    published("qwen3-next-80b-a3b", Some((80.0, 0.01)), Some((3.0, 0.32)), Some(24_576.0)),
    published("qwen3.5-397b-a17b", Some((397.0, 0.005)), Some((17.0, 0.04)), Some(30_720.0)),
    published("qwen3.5-122b-a10b", Some((122.0, 0.01)), Some((10.0, 0.03)), Some(24_576.0)),
    published("glm-4.5", Some((355.0, 0.01)), Some((32.0, 0.06)), Some(376_832.0)),
    published("glm-5", Some((744.0, 0.005)), Some((40.0, 0.06)), Some(100_152.0)),
    // 9 x 4 x (192 + 128) x 2: the 39 windowed layers stop at 128 tokens.
    published("mimo-v2-flash", Some((309.0, 0.005)), Some((15.0, 0.04)), Some(23_040.0)),
    published("step-3", Some((316.0, 0.005)), Some((38.0, 0.03)), Some(62_464.0)),
    // Published active counts leave the embeddings out.
    published("step-3.7-flash", Some((196.0, 0.005)), Some((11.0, 0.09)), Some(49_152.0)),
    published("step-3.5-flash", Some((196.0, 0.005)), Some((11.0, 0.09)), Some(49_152.0)),
    published("gpt-oss-20b", Some((20.9, 0.005)), None, Some(24_576.0)),
    published("gpt-oss-120b", Some((117.0, 0.005)), Some((5.1, 0.13)), Some(36_864.0)),
    published("minimax-m2.5", Some((230.0, 0.01)), Some((10.0, 0.11)), Some(253_952.0)),
    published("minimax-m3", Some((426.0, 0.005)), Some((25.7, 0.02)), None),
    published("llama-3.1-405b", Some((405.0, 0.005)), None, Some(516_096.0)),
    published("llama-3.2-1b", Some((1.24, 0.005)), None, Some(32_768.0)),
    published("qwen3-0.6b", Some((0.6, 0.01)), None, Some(114_688.0)),
    published("llama-3.1-8b", Some((8.03, 0.005)), None, Some(131_072.0)),
    published("llama-3.1-70b", Some((70.6, 0.005)), None, Some(327_680.0)),
    published("llama-4-scout", Some((109.0, 0.012)), Some((17.0, 0.011)), Some(49_152.0)),
    published("llama-4-maverick", Some((400.0, 0.005)), Some((17.0, 0.011)), Some(49_152.0)),
    published("qwen3-30b-a3b", Some((30.5, 0.005)), Some((3.3, 0.02)), Some(98_304.0)),
    published("qwen3.6-27b", Some((27.0, 0.005)), None, Some(65_536.0)),
    published("qwen3.6-35b-a3b", Some((35.0, 0.01)), None, Some(20_480.0)),
    published("hy3-preview", Some((295.0, 0.005)), Some((21.0, 0.02)), Some(327_680.0)),
    // Nothing is published.
    published("hy4", None, None, Some(100_152.0)),
    published("glm-5.3", Some((744.0, 0.005)), Some((40.0, 0.04)), Some(92_628.0)),
    published("mimo-v2.5-pro", Some((1020.0, 0.005)), Some((42.0, 0.005)), Some(51_200.0)),
    published("mistral-large-3", Some((675.0, 0.005)), Some((41.0, 0.03)), Some(70_272.0)),
    published("mistral-small-4", Some((119.0, 0.005)), None, Some(23_040.0)),
    published("seed-oss-36b", Some((36.0, 0.005)), None, Some(262_144.0)),
    // 70 lightning layers keep a state; 10 x 2 x 8 x 128 x 2. The published 45.9 leave the embeddings out.
    published("minimax-m1", Some((456.0, 0.005)), Some((45.9, 0.06)), Some(40_960.0)),
    published("kimi-linear-48b-a3b", Some((49.0, 0.005)), None, Some(8064.0)),
    // Attention layers x 2 x 2 x 128 x 2.
    published("nemotron-3-nano-30b-a3b", Some((31.6, 0.005)), Some((3.6, 0.01)), Some(6144.0)),
    published("nemotron-3-super-120b-a12b", Some((120.6, 0.005)), Some((12.7, 0.01)), Some(8192.0)),
    published("nemotron-3-ultra-550b-a55b", Some((550.0, 0.005)), Some((55.0, 0.02)), Some(12_288.0)),
    published("gemma-4-31b", Some((31.0, 0.015)), None, Some(40_960.0)),
    published("gemma-4-26b-a4b", Some((25.8, 0.03)), Some((4.0, 0.06)), Some(10_240.0)),
];

#[test]
fn shapes_add_up_to_published_figures() {
    let mut wrong = Vec::new();
    for published in &PUBLISHED {
        let found = totals(&model(published.model), &BF16);
        let mut hold = |what: &str, found: f64, published: Option<(f64, f64)>, name: &str| {
            if let Some((figure, tolerance)) = published
                && (found / figure - 1.0).abs() > tolerance
            {
                wrong.push(format!("{name}: {what} {found:.1}, published {figure}, {:+.1} %", 100.0 * (found / figure - 1.0)));
            }
        };
        hold("parameters (10^9)", found.parameters / 1e9, published.total, published.model);
        hold("active (10^9)", found.active_parameters / 1e9, published.active, published.model);
        hold("cache bytes a token", found.cache_per_token.get(), published.cache.map(|bytes| (bytes, 1e-12)), published.model);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every shipped model is in the list above or named here with the reason.
#[test]
fn every_shipped_model_is_checked() {
    let elsewhere = ["gemma-3-27b"]; // below: its window pattern is not published
    for name in shipped::<ModelFile>() {
        assert!(elsewhere.contains(&name.as_str()) || PUBLISHED.iter().any(|published| published.model == name), "{name}");
    }
    let parameters = totals(&model("gemma-3-27b"), &BF16).parameters;
    assert!((parameters / 27e9 - 1.0).abs() < 0.01, "{parameters}");
}

/// Two ways to the same number: 2 operations for each active weight, and the sum over the operators of a pass of one token. With a
/// context of one token attention itself adds less than 1 %; absorbed latent attention costs the heads' expansion of the query and
/// output instead of the cache's, which is the same number of weights.
#[test]
fn operators_do_two_operations_for_each_active_weight() {
    for name in shipped::<ModelFile>() {
        let model = model(&name);
        let batch = AttentionBatch { sequences: 1.0, new_tokens: 1.0, context: 1.0, prefill: false };
        let mut flop: f64 = head(&model, 1, 1.0).iter().map(|operator| operator.work.flop().get()).sum();
        let mut ffn = 0.0;
        for group in &model.layer {
            let count = f64::from(group.count);
            let attention = layer_attention(&group.attention, model.hidden, &BF16, 1, &[batch]);
            // The state of a recurrence is worked on for each token, whatever the context.
            let weighted = attention.iter().filter(|operator| !matches!(operator.work, Work::Recurrence(_)));
            flop += weighted.map(|operator| operator.work.flop().get()).sum::<f64>() * count;
            ffn += 2.0 * supernode::workload::ffn_weights(&group.ffn, model.hidden).1 * count;
        }
        let expected = totals(&model, &BF16).flop_per_token.get();
        assert!(((flop + ffn) / expected - 1.0).abs() < 0.01, "{name}: {} against {expected}", flop + ffn);
    }
}

/// H100 multiplies INT8 and FP8 alike and has kernels for FP8 alone; GB300 has 150 TOP/s left of INT8 and the FP8 kernels of GB200, which
/// it extends; A100 and 910C have no FP8.
#[test]
fn eight_bits_are_those_of_the_chip() {
    let weights = |supernode: &str, workload: &str| {
        let chip = supernode::input::spec::load_supernode(supernode).unwrap().chip;
        supernode::input::spec::load_workload(workload).unwrap().on(&chip).workload.precision.weights.name()
    };
    let found = ["hgx-h100", "gb300-nvl72", "hgx-a100", "cloudmatrix384"].map(|name| weights(name, "deepseek-r1-cloudmatrix"));
    assert_eq!(found, ["fp8-block", "fp8-block", "int8", "int8"]);
    assert_eq!(["hgx-h100", "hgx-a100"].map(|name| weights(name, "deepseek-r1-fp8")), ["fp8-block", "int8"]);
}

/// What a sequence without tokens keeps: 4-byte states and three 2-byte inputs of the convolution.
/// Nemotron 3 Nano: 23 x (64 x 64 x 128 x 4 + 3 x (64 x 64 + 2 x 8 x 128) x 2); two ranks halve heads and groups.
/// MiniMax-M1: 70 x 64 x 128 x 128 x 4. Kimi Linear: 20 x (32 x 128 x 128 x 4 + 3 x 3 x 32 x 128 x 2).
#[test]
fn states_by_hand() {
    let kept = |name: &str, ranks: u32| sequence_cache(&model(name), &BF16, ranks, 0.0).get();
    assert_eq!(kept("nemotron-3-nano-30b-a3b", 1), 23.0 * (2_097_152.0 + 36_864.0));
    assert_eq!(kept("nemotron-3-nano-30b-a3b", 2), 23.0 * (1_048_576.0 + 18_432.0));
    assert_eq!(kept("minimax-m1", 1), 70.0 * 4_194_304.0);
    assert_eq!(kept("kimi-linear-48b-a3b", 1), 20.0 * (2_097_152.0 + 73_728.0));
    assert_eq!(kept("qwen3-32b", 1), 0.0);
}
