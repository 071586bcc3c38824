//! Compressed attention: every token looks at the latest ones and at entries that each stand for several earlier ones.

use super::{Operator, Rank, Work, index, latent};
use crate::input::document::{Compressed, Index};
use crate::workload::kernel::GemmWork;

pub(super) fn block(rank: &Rank<'_>, compressed: &Compressed, operators: &mut Vec<Operator>) {
    let [dim, query, output] = [compressed.head_dim, compressed.query_rank, compressed.output_rank].map(f64::from);
    let heads = rank.share(compressed.heads);
    let groups = rank.kv_share(compressed.output_groups);
    operators.push(rank.project("compress query, project entry", query + dim + compressor_columns(compressed), rank.hidden));
    operators.push(rank.project("expand query", heads * dim, query));
    if let Some(chooser) = &Index::own(compressed.index) {
        index::project(rank, chooser, query, operators);
    }
    for batch in rank.batches {
        let beyond = compressed.ratio.map_or(0.0, |ratio| batch.context / f64::from(ratio));
        if let Some(chooser) = &Index::own(compressed.index) {
            index::score(rank, chooser, batch, beyond, operators);
        }
        let chosen = compressed.index.map_or(beyond, |chooser| beyond.min(f64::from(chooser.top)));
        let read = batch.context.min(f64::from(compressed.window)) + chosen;
        operators.push(latent::shared_entries(batch, read, heads, [dim, dim], dim, rank.precisions));
    }
    let narrow =
        Work::Gemm(GemmWork { batch: groups, rows: rank.tokens, columns: output, depth: heads * dim / groups, precision: rank.precisions.weights });
    operators.push(Operator::new("narrow output", narrow));
    operators.push(rank.project("project output", rank.hidden, groups * output));
}

/// Outputs of the projections that make compressed entries: an entry and its gate, twice where neighbouring entries overlap (ratio 4),
/// and the same for index keys.
pub(in crate::workload) fn compressor_columns(compressed: &Compressed) -> f64 {
    let overlap = match compressed.ratio {
        None => 0.0,
        Some(4) => 2.0,
        Some(_) => 1.0,
    };
    let index = Index::own(compressed.index).map_or(0.0, |index| f64::from(index.dim));
    2.0 * overlap * (f64::from(compressed.head_dim) + index)
}
