//! Sequence parallelism: ranks with equal heads share the tokens of a prompt, or the cache of a sequence that makes tokens.
//!
//! A prompt: each rank projects its part of the tokens. Heads with keys and values of their own are traded for tokens in an all-to-all before
//! attention and back after it (DeepSpeed-Ulysses, arXiv 2309.14509). Latent attention gathers what is narrow, the compressed queries and the
//! cache entries, and expands its own heads from them; only the output is traded back. That is the layout of CloudMatrix384's prefill,
//! sequence, then tensor, then sequence parallel (arXiv 2506.12708, section 4.3).
//!
//! A token: each rank keeps its part of the context. Queries of all heads go to all ranks, each attends to its part, and partial outputs come
//! back to the rank of their sequence to be merged by their sums of exponentials (Helix, arXiv 2507.07120, and the decode context
//! parallelism of engines).

use super::AttentionBatch;
use crate::input::document::Attention;
use crate::units::Bytes;

/// Bytes of an activation on the way to attention, and of a partial output with 32-bit sums.
const HALF: f64 = 2.0;
const FULL: f64 = 4.0;

/// Whether a cache can be divided by its tokens: compressed entries and recurrent states cannot.
#[must_use]
pub fn can_split(attention: &Attention) -> bool {
    matches!(attention, Attention::Mla(_) | Attention::Gqa(_) | Attention::Mfa(_) | Attention::None)
}

/// What one of `ranks` ranks that share `batch` sends to each other before attention, and after it.
#[must_use]
pub fn sequence_exchange(attention: &Attention, [tensor_parallel, ranks]: [u32; 2], batch: &AttentionBatch) -> [Bytes; 2] {
    let [tensor_parallel, ranks] = [tensor_parallel, ranks].map(f64::from);
    // Elements a token: of a prompt gathered, of a prompt traded there and back; of one that is made, queries and partial outputs.
    let [gathered, traded, back, query, partial] = match attention {
        Attention::Mla(mla) => {
            let [heads, query, latent, nope, rope, value] =
                [mla.heads, mla.query_rank, mla.kv_rank, mla.nope_dim, mla.rope_dim, mla.value_dim].map(f64::from);
            let heads = heads / tensor_parallel;
            let (narrow, wide) = if query > 0.0 { (query, 0.0) } else { (0.0, heads * (nope + rope)) };
            [narrow + latent + rope, wide, heads * value, heads * (latent + rope), heads * latent]
        }
        Attention::Gqa(gqa) => {
            let [heads, kv_heads, key, value] = [gqa.heads, gqa.kv_heads, gqa.head_dim, gqa.value_dim()].map(f64::from);
            let (heads, kv_heads) = (heads / tensor_parallel, (kv_heads / tensor_parallel).max(1.0));
            // Key and value heads that are fewer than ranks are sent to several.
            let stored = kv_heads.max(ranks) * f64::from(gqa.stored_dim());
            [0.0, heads * key + stored, heads * value, heads * key, heads * value]
        }
        Attention::Mfa(mfa) => {
            let [heads, query, dim] = [mfa.heads, mfa.query_rank, mfa.head_dim].map(f64::from);
            let heads = heads / tensor_parallel;
            [query + 2.0 * dim, 0.0, heads * dim, heads * dim, heads * dim]
        }
        // No other kind splits a sequence: see `can_split`.
        _ => [0.0; 5],
    };
    let own = batch.tokens() / ranks;
    if batch.prefill {
        [(gathered + traded / ranks) * own * HALF, back / ranks * own * HALF].map(Bytes::new)
    } else {
        [query * own * HALF, partial * own * FULL].map(Bytes::new)
    }
}
