//! Where along an axis a finding is true, and at which value it flips.

use super::space::Space;
use super::telling::{CheckedFinding, FindingResult, Labelled, digits, tell};
use crate::input::document::Finding;
use crate::input::edit::quantity;

/// A finding at every entry of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Validity {
    /// Name of the axis.
    pub axis: String,
    /// Entry, figure or winner as it is printed, and whether the finding is true there; `None` where no design runs.
    pub entries: Vec<(String, Option<(String, bool)>)>,
    /// Neighbouring entries between which the finding flips, and the value at which it does, where entries are numbers.
    pub flips: Vec<(String, String, Option<String>)>,
}

impl Validity {
    /// Tests a finding at every entry of label number `axis`: the entry takes the place of what `of` and `over` say of that axis.
    pub(super) fn of(space: &Space, finding: &Finding, checked: &CheckedFinding, axis: usize, rows: &[Labelled<'_>]) -> Self {
        let mut order: Vec<&str> = Vec::new();
        for (labels, _) in rows {
            if !order.contains(&labels[axis].as_str()) {
                order.push(&labels[axis]);
            }
        }
        let mut of = finding.of.clone();
        let mut over = finding.over.clone();
        let name = space.label_names().swap_remove(axis);
        of.remove(&name);
        over.iter_mut().for_each(|over| drop(over.remove(&name)));
        let told: Vec<Option<FindingResult>> = order
            .iter()
            .map(|entry| {
                let here: Vec<Labelled<'_>> = rows.iter().filter(|(labels, _)| labels[axis] == *entry).cloned().collect();
                tell(space, finding, checked, (&of, over.as_ref()), &here)
            })
            .collect();
        let flips = order.windows(2).zip(told.windows(2)).filter_map(|(entries, told)| {
            let (left, right) = (told[0].as_ref()?, told[1].as_ref()?);
            (left.holds != right.holds)
                .then(|| (entries[0].to_owned(), entries[1].to_owned(), crossing(checked, (entries[0], left), (entries[1], right))))
        });
        let flips = flips.collect();
        let entries = order.iter().zip(told).map(|(entry, told)| ((*entry).to_owned(), told.map(|told| (told.shown, told.holds)))).collect();
        Self { axis: name, entries, flips }
    }

    /// `0.47 to 0.92`: least and greatest figure along the axis, or the one figure there is; `None` where winners are named.
    pub(super) fn range(&self) -> Option<String> {
        let figures = self.entries.iter().filter_map(|(_, told)| told.as_ref().map(|told| told.0.as_str()));
        let mut values: Vec<(f64, &str)> =
            figures.map(|shown| shown.replace(' ', "").parse().ok().map(|value| (value, shown))).collect::<Option<_>>()?;
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (least, most) = (values.first()?.1, values.last()?.1);
        Some(if least == most { least.to_owned() } else { format!("{least} to {most}") })
    }

    /// `tpot: 15 ms 6.02, 20 ms 1.28, 30 ms 1.01 (no); flips at 24 ms`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let entry = |(entry, told): &(String, Option<(String, bool)>)| match told {
            None => format!("{entry} no design"),
            Some((shown, true)) => format!("{entry} {shown}"),
            Some((shown, false)) => format!("{entry} {shown} (no)"),
        };
        let entries = self.entries.iter().map(entry).collect::<Vec<_>>().join(", ");
        format!("by {}: {entries}; {}", self.axis, self.verdict())
    }

    /// `flips at tpot 24 ms`, `at every tpot tried`.
    #[must_use]
    pub fn short(&self) -> String {
        match self.flips.as_slice() {
            [] => {
                format!("{} {}", self.verdict().trim_start_matches("true "), self.axis).replace("all of them", "every").replace("none of them", "no")
            }
            flips => {
                let at = flips.iter().map(|(left, right, at)| at.clone().unwrap_or_else(|| format!("between {left} and {right}")));
                format!("{} flips it: {}", self.axis, at.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// `true at all of them`, `flips at 24 ms`.
    #[must_use]
    pub fn verdict(&self) -> String {
        let flips = self.flips.iter().map(|(left, right, at)| match at {
            Some(at) => format!("at {at}"),
            None => format!("between {left} and {right}"),
        });
        let flips: Vec<String> = flips.collect();
        let known = || self.entries.iter().filter_map(|(_, told)| told.as_ref());
        match flips.as_slice() {
            [] if known().all(|(_, holds)| *holds) => "true at all of them".to_owned(),
            [] => "true at none of them".to_owned(),
            flips => format!("flips {}", flips.join(" and ")),
        }
    }
}

/// The value of the axis at which the figure crosses its bound: on a straight line between both entries, of logarithms where all are positive.
fn crossing(checked: &CheckedFinding, left: (&str, &FindingResult), right: (&str, &FindingResult)) -> Option<String> {
    let ((from, unit), (to, other)) = (quantity(left.0)?, quantity(right.0)?);
    let (low, high) = (left.1.value?, right.1.value?);
    let bound = [checked.least, checked.most].into_iter().find(|bound| bound.is_finite() && (low < *bound) != (high < *bound))?;
    let positive = [from, to, low, high, bound].iter().all(|value| *value > 0.0);
    let into = |value: f64| if positive { value.ln() } else { value };
    let share = (into(bound) - into(low)) / (into(high) - into(low));
    let at = into(from) + share * (into(to) - into(from));
    let at = if positive { at.exp() } else { at };
    (unit == other).then(|| format!("{} {unit}", digits(at)).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::columns::Better;
    use super::*;

    fn told(value: f64, holds: bool) -> FindingResult {
        FindingResult { shown: String::new(), value: Some(value), holds }
    }

    #[test]
    fn a_range_goes_from_the_least_figure_to_the_greatest() {
        let validity = |shown: &[&str]| {
            let entries = shown.iter().map(|shown| (String::new(), Some(((*shown).to_owned(), true)))).collect();
            Validity { axis: String::new(), entries, flips: Vec::new() }
        };
        assert_eq!(validity(&["0.92", "0.47", "0.80"]).range().as_deref(), Some("0.47 to 0.92"));
        assert_eq!(validity(&["1 234", "567"]).range().as_deref(), Some("567 to 1 234"));
        assert_eq!(validity(&["0.39", "0.39"]).range().as_deref(), Some("0.39"));
        assert_eq!(validity(&["copper", "light"]).range(), None);
    }

    #[test]
    fn a_flip_lies_where_the_line_crosses_the_bound() {
        let checked = CheckedFinding::bare(0, Better::More, 2.0, f64::INFINITY);
        // From 1 at 10 ms to 4 at 40 ms: 2 at 20 ms, on a line of logarithms.
        assert_eq!(crossing(&checked, ("10 ms", &told(1.0, false)), ("40 ms", &told(4.0, true))).as_deref(), Some("20.0 ms"));
        assert_eq!(crossing(&checked, ("10 ms", &told(1.0, false)), ("40 us", &told(4.0, true))), None);
        assert_eq!(crossing(&checked, ("copper", &told(1.0, false)), ("light", &told(4.0, true))), None);
    }
}
