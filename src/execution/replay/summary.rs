//! What a played trace comes to: each rank's time, and the nodes that decide the end.

use super::{PlayedKind, PlayedNode, RankTimes};
use crate::input::chakra::ChakraTrace;
use crate::units::Seconds;

/// Spans that are covered, merged and in order.
fn covered(mut spans: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    spans.retain(|span| span.1 > span.0);
    spans.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

fn length(spans: &[(f64, f64)]) -> f64 {
    // A sum of nothing is -0.
    spans.iter().fold(0.0, |sum, span| sum + (span.1 - span.0))
}

/// Each rank's times. A communication lasts from when its rank comes to it.
pub(super) fn rank_times(trace: &ChakraTrace, nodes: &[PlayedNode]) -> Vec<RankTimes> {
    let mut first = 0;
    let mut times = Vec::new();
    for traced in &trace.ranks {
        let own = &nodes[first..first + traced.nodes.len()];
        first += traced.nodes.len();
        let spans = |communicates: bool| {
            let wanted = own.iter().filter(|node| (node.kind == PlayedKind::Communication) == communicates);
            wanted.map(|node| (if communicates { node.ready } else { node.start }.get(), node.end.get())).collect::<Vec<_>>()
        };
        let (compute, communication) = (covered(spans(false)), covered(spans(true)));
        let both = length(&covered(compute.iter().chain(&communication).copied().collect()));
        let end = own.iter().map(|node| node.end).fold(Seconds::ZERO, Seconds::max);
        let [compute, communication] = [length(&compute), length(&communication)];
        times.push(RankTimes {
            rank: traced.rank,
            end,
            compute: Seconds::new(compute),
            communication: Seconds::new(communication),
            exposed: Seconds::new((both - compute).max(0.0)),
            idle: Seconds::new((end.get() - both).max(0.0)),
        });
    }
    times
}

/// From the node that ends last back to one that waited for nothing, in time.
pub(super) fn critical_path(nodes: &[PlayedNode]) -> Vec<usize> {
    let last = (0..nodes.len()).max_by(|&a, &b| nodes[a].end.get().total_cmp(&nodes[b].end.get()).then(b.cmp(&a)));
    let mut path: Vec<usize> = std::iter::successors(last, |&place| nodes[place].cause).take(nodes.len()).collect();
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_or_overlap_are_one() {
        let spans = covered(vec![(2.0, 3.0), (0.0, 1.0), (0.5, 1.5), (1.5, 1.5), (3.0, 4.0)]);
        assert_eq!(spans, [(0.0, 1.5), (2.0, 4.0)]);
        assert_eq!(length(&spans), 3.5);
    }
}
