//! Attention over caches and prompts that was measured: kernels alone, and whole blocks with their projections.

use super::super::bench::{Bench, time_in};
use super::super::constant::{Named, nanoseconds, rate, share, time};
use super::super::quantity::MeasuredQuantity;
use super::measured::{KernelConstants, MeasuredFamily, always, decoding, format, measured, reading};
use crate::input::cases::Case;
use crate::input::document::{Attention, AttentionKernel, Chip, Gqa, Model, Precision, Precisions};
use crate::network::Pricing;
use crate::workload::{AttentionBatch, Operator, Work, attention_block, kernel};

/// What is measured.
pub(super) const MEASURED: MeasuredFamily = MeasuredFamily {
    quantities: &[
        MeasuredQuantity { name: "mla_decode", meaning: "attention kernel over a latent cache, one layer", predict: mla_decode },
        MeasuredQuantity { name: "mla_module", meaning: "attention block over a latent cache with its projections, one layer", predict: mla_module },
        MeasuredQuantity {
            name: "dsa_module",
            meaning: "block of sparse attention over a latent cache with its indexer and projections, one layer",
            predict: mla_module,
        },
        MeasuredQuantity {
            name: "dsa_prefill",
            meaning: "block of sparse attention over whole prompts with its indexer and projections, one layer",
            predict: mla_prefill,
        },
        MeasuredQuantity { name: "gqa_decode", meaning: "attention kernel over grouped keys and values, one layer", predict: gqa_decode },
        MeasuredQuantity { name: "gqa_prefill", meaning: "attention over grouped keys and values of whole prompts, one layer", predict: gqa_prefill },
    ],
    constants: &[
        KernelConstants {
            name: "mla",
            table: Some("mla"),
            quantity: "mla_decode",
            format: Some("cache"),
            group: &["heads"],
            runs: always,
            constants: |kernels, format| kernels.mla.get_mut(&format).map(constants),
            of_engine: None,
        },
        // Decode does not fix the share of the peak: it stays what its source says.
        KernelConstants {
            name: "gqa",
            table: Some("gqa"),
            quantity: "gqa_decode",
            format: Some("cache"),
            group: &["heads", "kv_heads"],
            runs: |case, chip, format| !runs_single_heads(chip, case, format),
            constants: |kernels, format| kernels.gqa.get_mut(&format).map(without_compute),
            of_engine: None,
        },
        KernelConstants {
            name: "mha",
            table: Some("mha"),
            quantity: "gqa_decode",
            format: Some("cache"),
            group: &["heads", "kv_heads"],
            runs: |case, chip, format| runs_single_heads(chip, case, format),
            constants: |kernels, format| kernels.mha.get_mut(&format).map(without_compute),
            of_engine: None,
        },
        KernelConstants {
            name: "prompts",
            table: Some("prompts"),
            quantity: "gqa_prefill",
            format: Some("cache"),
            group: &["heads", "kv_heads"],
            runs: always,
            constants: |kernels, format| {
                let kernel = kernels.prompts.get_mut(&format)?;
                let preparation = rate("preparation", &mut kernel.preparation);
                Some(vec![time("launch", &mut kernel.launch), share("compute_efficiency", &mut kernel.compute_efficiency), preparation])
            },
            of_engine: None,
        },
        // The gap between kernels of a captured graph, from whole blocks.
        KernelConstants {
            name: "gap",
            table: None,
            quantity: "mla_module",
            format: None,
            group: &["format", "cache"],
            runs: always,
            constants: |kernels, _| Some(vec![time("launch", &mut kernels.launch)]),
            of_engine: None,
        },
        KernelConstants {
            name: "sparse",
            table: None,
            quantity: "dsa_module",
            format: None,
            group: &["format", "cache"],
            runs: always,
            constants: |kernels, _| {
                let start = kernels.sparse_launch.as_mut()?;
                let share_of_dense = kernels.sparse_attention.as_mut()?;
                Some(vec![time("sparse_launch", start), share("sparse_attention", share_of_dense)])
            },
            of_engine: None,
        },
        KernelConstants {
            name: "sparse-prompts",
            table: Some("sparse_prompts"),
            quantity: "dsa_prefill",
            format: None,
            group: &["heads"],
            runs: always,
            constants: |kernels, _| {
                let kernel = kernels.sparse_prompts.as_mut()?;
                Some(vec![time("launch", &mut kernel.launch), nanoseconds("token", &mut kernel.token), nanoseconds("entry", &mut kernel.entry)])
            },
            of_engine: None,
        },
    ],
};

fn constants(kernel: &mut AttentionKernel) -> Vec<Named<'_>> {
    let mut found = vec![
        time("launch", &mut kernel.launch),
        share("compute_efficiency", &mut kernel.compute_efficiency),
        share("memory_efficiency", &mut kernel.memory_efficiency),
    ];
    found.extend(kernel.merge.as_mut().map(|figure| time("merge", figure)));
    found.extend(kernel.merge_start.as_mut().map(|figure| time("merge_start", figure)));
    found.extend(kernel.block.as_mut().map(|figure| time("block", figure)));
    found.extend(kernel.row.as_mut().map(|figure| time("row", figure)));
    let core = kernel.core_bandwidth.as_mut();
    found.extend(core.map(|figure| rate("core_bandwidth", figure)));
    found
}

fn without_compute(kernel: &mut AttentionKernel) -> Vec<Named<'_>> {
    constants(kernel).into_iter().filter(|constant| constant.name != "compute_efficiency").collect()
}

/// The model's attention block for one rank of a TP group that leaves it `heads` heads.
fn block(case: &Case, model: &Model, weights: Precision, heads: u32, batch: &AttentionBatch) -> Result<Vec<Operator>, String> {
    let settings = &case.settings;
    let cache = format(settings, "cache")?;
    let precisions = Precisions { weights, experts: None, attention: cache, kv_cache: cache, dispatch: weights, combine: Precision::Bf16 };
    let all = model.last().map_or(heads, |group| group.attention.heads());
    if !all.is_multiple_of(heads) {
        return Err(format!("{all} heads do not divide into parts of {heads}"));
    }
    Ok(attention_block(model, &precisions, all / heads, batch))
}

/// The attention kernel of a block.
fn attention_of(bench: &Bench<'_>, case: &Case, block: &[Operator]) -> Result<f64, String> {
    let attention = block.iter().find(|operator| matches!(operator.work, Work::Attention(_))).ok_or("the model has no attention")?;
    let mut device = bench.device.clone();
    device.repeat(attention.work.bytes().get());
    measured(case, &device, &attention.work, kernel::time(&device, attention))
}

const LATENT_MODEL: &str = "deepseek-r1";

/// The kernel over a latent cache of `model` (DeepSeek's unless the case names another).
fn mla_decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&["model", "heads", "sequences", "queries", "context", "cache", "share"])?;
    let model = bench.model(case.settings.optional("model").unwrap_or(LATENT_MODEL))?;
    let block = block(case, &model, Precision::Bf16, case.settings.count("heads")?, &decoding(&case.settings)?)?;
    attention_of(bench, case, &block)
}

/// The whole block: projections, absorbed products and attention, one after the other.
fn mla_module(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    module(bench, case, &decoding(&case.settings)?)
}

/// The same over whole prompts.
fn mla_prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    module(bench, case, &reading(&case.settings)?)
}

fn module(bench: &mut Bench<'_>, case: &Case, batch: &AttentionBatch) -> Result<f64, String> {
    case.settings.only(&["model", "heads", "sequences", "queries", "context", "cache", "format"])?;
    let model = bench.model(case.settings.optional("model").unwrap_or(LATENT_MODEL))?;
    let block = block(case, &model, format(&case.settings, "format")?, case.settings.count("heads")?, batch)?;
    time_in(case.unit, block.iter().map(|operator| kernel::time(&bench.device, operator)).sum())
}

/// The kernel over grouped keys and values when decoding; `heads` and `kv_heads` are those of one rank.
fn gqa_decode(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    gqa(bench, case, &decoding(&case.settings)?)
}

/// The same over whole prompts, with the kernel ahead that prepares queries, keys and values.
fn gqa_prefill(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    gqa(bench, case, &reading(&case.settings)?)
}

/// Whether the kernel for single heads runs a measurement of decode attention in this format.
fn runs_single_heads(chip: &Chip, case: &Case, precision: Precision) -> bool {
    let count = |key: &str| case.settings.number(key).unwrap_or(1.0);
    let (kv_heads, cores) = (count("kv_heads"), f64::from(chip.cores) / f64::from(chip.ranks));
    let rows = count("heads") / kv_heads * case.settings.number_or("queries", 1.0).unwrap_or(1.0);
    kernel::takes_single_heads(&chip.kernels, precision, cores, count("sequences") * kv_heads, rows, count("context"))
}

fn gqa(bench: &mut Bench<'_>, case: &Case, batch: &AttentionBatch) -> Result<f64, String> {
    let settings = &case.settings;
    settings.only(&["heads", "kv_heads", "head_dim", "value_dim", "sequences", "context", "cache"])?;
    let (heads, kv_heads, head_dim) = (settings.count("heads")?, settings.count("kv_heads")?, settings.count("head_dim")?);
    let value_dim = settings.optional("value_dim").map(|_| settings.count("value_dim")).transpose()?;
    if batch.prefill && value_dim.is_some() {
        return expanded(bench, case, [heads, kv_heads, head_dim, value_dim.unwrap_or(head_dim)], batch);
    }
    // Only the attention block is asked for, and that does not depend on the rest of the model.
    let mut model = bench.model(LATENT_MODEL)?;
    let grouped =
        Gqa { heads, kv_heads, head_dim, value_dim, window: None, output_gate: false, value_is_key: false, shares_cache: false, index: None };
    for group in &mut model.layer {
        group.attention.set(Attention::Gqa(grouped));
    }
    let block = block(case, &model, Precision::Bf16, heads, batch)?;
    attention_of(bench, case, &block)
}

/// Prompts over a latent cache that is expanded to keys and values of every head, of which the kernel ahead prepares the rotated part alone.
fn expanded(bench: &mut Bench<'_>, case: &Case, shape: [u32; 4], batch: &AttentionBatch) -> Result<f64, String> {
    let model = bench.model(LATENT_MODEL)?;
    let [heads, kv_heads, head_dim, value_dim] = shape;
    match model.last().map(|group| (*group.attention).clone()) {
        Some(Attention::Mla(mla)) if kv_heads == heads && [mla.nope_dim + mla.rope_dim, mla.value_dim] == [head_dim, value_dim] => {
            let block = block(case, &model, Precision::Bf16, heads, batch)?;
            attention_of(bench, case, &block)
        }
        _ => Err(format!("no latent cache is expanded to {kv_heads} heads of {head_dim} and {value_dim}")),
    }
}
