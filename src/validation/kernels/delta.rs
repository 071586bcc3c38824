//! Linear attention with the gated delta rule, as it was measured.

use super::super::bench::Bench;
use super::super::constant::{share, time};
use super::super::quantity::MeasuredQuantity;
use super::measured::{KernelConstants, MeasuredFamily, always, measured, reading};
use crate::input::cases::Case;
use crate::input::document::{Attention, GatedDelta, Precision, Precisions};
use crate::network::Pricing;
use crate::workload::{AttentionBatch, Operator, RecurrenceWork, Work, kernel, layer_attention};

/// What is measured.
pub(super) const MEASURED: MeasuredFamily = MeasuredFamily {
    quantities: &[
        MeasuredQuantity {
            name: "delta_decode",
            meaning: "linear attention with the gated delta rule, one token a sequence, one layer",
            predict: delta_decode,
        },
        MeasuredQuantity {
            name: "delta_prefill",
            meaning: "linear attention with the gated delta rule over whole prompts, one layer",
            predict: delta_prefill,
        },
    ],
    constants: &[
        KernelConstants {
            name: "delta-decode",
            table: Some("delta_decode"),
            quantity: "delta_decode",
            format: None,
            group: &["key_heads", "value_heads"],
            runs: always,
            constants: |kernels, _| {
                let kernel = kernels.delta_decode.as_mut()?;
                Some(vec![time("launch", &mut kernel.launch), share("memory_efficiency", &mut kernel.memory_efficiency)])
            },
            of_engine: None,
        },
        KernelConstants {
            name: "delta-prompts",
            table: Some("delta_prompts"),
            quantity: "delta_prefill",
            format: None,
            group: &["key_heads", "value_heads"],
            runs: always,
            constants: |kernels, _| {
                let own = kernels.delta_prompts.as_mut()?;
                Some(vec![time("launch", &mut own.launch), time("chunk", &mut own.chunk), share("memory_efficiency", &mut own.memory_efficiency)])
            },
            of_engine: None,
        },
    ],
};

/// One token a sequence of the gated delta rule.
fn delta_decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    // States are as large after any context.
    let batch = AttentionBatch { sequences: case.settings.number("sequences")?, new_tokens: 1.0, context: 1.0, prefill: false };
    delta(bench, case, &batch)
}

/// Whole prompts of the gated delta rule.
fn delta_prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    delta(bench, case, &reading(&case.settings)?)
}

/// The recurrence alone; heads are those of one rank.
fn delta(bench: &Bench<'_>, case: &Case, batch: &AttentionBatch) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["key_heads", "value_heads", "key_dim", "value_dim", "sequences", "context", "state"])?;
    let [key_heads, value_heads, key_dim, value_dim] =
        [settings.count("key_heads")?, settings.count("value_heads")?, settings.count("key_dim")?, settings.count("value_dim")?];
    let attention = Attention::GatedDelta(GatedDelta { key_heads, value_heads, key_dim, value_dim, gate_rank: None });
    let bf16 = Precision::Bf16;
    let precisions = Precisions { weights: bf16, experts: None, attention: bf16, kv_cache: bf16, dispatch: bf16, combine: bf16 };
    let block = layer_attention(&attention, key_heads * key_dim, &precisions, 1, &[*batch]);
    let mut work = block.iter().map(|operator| operator.work).find(|work| matches!(work, Work::Recurrence(_))).ok_or("no recurrence")?;
    // A benchmark may hand in a state of 16 bit and take one of 32.
    if settings.optional("state").is_some()
        && settings.one_of("state", &[("fp32", false), ("bf16", true)])?
        && let Work::Recurrence(RecurrenceWork { bytes, .. }) = &mut work
    {
        *bytes = *bytes * 0.75;
    }
    let mut device = bench.device.clone();
    if !batch.prefill {
        device.repeat(work.bytes().get());
    }
    measured(case, &device, &work, kernel::time(&device, &Operator::new("delta rule", work)))
}
