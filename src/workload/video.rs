//! A block of a video diffusion transformer as operators.

use super::AttentionBatch;
use super::attention::{heads_attention, norm};
use super::kernel::{GemmWork, StreamWork, Work};
use super::operator::Operator;
use crate::input::document::{Clip, Precision, Precisions, Text};
use crate::units::{Bytes, Flop};

/// Tokens that pass through every block.
#[must_use]
pub fn sequence(clip: &Clip) -> f64 {
    let text = if clip.transformer.text == Text::InSequence { clip.transformer.text_tokens } else { 0 };
    f64::from(clip.tokens()) + f64::from(text)
}

/// One block on one of `ranks` sequence-parallel ranks: matrices see a part of the tokens, attention all tokens of a part of the heads.
#[must_use]
pub fn video_block(clip: &Clip, ranks: u32) -> Vec<Operator> {
    let shape = &clip.transformer;
    let hidden = f64::from(shape.hidden);
    let all = sequence(clip);
    let own = all / f64::from(ranks);
    let heads = f64::from(shape.heads) / f64::from(ranks);
    let dim = hidden / f64::from(shape.heads);
    let precisions = Precisions {
        weights: clip.precision,
        experts: None,
        attention: Precision::Bf16,
        kv_cache: Precision::Bf16,
        dispatch: Precision::Bf16,
        combine: Precision::Bf16,
    };
    let gemm = |name, rows: f64, columns: f64, depth: f64| {
        Operator::new(name, Work::Gemm(GemmWork { batch: 1.0, rows, columns, depth, precision: clip.precision }))
    };
    let look = |new_tokens: f64, context: f64, heads: f64| {
        let batch = AttentionBatch { sequences: 1.0, new_tokens, context, prefill: true };
        heads_attention(&batch, heads, heads, [dim, dim], &precisions)
    };
    let mut operators = vec![
        norm(hidden, own),
        gemm("project query, key, value", own, 3.0 * hidden, hidden),
        look(all, all, heads),
        gemm("project output", own, hidden, hidden),
    ];
    if shape.text == Text::CrossAttention {
        let text = f64::from(shape.text_tokens);
        operators.extend([
            norm(hidden, own),
            gemm("project query for the text", own, hidden, hidden),
            gemm("project key, value of the text", text, 2.0 * hidden, hidden),
            look(own, text, f64::from(shape.heads)),
            gemm("project output from the text", own, hidden, hidden),
        ]);
    }
    let width = f64::from(shape.ffn_width);
    let activation = Work::Stream(StreamWork { bytes: Bytes::new(own * width * 4.0) });
    operators.extend([
        norm(hidden, own),
        gemm("widen", own, width, hidden),
        Operator::new("activation", activation),
        gemm("narrow", own, hidden, width),
    ]);
    operators
}

/// Operations of one pass of the model.
#[must_use]
pub fn video_flop(clip: &Clip) -> Flop {
    video_block(clip, 1).iter().fold(Flop::ZERO, |sum, operator| sum + operator.work.flop()) * f64::from(clip.transformer.blocks)
}

/// Weights of one expert: 4 matrices of attention (8 with the text's), 2 of the feed-forward block. A second set for text tokens, where a
/// model has one, and modulation are left out.
#[must_use]
pub fn video_weights(clip: &Clip) -> f64 {
    let shape = &clip.transformer;
    let hidden = f64::from(shape.hidden);
    let attention = if shape.text == Text::CrossAttention { 8.0 } else { 4.0 };
    f64::from(shape.blocks) * (attention * hidden * hidden + 2.0 * hidden * f64::from(shape.ffn_width))
}
