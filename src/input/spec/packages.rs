//! Packages: levels without links of their own. Their children are children of the next level outwards, as many packages hold them.

use super::PackageSpec;
use super::names::Names;
use crate::input::document::{Attach, AttachTo, Level};
use crate::input::problem::Problem;

/// Children of packages that the next level has not joined yet.
struct Held {
    /// Children of one of the packages.
    each: u32,
    /// What each of them attaches.
    attach: Vec<Attach>,
    /// Place of the outermost in the file.
    level: usize,
}

impl Names<'_> {
    /// The levels that join something, every package in the size of the level around it; and the packages, innermost first.
    pub(super) fn packaged(&mut self, levels: &[Level]) -> (Vec<Level>, Vec<PackageSpec>) {
        let (mut joining, mut packages): (Vec<Level>, Vec<PackageSpec>) = (Vec::new(), Vec::new());
        let mut chips = 1u32;
        let mut held: Option<Held> = None;
        for (place, level) in levels.iter().enumerate() {
            chips = chips.saturating_mul(*level.size);
            let size = *level.size;
            let mut attach: Vec<Attach> = held.iter().flat_map(|held| &held.attach).cloned().collect();
            // As many of the packages inside as this level holds.
            attach.iter_mut().for_each(|attach| attach.count.set(attach.count.saturating_mul(size)));
            let each = held.take().map_or(size, |held| held.each.saturating_mul(size));
            if level.package.is_some() {
                self.package(level);
                packages.push(PackageSpec { name: level.name.clone(), chips });
                attach.extend(level.attach.iter().cloned());
                held = Some(Held { each, attach, level: place });
                continue;
            }
            let mut level = level.clone();
            level.size.set(each);
            attach.append(&mut level.attach);
            level.attach = attach;
            joining.push(level);
        }
        if let Some(held) = held.filter(|held| held.each > 1 || joining.is_empty()) {
            let level = &levels[held.level];
            let place = self.place(level.size.span());
            let problem = Problem::new(format!("nothing joins what package `{}` holds", level.name)).at(place, "these children have no links");
            self.problems.push(problem.help("a level around it joins them: [[level]] with a link and a pattern"));
        }
        (joining, packages)
    }

    /// What a package cannot have.
    fn package(&mut self, level: &Level) {
        let Some(package) = &level.package else { return };
        let place = self.place(package.span());
        let given = [
            ("link", level.link.is_some()),
            ("links", level.links.is_some()),
            ("queue_pairs", level.queue_pairs.is_some()),
            ("nic", level.nic.is_some()),
            ("a pattern", !level.patterns().is_empty()),
        ];
        for (what, _) in given.iter().filter(|(_, is_given)| *is_given) {
            let problem = Problem::new(format!("package `{}` has {what}", level.name)).at(place.clone(), "a package has no links of its own");
            self.problems.push(problem.help("take out `[level.package]`, or what joins its children"));
        }
        for attach in level.attach.iter().filter(|attach| attach.to != AttachTo::Chips) {
            let place = self.place(attach.count.span());
            let problem = Problem::new(format!("package `{}` has no switches to attach to", level.name)).at(place, "attached to switches");
            self.problems.push(problem.help("write to = \"chips\""));
        }
    }
}
