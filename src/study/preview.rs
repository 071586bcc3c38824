//! What can be known of a study before work starts: that every value leads somewhere and fits, and which files it stands on.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::space::{Point, Space};
use crate::input::edit::{Edit, ValuePath};
use crate::input::file_cache::Log;
use crate::input::problem::{Problem, Problems, suggest};
use crate::input::study::Values;
use crate::units::SplitMix64;

/// A value that fits none of so many designs fits none.
const TRIES: u64 = 24;

impl Space {
    /// Reads designs until every value of every dimension has been in one that reads well.
    ///
    /// # Errors
    /// The problems of a value that fits nowhere; an axis that names nothing.
    pub fn preview(&self) -> Result<Log, Problems> {
        let mut met = Log::default();
        let mut problems = Vec::new();
        for (dimension, size) in self.sizes().into_iter().enumerate() {
            let stretch = dimension.checked_sub(3).is_some_and(|axis| matches!(self.spec.axes[axis].values, Values::Between(..)));
            // Of a stretch the ends: what lies between them is of their kind.
            let shares: Vec<f64> = if stretch { vec![0.0, 1.0] } else { (0..size).map(|entry| (entry as f64 + 0.5) / size as f64).collect() };
            for share in shares {
                if let Err(found) = self.preview_value(dimension, share, &mut met) {
                    // A value that fits nowhere spoils the designs of other dimensions, too.
                    for new in found.into_list() {
                        if problems.iter().all(|old: &Problem| old.to_string() != new.to_string()) {
                            problems.push(new);
                        }
                    }
                }
            }
        }
        Problems::check(problems, met)
    }

    fn preview_value(&self, dimension: usize, share: f64, met: &mut Log) -> Result<(), Problems> {
        let mut first: Option<Problems> = None;
        let mut unapplied: Option<(Edit, Log)> = None;
        let count = self.sizes().len();
        for attempt in 0..TRIES {
            let mut stream = SplitMix64::new(0, attempt);
            let mut shares: Vec<f64> = (0..count).map(|_| if attempt == 0 { 0.0 } else { stream.uniform() }).collect();
            shares[dimension] = share;
            let point = self.at(&shares);
            let log = Mutex::new(Log::default());
            let read = self.read(&point, &[], Some(&log));
            let log = log.into_inner().unwrap_or_else(PoisonError::into_inner);
            match read {
                Err(problems) => {
                    first.get_or_insert(problems);
                }
                Ok(_) => match idle(&point, dimension, &log.applied) {
                    Some(edit) => {
                        unapplied.get_or_insert((edit, log));
                    }
                    None => {
                        met.join(log);
                        return Ok(());
                    }
                },
            }
        }
        if let Some((edit, log)) = unapplied {
            let place = self.spec.place_of_path(&edit);
            let problem = Problem::new(format!("`{}` names nothing in any design of the study", edit.path)).at(place, "no such value");
            return Err(problem.help(nearest(&edit.path, &log)).into());
        }
        first.map_or(Ok(()), Err)
    }

    /// A number that differs where the study, a file it stands on, or the program does (FNV-1a, 64 bit).
    #[must_use]
    pub fn fingerprint(&self, met: &Log) -> String {
        let own = [env!("CARGO_PKG_VERSION")].into_iter().chain(self.spec.texts());
        let files = met.files.iter().flat_map(|((kind, name), text)| [*kind, name.as_str(), text.as_str()]);
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for text in own.chain(files) {
            for byte in text.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
            }
        }
        format!("{hash:016x}")
    }

    /// Whether every value of the space can be counted.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.spec.axes.iter().all(|axis| axis.values.count() > 0)
    }
}

/// An edit of this dimension that led nowhere.
fn idle(point: &Point, dimension: usize, applied: &BTreeSet<usize>) -> Option<Edit> {
    let axis = dimension.checked_sub(3)?;
    let before: usize = point.values[..axis].iter().map(|value| value.edits.len()).sum();
    point.values[axis].edits.iter().enumerate().find(|(number, _)| !applied.contains(&(before + number))).map(|(_, edit)| edit.clone())
}

/// What a path that leads nowhere could have meant.
fn nearest(path: &ValuePath, log: &Log) -> String {
    if let (Some(kind), Some(choice)) = (path.file_kind(), path.first_choice()) {
        let is_array = matches!(path.root(), "level" | "auxiliary");
        let files = log.files.keys().filter(|file| file.0 == kind).map(|file| file.1.as_str());
        let items = log.leaves.iter().filter(|leaf| leaf.path.root() == path.root()).filter_map(|leaf| leaf.path.first_choice());
        let known: BTreeSet<&str> = if is_array { items.collect() } else { files.collect() };
        if !known.contains(choice) {
            return suggest(choice, known.into_iter().collect::<Vec<_>>());
        }
    }
    let paths: Vec<String> = log.leaves.iter().map(|leaf| leaf.path.to_string()).filter(|leaf| leaf.starts_with(path.root())).collect();
    suggest(&path.to_string(), paths.iter().map(String::as_str).collect::<Vec<_>>())
}
