//! The indexer of sparse attention. Every rank of a TP group scores with all index heads, because all must choose the same tokens.

use super::{AttentionBatch, Operator, Rank, Work};
use crate::input::document::Index;
use crate::units::Bytes;
use crate::workload::kernel::{AttentionWork, StreamWork};

/// Index queries from a stream `query` wide; one index key and the head weights from the residual stream.
pub(super) fn project(rank: &Rank<'_>, index: &Index, query: f64, operators: &mut Vec<Operator>) {
    let [heads, dim] = [index.heads, index.dim].map(f64::from);
    operators.push(rank.project("index query", heads * dim, query));
    operators.push(rank.project("index key", dim + heads, rank.hidden));
}

/// Scores of `entries` cache entries for each new token, then the choice of the best: scores are written and read once in FP32.
pub(super) fn score(rank: &Rank<'_>, index: &Index, batch: &AttentionBatch, entries: f64, operators: &mut Vec<Operator>) {
    let [heads, dim] = [index.heads, index.dim].map(f64::from);
    let rows = heads * batch.new_tokens;
    let blocks = (rows / 128.0).ceil();
    // Index keys are kept in 8 bit, with a scale each.
    let key = Bytes::new(dim + 4.0);
    let work = Work::Attention(AttentionWork {
        sequences: batch.sequences,
        context: entries,
        units: blocks,
        rows: rows / blocks,
        flop_per_row: 2.0 * dim,
        unit_bytes: if batch.prefill { Bytes::ZERO } else { key },
        sequence_bytes: key,
        query_bytes: Bytes::new(rows * 2.0 * dim),
        prepared_bytes: Bytes::ZERO,
        latent: false,
        chosen: None,
        sparse: true,
        precision: rank.precisions.attention,
    });
    operators.push(Operator::new("index scores", work));
    operators.push(Operator::new("choose tokens", Work::Stream(StreamWork { bytes: Bytes::new(batch.tokens() * entries * 8.0) })));
}
