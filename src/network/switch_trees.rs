//! The trees by which switches add up what a group sends, and copy it to all.

use super::group::Group;
use super::network::Network;
use super::pattern::TrafficPattern;

/// A tree to one root.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SwitchTree {
    /// Channels towards the root; the channel back beside number `n` is `n ^ 1`.
    pub channels: Vec<u32>,
    /// Chips at the leaves.
    pub members: Vec<u32>,
    /// Share of the group's data that this tree carries.
    pub part: f64,
    /// Whether packets of all members are added up.
    pub adds: bool,
    /// Whether the result goes to all members.
    pub copies: bool,
}

impl Network<'_> {
    /// Trees of a pattern that switches carry out; those of the first block where all blocks are alike. Empty for other patterns.
    pub(super) fn switch_trees(&self, group: &Group, pattern: TrafficPattern) -> Vec<SwitchTree> {
        match pattern {
            TrafficPattern::Aggregate { up, down } => {
                let trees = self.trees_to(group, &self.aggregation_roots(group)).into_iter();
                trees.map(|tree| SwitchTree { adds: up, copies: down, ..tree }).collect()
            }
            TrafficPattern::AggregateInside { block } => {
                let first = Group::of(group.chips()[..block as usize].to_vec());
                self.trees_to(&first, &self.aggregation_roots(&first))
            }
            TrafficPattern::AggregateRails { block } => {
                let rails = (0..block).map(|position| group.rail(block, position));
                rails.flat_map(|rail| self.trees_to(&rail, &self.rail_roots(&rail))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One tree to each root, which takes the part of the data that its tree's narrowest channel can carry.
    pub(super) fn trees_to(&self, group: &Group, roots: &[u32]) -> Vec<SwitchTree> {
        let (mut routes, channels) = (self.router().routes(), self.router().channels());
        let trees = roots.iter().zip(0..).map(|(&root, turn)| {
            routes.towards_all(root);
            routes.aggregation_tree(group.chips().iter().copied(), turn)
        });
        let trees: Vec<Vec<u32>> = trees.collect();
        let width = |tree: &Vec<u32>| tree.iter().map(|&channel| channels[channel as usize].count).min().unwrap_or(0);
        let all: u32 = trees.iter().map(width).sum();
        let part = |tree: &Vec<u32>| f64::from(width(tree)) / f64::from(all.max(1));
        let members = || group.chips().to_vec();
        trees.into_iter().map(|tree| SwitchTree { part: part(&tree), channels: tree, members: members(), adds: true, copies: true }).collect()
    }
}
