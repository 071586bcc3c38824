//! How a model is laid over ranks.

use serde::Serialize;

use crate::input::document::{Attention, Model};

/// Parallel degrees of one instance of the model. Attention groups of `tp` ranks, `dp` of them, make up the instance; a mixture of
/// experts spreads its experts over all `ep = tp x dp` ranks, a dense model has `ep = 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mapping {
    /// Ranks that share one attention block.
    pub tp: u32,
    /// Ranks that share the experts of a layer.
    pub ep: u32,
    /// Attention groups, each with its own sequences.
    pub dp: u32,
    /// Pipeline stages.
    pub pp: u32,
}

impl Mapping {
    /// Ranks of one instance.
    #[must_use]
    pub fn ranks(&self) -> u32 {
        self.tp * self.dp * self.pp
    }

    /// Chips that one instance fills.
    #[must_use]
    pub fn chips(&self, ranks_per_chip: u32) -> u32 {
        self.ranks().div_ceil(ranks_per_chip)
    }
}

/// Every legal mapping on a machine of `chips` chips whose innermost level has `node` of them.
///
/// Instances take a chip count that divides the machine into equal parts: parts of a node, or whole nodes. Heads must divide by TP.
#[must_use]
pub fn mappings(model: &Model, chips: u32, node: u32, ranks_per_chip: u32) -> Vec<Mapping> {
    let mixture = model.ffn.experts.is_some();
    let mut found = Vec::new();
    for instance in instance_sizes(chips, node) {
        let ranks = instance * ranks_per_chip;
        for tp in tensor_degrees(model).filter(|tp| ranks.is_multiple_of(*tp)) {
            let dp = ranks / tp;
            if mixture {
                found.push(Mapping { tp, ep: ranks, dp, pp: 1 });
            } else if dp == 1 {
                found.push(Mapping { tp, ep: 1, dp, pp: 1 });
            }
        }
    }
    found
}

/// Chip counts of an instance: divisors of a node, then nodes in numbers that leave at least three quarters of the machine in use.
fn instance_sizes(chips: u32, node: u32) -> Vec<u32> {
    let mut sizes: Vec<u32> = (1..=node.min(chips)).filter(|size| node.is_multiple_of(*size)).collect();
    let nodes = chips / node.max(1);
    // One size for each number of instances: the largest that fits so often.
    sizes.extend((1..=nodes).map(|instances| nodes / instances * node));
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Powers of two up to the heads that can be divided.
fn tensor_degrees(model: &Model) -> impl Iterator<Item = u32> {
    let heads = match *model.attention {
        Attention::Mla { heads, .. } | Attention::Gqa { heads, .. } => heads,
    };
    (0..=6).map(|power| 1 << power).filter(move |tp| heads.is_multiple_of(*tp))
}
