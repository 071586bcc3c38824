//! Attention blocks as operators: one file for each kind of attention.
//!
//! | question | file |
//! | --- | --- |
//! | latent attention, absorbed or expanded? | `latent.rs` |
//! | heads with keys and values of their own or of a group? | `grouped.rs` |
//! | entries that stand for several tokens? | `compressed.rs` |
//! | a state instead of a cache? | `linear.rs`, `state_space.rs` |
//! | which tokens are looked at? | `index.rs` |
//! | what do ranks that share a sequence exchange? | `sequence.rs` |
//! | what does a sequence keep in memory? | `cache.rs` |

mod cache;
mod compressed;
mod grouped;
mod index;
mod latent;
mod linear;
mod sequence;
mod state_space;

pub(in crate::workload) use compressed::compressor_columns;
pub(in crate::workload) use grouped::heads_attention;
pub(in crate::workload) use linear::TAPS;
pub(in crate::workload) use state_space::mixed_channels;

pub use sequence::{can_split, sequence_exchange};

pub use cache::{cache_bytes_per_token, prompt_cache_per_token, sequence_cache};

use super::kernel::{GemmWork, StreamWork, Work};
use super::operator::Operator;
use crate::input::document::{Attention, Model, Precision, Precisions};
use crate::units::Bytes;

/// What one attention group (the ranks of one TP group) works on in one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionBatch {
    /// Sequences.
    pub sequences: f64,
    /// New tokens of each sequence.
    pub new_tokens: f64,
    /// Tokens that each new one sees, on average.
    pub context: f64,
    /// Whether many new tokens of one sequence are read at once: then latent caches are expanded instead of absorbed.
    pub prefill: bool,
}

impl AttentionBatch {
    /// New tokens of all sequences.
    #[must_use]
    pub fn tokens(&self) -> f64 {
        self.sequences * self.new_tokens
    }

    /// Tokens that the last new one of a sequence sees, itself included: of a prompt, all that its attention reads.
    #[must_use]
    pub fn last_context(&self) -> f64 {
        (self.context + 0.5 * self.new_tokens).max(self.new_tokens)
    }

    /// One of `parts` equal parts. Sequences are divided; where there are fewer than parts, their new tokens are.
    #[must_use]
    pub fn part(mut self, parts: u32) -> Self {
        let parts = f64::from(parts);
        if self.prefill && self.sequences < parts {
            self.new_tokens /= parts;
        } else {
            self.sequences /= parts;
        }
        self
    }
}

/// One rank of a TP group with the batches that it works on in one pass: projections see all their tokens together, attention itself
/// each batch for itself.
struct Rank<'a> {
    hidden: f64,
    tensor_parallel: f64,
    sequence_parallel: f64,
    precisions: &'a Precisions,
    batches: &'a [AttentionBatch],
    tokens: f64,
    /// Whether what new tokens see beyond themselves comes from a cache; else other ranks bring it, as in training.
    cached: bool,
}

impl Rank<'_> {
    /// This rank's share of `heads`.
    fn share(&self, heads: u32) -> f64 {
        f64::from(heads) / self.tensor_parallel
    }

    /// Its share of key and value heads, which are repeated where there are fewer than ranks.
    fn kv_share(&self, heads: u32) -> f64 {
        self.share(heads).max(1.0)
    }

    /// A batch and the heads as attention itself sees them under sequence parallelism: of a prompt this rank has its part of the heads for
    /// all tokens; of a sequence that makes tokens it has all heads for its part of the context.
    fn part(&self, batch: &AttentionBatch, heads: f64) -> (AttentionBatch, f64) {
        let parts = self.sequence_parallel;
        if batch.prefill { (*batch, heads / parts) } else { (AttentionBatch { context: batch.context / parts, ..*batch }, heads) }
    }

    /// A batch as the indexer sees it: its part of the new tokens of a prompt, or of the context.
    fn indexed(&self, batch: &AttentionBatch) -> AttentionBatch {
        let parts = self.sequence_parallel;
        if batch.prefill {
            AttentionBatch { new_tokens: batch.new_tokens / parts, ..*batch }
        } else {
            AttentionBatch { context: batch.context / parts, ..*batch }
        }
    }

    /// A projection of this rank's tokens.
    fn project(&self, name: &'static str, columns: f64, depth: f64) -> Operator {
        let rows = self.tokens / self.sequence_parallel;
        let work = Work::Gemm(GemmWork { batch: 1.0, rows, columns, depth, precision: self.precisions.weights });
        Operator::new(name, work)
    }

    /// `batch` BF16 products over the tokens of one batch.
    fn product(name: &'static str, batch: f64, tokens: f64, columns: f64, depth: f64) -> Operator {
        Operator::new(name, Work::Gemm(GemmWork { batch, rows: tokens, columns, depth, precision: Precision::Bf16 }))
    }
}

/// The attention block of one layer on one rank of a TP group, norm first, output projection last; the all-reduce is not in it. Nothing that the
/// batches see is in a cache: where they have a part of each sequence only, other ranks bring the rest.
#[must_use]
pub fn layer_attention(
    attention: &Attention,
    hidden: u32,
    precisions: &Precisions,
    tensor_parallel: u32,
    batches: &[AttentionBatch],
) -> Vec<Operator> {
    block(attention, hidden, precisions, [tensor_parallel, 1], batches, false)
}

/// The same over a cache, where `sequence_parallel` ranks of equal heads share the batches: each projects its part of the tokens, and attention
/// itself is divided as [`sequence_exchange`] says.
#[must_use]
pub fn split_attention(attention: &Attention, hidden: u32, precisions: &Precisions, parallel: [u32; 2], batches: &[AttentionBatch]) -> Vec<Operator> {
    block(attention, hidden, precisions, parallel, batches, true)
}

fn block(
    attention: &Attention,
    hidden: u32,
    precisions: &Precisions,
    [tensor_parallel, sequence_parallel]: [u32; 2],
    batches: &[AttentionBatch],
    cached: bool,
) -> Vec<Operator> {
    if *attention == Attention::None {
        return Vec::new();
    }
    let tokens = batches.iter().map(AttentionBatch::tokens).sum();
    let hidden = f64::from(hidden);
    let [tensor_parallel, sequence_parallel] = [tensor_parallel, sequence_parallel].map(f64::from);
    let rank = Rank { hidden, tensor_parallel, sequence_parallel, precisions, batches, tokens, cached };
    // Room for the kinds with most operators: growing step by step is seen in a search.
    let mut operators = Vec::with_capacity(6 + 6 * batches.len());
    operators.push(norm(hidden, tokens / sequence_parallel));
    match attention {
        Attention::Mla(mla) => latent::block(&rank, mla, &mut operators),
        Attention::Gqa(gqa) => grouped::block(&rank, gqa, &mut operators),
        Attention::Mfa(mfa) => grouped::factorised_block(&rank, mfa, &mut operators),
        Attention::Compressed(compressed) => compressed::block(&rank, compressed, &mut operators),
        Attention::GatedDelta(delta) => linear::delta_block(&rank, delta, &mut operators),
        Attention::Lightning(lightning) => linear::lightning_block(&rank, lightning, &mut operators),
        Attention::Mamba2(mamba) => state_space::mamba2_block(&rank, mamba, &mut operators),
        Attention::Mamba(mamba) => state_space::mamba_block(&rank, mamba, &mut operators),
        Attention::Convolution(convolution) => state_space::convolution_block(&rank, convolution, &mut operators),
        Attention::None => {}
    }
    operators
}

/// The attention block of the model's largest group of layers; nothing for a model without layers.
#[must_use]
pub fn attention_block(model: &Model, precisions: &Precisions, tensor_parallel: u32, batch: &AttentionBatch) -> Vec<Operator> {
    let largest = model.layer.iter().max_by_key(|group| group.count);
    largest.map_or_else(Vec::new, |group| layer_attention(&group.attention, model.hidden, precisions, tensor_parallel, &[*batch]))
}

/// Whether the model's largest group of layers keeps one latent cache entry a token for all heads.
#[must_use]
pub fn latent_cache(model: &Model) -> bool {
    let largest = model.layer.iter().max_by_key(|group| group.count);
    largest.is_some_and(|group| matches!(*group.attention, Attention::Mla(_) | Attention::Compressed(_)))
}

/// Normalisation with its residual: reads and writes both streams in 16 bit.
pub(super) fn norm(hidden: f64, tokens: f64) -> Operator {
    Operator::new("norm", Work::Stream(StreamWork { bytes: Bytes::new(4.0 * 2.0 * hidden * tokens) }))
}
