//! Worked examples of the kernel forms, each with its constants, against values computed apart from this program.

use supernode::input::catalog::Mention;
use supernode::input::document::{Attention, Chip, Gqa, Precision, Precisions};
use supernode::input::spec::{load_model, load_supernode};
use supernode::units::{BytesPerSecond, Ratio, Seconds};
use supernode::workload::kernel::{GroupedRows, attention_time, gemm_time, grouped_time};
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
    let family = if latent { &mut chip.kernels.mla } else { &mut chip.kernels.gqa };
    let kernel = family.get_mut(&cache).expect("a kernel");
    kernel.launch.value = Seconds::new(constants[0] * 1e-6);
    kernel.merge.value = Seconds::new(constants[1] * 1e-6);
    kernel.compute_efficiency.value = Ratio::new(constants[2]);
    kernel.memory_efficiency.value = Ratio::new(constants[3]);
    let bf16 = Precision::Bf16;
    let precisions = Precisions { weights: bf16, experts: None, attention: cache, kv_cache: cache, dispatch: bf16, combine: bf16 };
    let batch = AttentionBatch { sequences, new_tokens: 1.0, context, prefill: false };
    let block = layer_attention(kind, 7168, &precisions, kind.heads() / heads, &[batch]);
    let operator = block.iter().find(|operator| matches!(operator.work, Work::Attention { .. })).expect("attention");
    attention_time(&Device::new(&chip), &operator.work).microseconds()
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

/// Worked with the form of `workload/kernel/prompts.rs` in a spreadsheet's arithmetic.
#[test]
fn attention_of_prompts() {
    let time = |supernode: &str, format: Precision, [launch, efficiency, preparation, memory]: [f64; 4], heads, sequences, prompt: f64| {
        let mut chip = chip(supernode);
        chip.kernels.gqa.get_mut(&Precision::Fp8).expect("a kernel").memory_efficiency.value = Ratio::new(memory);
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
        let operator = block.iter().find(|operator| matches!(operator.work, Work::Attention { .. })).expect("attention");
        attention_time(&Device::new(&chip), &operator.work).microseconds()
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
    let time = |rows: GroupedRows| grouped_time(&device, &rows, 7168.0, 2048.0, Precision::Fp8Block).microseconds();
    let routed = |ranks, tokens| RoutedTokens { tokens, experts: 256, top_k: 8.0, ranks, slots: 256 };
    close(time(routed(64, 1024.0).balanced()), 68.577);
    let skewed = GroupedRows { local: 8.0, active: 8.0, copies: 18_000.0, padded: 18_112.0, tokens: 16_384.0 };
    close(time(skewed), 1339.313);
}
