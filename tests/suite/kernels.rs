//! Worked examples of the kernel forms, each with its constants, against values computed apart from this program.

use supernode::input::catalog::Mention;
use supernode::input::document::{Attention, Chip, GatedDelta, Gqa, Precision, Precisions, SplitRule};
use supernode::input::spec::{load_model, load_supernode};
use supernode::units::{BytesPerSecond, Figure, Ratio, Seconds};
use supernode::workload::kernel::{self, GroupedRows, gemm_time, grouped_time};
use supernode::workload::{AttentionBatch, Device, RoutedTokens, Work, layer_attention};

fn chip(supernode: &str) -> Chip {
    load_supernode(supernode).expect("shipped supernodes are readable").chip
}

fn close(found: f64, expected: f64) {
    // H100's peak FP8 rate is 1 979 TFLOP/s here and 1 978 in the examples.
    assert!((found / expected - 1.0).abs() < 6e-4, "{found} is not {expected}");
}

/// Launch in µs, compute efficiency, operand bandwidth in GB/s, memory efficiency.
fn gemm(supernode: &str, precision: Precision, constants: [f64; 4], shape: [f64; 3]) -> f64 {
    let mut chip = chip(supernode);
    let kernel = chip.kernels.gemm.get_mut(&precision).expect("a kernel");
    let launch = Seconds::new(constants[0] * 1e-6);
    kernel.compute_efficiency.value = Ratio::new(constants[1]);
    kernel.operand_bandwidth.as_mut().expect("a rate").value = BytesPerSecond::new(constants[2] * 1e9);
    kernel.memory_efficiency.value = Ratio::new(constants[3]);
    let [rows, columns, depth] = shape;
    (launch + gemm_time(&Device::new(&chip), 1.0, rows, columns, depth, precision)).microseconds()
}

#[test]
fn matrix_multiplication() {
    close(gemm("hgx-h100", Precision::Bf16, [4.109, 0.846, 132.0, 0.8551], [1.0, 4096.0, 7168.0]), 24.664);
    close(gemm("hgx-h100", Precision::Fp8, [12.39, 0.7794, 266.4, 0.8425], [4096.0, 7168.0, 2048.0]), 114.959);
    close(gemm("hgx-b200", Precision::Fp8Block, [5.27, 0.7547, 172.2, 0.7842], [128.0, 7168.0, 16384.0]), 30.958);
    close(gemm("hgx-b200", Precision::Fp4, [6.363, 0.5742, 80.83, 0.6603], [64.0, 4096.0, 16384.0]), 36.794);
}

/// Launch and merge in µs, compute and memory efficiency.
fn attention(supernode: &str, kind: &Attention, cache: Precision, constants: [f64; 4], heads: u32, sequences: f64, context: f64) -> f64 {
    let mut chip = chip(supernode);
    let latent = matches!(kind, Attention::Mla(_));
    chip.kernels.mha.clear();
    chip.kernels.gqa.retain(|format, _| *format == cache);
    let family = if latent { &mut chip.kernels.mla } else { &mut chip.kernels.gqa };
    let kernel = family.get_mut(&cache).expect("a kernel");
    kernel.launch.value = Seconds::new(constants[0] * 1e-6);
    kernel.merge = Some(Figure::plain(Seconds::new(constants[1] * 1e-6)));
    // The form of a kernel whose blocks and rule are not known.
    (kernel.splits, kernel.block, kernel.row) = (SplitRule::Fastest, None, None);
    kernel.compute_efficiency.value = Ratio::new(constants[2]);
    kernel.memory_efficiency.value = Ratio::new(constants[3]);
    let bf16 = Precision::Bf16;
    let precisions = Precisions { weights: bf16, experts: None, attention: cache, kv_cache: cache, dispatch: bf16, combine: bf16 };
    let batch = AttentionBatch { sequences, new_tokens: 1.0, context, prefill: false };
    let block = layer_attention(kind, 7168, &precisions, kind.heads() / heads, &[batch]);
    let operator = block.iter().find(|operator| matches!(operator.work, Work::Attention(_))).expect("attention");
    kernel::time(&Device::new(&chip), operator).microseconds()
}

#[test]
fn decode_attention() {
    let model = load_model("deepseek-r1", &Mention::on_command_line()).expect("a shipped model");
    let latent = (*model.last().expect("layers").attention).clone();
    close(attention("hgx-h100", &latent, Precision::Bf16, [13.58, 0.07412, 0.8216, 0.9698], 128, 64.0, 4096.0), 143.567);
    close(attention("hgx-b200", &latent, Precision::Fp8, [9.457, 0.2135, 0.762, 0.8919], 128, 1.0, 65536.0), 37.182);
    close(attention("hgx-b200", &latent, Precision::Fp8, [9.457, 0.2135, 0.762, 0.8919], 16, 256.0, 1024.0), 37.986);
    // Two tiles of 16 rows, each of which reads the cache.
    close(attention("hgx-b200", &latent, Precision::Fp8, [9.457, 0.2135, 0.762, 0.8919], 32, 256.0, 1024.0), 49.438);
    let grouped = |heads, kv_heads| {
        let (value_dim, window, index) = (None, None, None);
        Attention::Gqa(Gqa { heads, kv_heads, head_dim: 128, value_dim, window, output_gate: false, value_is_key: false, shares_cache: false, index })
    };
    close(attention("hgx-h100", &grouped(8, 1), Precision::Fp8, [7.589, 0.1715, 1.0, 0.8069], 8, 64.0, 1024.0), 14.507);
    close(attention("hgx-b200", &grouped(64, 8), Precision::Fp8, [10.0, 0.2494, 1.0, 0.9303], 64, 16.0, 4096.0), 30.070);
    close(attention("hgx-b200", &grouped(8, 8), Precision::Fp8, [10.0, 0.2494, 1.0, 0.9303], 8, 1.0, 65536.0), 33.617);
}

/// Launch, block and row (start of a merge for single heads) in µs, memory efficiency; full use of the multipliers. Heads of 128.
fn grouped(supernode: &str, cache: Precision, [launch, block, row, memory]: [f64; 4], heads: [u32; 2], sequences: f64, context: f64) -> f64 {
    let mut chip = chip(supernode);
    let plain = |microseconds: f64| Figure::plain(Seconds::new(microseconds * 1e-6));
    for kernel in chip.kernels.gqa.values_mut().chain(chip.kernels.mha.values_mut()) {
        kernel.launch = plain(launch);
        kernel.block = Some(plain(block));
        kernel.row = kernel.row.is_some().then(|| plain(row));
        kernel.merge_start = kernel.merge_start.is_some().then(|| plain(row));
        kernel.compute_efficiency.value = Ratio::new(1.0);
        kernel.memory_efficiency.value = Ratio::new(memory);
    }
    let [heads, kv_heads] = heads;
    let (value_dim, window, index) = (None, None, None);
    let gqa = Gqa { heads, kv_heads, head_dim: 128, value_dim, window, output_gate: false, value_is_key: false, shares_cache: false, index };
    let bf16 = Precision::Bf16;
    let precisions = Precisions { weights: bf16, experts: None, attention: cache, kv_cache: cache, dispatch: bf16, combine: bf16 };
    let block =
        layer_attention(&Attention::Gqa(gqa), 7168, &precisions, 1, &[AttentionBatch { sequences, new_tokens: 1.0, context, prefill: false }]);
    let operator = block.iter().find(|operator| matches!(operator.work, Work::Attention(_))).expect("attention");
    kernel::time(&Device::new(&chip), operator).microseconds()
}

/// Worked in a spreadsheet's arithmetic from the head of `workload/kernel/attention.rs`.
#[test]
fn decode_attention_splits_by_the_kernels_own_rules() {
    let (bf16, fp8) = (Precision::Bf16, Precision::Fp8);
    // Eight parts of 128 tokens, 512 blocks on 132 cores: four waves of 4.8 us and 64 more tokens each; seven partial results of 8 KiB.
    close(grouped("hgx-h100", bf16, [5.4, 4.0, 0.1, 0.95], [8, 1], 64.0, 1024.0), 29.347);
    // Parts of 128 tokens would be 8 192 blocks: not split, 16 waves.
    close(grouped("hgx-h100", bf16, [5.4, 4.0, 0.1, 0.95], [32, 8], 256.0, 4096.0), 1435.053);
    // 128 blocks leave no second one to 148 cores.
    close(grouped("hgx-b200", fp8, [9.3, 0.7, 0.06, 0.95], [64, 8], 16.0, 4096.0), 29.273);
    // Four blocks of grouped heads would fill 3 % of the cores: eight single heads in two parts each.
    close(grouped("hgx-h100", bf16, [8.0, 1.7, 4.0, 0.9], [8, 1], 1.0, 512.0), 15.852);
    // Keys and values of every head: 2 048 blocks.
    close(grouped("hgx-h100", bf16, [8.0, 1.7, 4.0, 0.9], [32, 32], 64.0, 2048.0), 756.389);
}

/// States of 16 heads of 128 x 128 in 32 bit, read and written: 2 MiB a sequence; 64 tokens of a prompt: 4 KiB a token and head, and a state in 16 bit written and read.
#[test]
fn gated_delta_rule() {
    let mut chip = chip("hgx-h100");
    let plain = |microseconds: f64| Figure::plain(Seconds::new(microseconds * 1e-6));
    let decode = chip.kernels.delta_decode.as_mut().expect("a kernel");
    (decode.launch, decode.memory_efficiency.value) = (plain(3.0), Ratio::new(0.9));
    let prompts = chip.kernels.delta_prompts.as_mut().expect("kernels");
    (prompts.launch, prompts.chunk, prompts.memory_efficiency.value) = (plain(16.0), plain(3.0), Ratio::new(0.8));
    let attention = Attention::GatedDelta(GatedDelta { key_heads: 16, value_heads: 16, key_dim: 128, value_dim: 128, gate_rank: None });
    let bf16 = Precision::Bf16;
    let precisions = Precisions { weights: bf16, experts: None, attention: bf16, kv_cache: bf16, dispatch: bf16, combine: bf16 };
    let time = |sequences: f64, tokens: f64, prefill: bool| {
        let block = layer_attention(&attention, 2048, &precisions, 1, &[AttentionBatch { sequences, new_tokens: tokens, context: tokens, prefill }]);
        let operator = block.iter().find(|operator| matches!(operator.work, Work::Recurrence(_))).expect("a recurrence");
        kernel::time(&Device::new(&chip), operator).microseconds()
    };
    // 134.2 MB at 3.015 TB/s.
    close(time(64.0, 1.0, false), 47.517);
    // 32 chunks of 3 us, and 134.2 MB of tokens with 33.6 MB of states at 2.68 TB/s.
    close(time(1.0, 2048.0, true), 130.608);
}

/// Worked with the form of `workload/kernel/prompts.rs` in a spreadsheet's arithmetic.
#[test]
fn attention_of_prompts() {
    let time = |supernode: &str, format: Precision, [launch, efficiency, preparation, memory]: [f64; 4], heads, sequences, prompt: f64| {
        let mut chip = chip(supernode);
        chip.kernels.gqa.get_mut(&format).expect("a kernel").memory_efficiency.value = Ratio::new(memory);
        let kernel = chip.kernels.prompts.get_mut(&format).expect("a kernel");
        kernel.launch.value = Seconds::new(launch * 1e-6);
        kernel.compute_efficiency.value = Ratio::new(efficiency);
        kernel.preparation.value = BytesPerSecond::new(preparation * 1e9);
        let (value_dim, window, index) = (None, None, None);
        let grouped =
            Gqa { heads, kv_heads: 8, head_dim: 128, value_dim, window, output_gate: false, value_is_key: false, shares_cache: false, index };
        let bf16 = Precision::Bf16;
        let precisions = Precisions { weights: bf16, experts: None, attention: format, kv_cache: format, dispatch: bf16, combine: bf16 };
        let batch = AttentionBatch { sequences, new_tokens: prompt, context: prompt / 2.0, prefill: true };
        let block = layer_attention(&Attention::Gqa(grouped), 7168, &precisions, 1, &[batch]);
        let operator = block.iter().find(|operator| matches!(operator.work, Work::Attention(_))).expect("attention");
        kernel::time(&Device::new(&chip), operator).microseconds()
    };
    close(time("hgx-h100", Precision::Bf16, [13.43, 0.5873, 2284.0, 0.8069], 64, 8.0, 1024.0), 534.054);
    close(time("hgx-b200", Precision::Fp8, [16.32, 0.3382, 2012.0, 0.9303], 32, 1.0, 8192.0), 481.277);
}

#[test]
fn routed_experts() {
    let mut chip = chip("hgx-b200");
    let kernel = chip.kernels.experts.get_mut(&Precision::Fp8Block).expect("a kernel");
    kernel.launch.value = Seconds::new(27.16e-6);
    kernel.per_expert.value = Seconds::new(0.4742e-6);
    kernel.compute_efficiency.value = Ratio::new(0.4081);
    kernel.memory_efficiency.value = Ratio::new(0.7973);
    let device = Device::new(&chip);
    let time = |rows: GroupedRows| grouped_time(&device, &rows, [7168.0, 2048.0], Precision::Fp8Block, false).microseconds();
    let routed = |ranks, tokens| RoutedTokens { tokens, experts: 256, top_k: 8.0, ranks, slots: 256 };
    close(time(routed(64, 1024.0).balanced()), 68.577);
    let skewed = GroupedRows { local: 8.0, active: 8.0, copies: 18_000.0, padded: 18_112.0, tokens: 16_384.0 };
    close(time(skewed), 1339.313);
}
