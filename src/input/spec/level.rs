//! A level: its pattern, links, NICs and what is attached to it.

use super::names::Names;
use super::{AttachSpec, LevelSpec, NicSpec};
use crate::input::document::{Level, NicFile, Pattern};
use crate::input::problem::Problem;

impl Names<'_> {
    /// Follows the names of a level; `all` are the levels of the machine and `index` says which one this is.
    pub(super) fn level(&mut self, level: &Level, index: usize, all: &[Level]) -> Option<LevelSpec> {
        if let Some(after) = &level.after {
            let place = self.place(after.span());
            let message = format!("level `{}` cannot stand after `{}`", level.name, **after);
            let problem = Problem::new(message).at(place, "no level of that name is in what this file extends, or this level stands there already");
            self.problems.push(problem.help("`after` puts a new level outside of one that the extended file has"));
        }
        let link = level.link.as_ref().and_then(|link| self.link(link));
        let mut patterns = level.patterns();
        if patterns.len() != 1 {
            let place = self.place(level.size.span());
            let message = format!("level `{}` needs exactly one pattern, found {}", level.name, patterns.len());
            let known = Pattern::NAMES.iter().chain(&["package"]).map(|name| format!("`[level.{name}]`")).collect::<Vec<_>>().join(", ");
            self.problems.push(Problem::new(message).at(place, "these children are joined how?").help(format!("one of {known}")));
            return None;
        }
        let (span, pattern) = patterns.remove(0);
        let place = self.place(span);
        let above_switches = index > 0 && all[index - 1].patterns().iter().any(|(_, below)| below.has_switches());
        let pattern = self.pattern(level, pattern, &place, above_switches);
        let attach: Vec<Option<AttachSpec>> = level.attach.iter().map(|attach| self.attach(level, attach, all, index)).collect();
        let nic = level.nic.as_ref().map(|nic| (self.follow::<NicFile>(&nic.part), self.link(&nic.link), nic.part.to_string()));
        let nic = match nic {
            Some((nic, link, id)) => Some(NicSpec { id, nic: nic?, link: link? }),
            None => None,
        };
        Some(LevelSpec {
            name: level.name.clone(),
            size: *level.size,
            link: link?,
            links: level.links.unwrap_or(1),
            queue_pairs: level.queue_pairs,
            pattern: pattern?,
            nic,
            attach: attach.into_iter().collect::<Option<_>>()?,
            place,
        })
    }
}
