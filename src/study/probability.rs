//! How probable a finding is: the designs that it speaks of are drawn over the ranges of their parts, all findings from the same draws.
//!
//! Where several designs match, the one that is best at the written values is drawn; of a finding that names a winner, every design within
//! [`RIVALS`] of it. A figure is drawn once for all designs that share the part, so what both sides of a ratio share hardly moves it
//! (common random numbers).

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::columns::Better;
use super::progress::Progress;
use super::space::{DesignOutcome, Space};
use super::sweep::{Demands, SweptRow};
use super::telling::{CheckedFinding, Labelled, best, check, chosen, digits, tell};
use super::uncertainty::{Assumption, correlation, ranks};
use crate::input::document::{Draws, Finding};
use crate::input::problem::Problems;
use crate::units::quantile;

/// Designs whose figure is within this factor of the winner's may win a draw.
const RIVALS: f64 = 2.0;
/// The word of figures that nobody published.
const ASSUMED: &str = "assumed";
/// A finding rests on assumed figures that explain this share of its spread.
const RESTS: f64 = 0.1;
/// Fewer draws tell no spread.
const LEAST: usize = 10;
/// Figures that are named.
const MOST_NAMED: usize = 3;

/// How probable a finding is.
#[derive(Clone, Debug, PartialEq)]
pub struct Probability {
    /// Share of the draws in which it is true.
    pub share: f64,
    /// How many draws there were.
    pub draws: u64,
    /// In how many of them all designs run.
    pub ran: u64,
    /// 5 % and 95 % of the draws lie below, as printed; of a winner, its lead over the best rival. `None` where a draw has no figure.
    pub between: Option<[f64; 2]>,
    /// SI value over printed value.
    pub scale: f64,
    /// Figures that move it most: path, confidence, rank correlation (Spearman 1904), largest first.
    pub rests_on: Vec<(String, Option<String>, f64)>,
    /// Share of the spread that figures marked `assumed` explain together, 0 to 1.
    pub assumed: f64,
}

impl Probability {
    /// Whether the finding rests on figures marked `assumed`: they explain a tenth of its spread or more.
    #[must_use]
    pub fn rests_on_assumed(&self) -> bool {
        self.assumed >= RESTS
    }

    /// `probability 0.97, on assumed figures`.
    #[must_use]
    pub fn short(&self) -> String {
        let assumed = if self.rests_on_assumed() { ", on assumed figures" } else { "" };
        format!("probability {:.2}{assumed}", self.share)
    }

    /// `probability 0.97; 1.02 to 1.33 in 90 % of 100 draws; assumed figures make 74 % of that spread, most of all chip[x].launch`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut parts = vec![format!("probability {:.2}", self.share)];
        if let Some([low, high]) = self.between {
            parts.push(format!("{} to {} in 90 % of {} draws", digits(low / self.scale), digits(high / self.scale), self.ran));
        }
        if self.ran < self.draws {
            parts.push(format!("in {} draws a design does not run", self.draws - self.ran));
        }
        if self.rests_on_assumed() {
            let most = self.rests_on.iter().find(|figure| figure.1.as_deref() == Some(ASSUMED));
            let most = most.map_or(String::new(), |figure| format!(", most of it `{}`", figure.0));
            parts.push(format!("assumed figures make {:.0} % of that spread{most}", 100.0 * self.assumed));
        }
        parts.join("; ")
    }
}

/// A design with its draws.
struct Drawn {
    labels: Vec<String>,
    assumptions: Vec<Assumption>,
    outcomes: Vec<DesignOutcome>,
}

/// Draws the designs of all findings that ask for it: their probabilities, in the order of the findings. None in a study without `draws`.
///
/// # Errors
/// Problems of the designs' files.
pub fn probabilities(space: &Space, demands: &Demands, rows: &[SweptRow], progress: Progress<'_>) -> Result<Vec<Option<Probability>>, Problems> {
    let mut found = vec![None; space.spec.findings.len()];
    let Some(draws) = space.spec.study.draws else { return Ok(found) };
    let met: Vec<&SweptRow> = rows.iter().filter(|row| demands.met(&row.outcome)).collect();
    let labelled: Vec<Labelled<'_>> = met.iter().map(|row| (space.labels(&space.point(row.index)), &row.outcome)).collect();
    let mut asked: Vec<(usize, &Finding, CheckedFinding, BTreeSet<usize>)> = Vec::new();
    for (number, finding) in space.spec.findings.iter().enumerate().filter(|(_, finding)| finding.chance) {
        let checked = check(space, finding)?;
        let designs = designs_of(space, finding, &checked, &labelled);
        asked.push((number, finding, checked, designs));
    }
    let needed: BTreeSet<usize> = asked.iter().flat_map(|(.., designs)| designs.iter().copied()).collect();
    let drawn = draw(space, &met, &labelled, &needed, draws, progress)?;
    for (number, finding, checked, designs) in &asked {
        found[*number] = probability(space, demands, finding, checked, &designs.iter().filter_map(|at| drawn.get(at)).collect::<Vec<_>>(), draws);
    }
    Ok(found)
}

/// The designs, among the labelled ones, that a finding is drawn from.
fn designs_of(space: &Space, finding: &Finding, checked: &CheckedFinding, rows: &[Labelled<'_>]) -> BTreeSet<usize> {
    let names = space.label_names();
    let left_out = |at: usize| finding.delivered && space.standing(&rows[at].0[0]).is_some();
    let Some((own, value)) = best(&names, checked, &finding.of, rows) else { return BTreeSet::new() };
    if finding.which.is_some() {
        let rival = |(_, outcome): &Labelled<'_>| {
            outcome.figures[checked.figure].is_some_and(|other| other > 0.0 && value > 0.0 && (other / value).max(value / other) <= RIVALS)
        };
        return (0..rows.len()).filter(|at| !left_out(*at) && chosen(&names, &rows[*at].0, &finding.of) && rival(&rows[*at])).collect();
    }
    let over = finding.over.as_ref().and_then(|over| best(&names, checked, over, rows));
    [own].into_iter().chain(over.map(|(at, _)| at)).collect()
}

fn draw(
    space: &Space,
    met: &[&SweptRow],
    labelled: &[Labelled<'_>],
    needed: &BTreeSet<usize>,
    draws: Draws,
    progress: Progress<'_>,
) -> Result<BTreeMap<usize, Drawn>, Problems> {
    let mut drawn = BTreeMap::new();
    for at in needed {
        let assumptions = Assumption::all(&space.leaves(&space.point(met[*at].index))?);
        drawn.insert(*at, Drawn { labels: labelled[*at].0.clone(), assumptions, outcomes: Vec::new() });
    }
    let pieces = progress.pieces(needed.len() * usize::try_from(draws.points).unwrap_or(usize::MAX));
    for (at, design) in &mut drawn {
        let point = space.point(met[*at].index);
        let outcomes = (0..draws.points).into_par_iter().map(|number| {
            let values = design.assumptions.iter().map(|assumption| (assumption.path.clone(), assumption.text(assumption.drawn(draws.seed, number))));
            let outcome = space.evaluate_drawn(&point, &values.collect::<Vec<_>>());
            pieces.one_done();
            outcome
        });
        design.outcomes = outcomes.collect();
    }
    Ok(drawn)
}

fn probability(
    space: &Space,
    demands: &Demands,
    finding: &Finding,
    checked: &CheckedFinding,
    designs: &[&Drawn],
    draws: Draws,
) -> Option<Probability> {
    let count = usize::try_from(draws.points).ok().filter(|_| !designs.is_empty())?;
    let mut held = 0.0;
    let mut values: Vec<Option<f64>> = Vec::with_capacity(count);
    for number in 0..count {
        let rows: Vec<Labelled<'_>> = designs.iter().map(|design| (design.labels.clone(), &design.outcomes[number])).collect();
        let rows: Vec<Labelled<'_>> = rows.into_iter().filter(|(_, outcome)| demands.met(outcome)).collect();
        let told = tell(space, finding, checked, (&finding.of, finding.over.as_ref()), &rows);
        held += f64::from(u8::from(told.as_ref().is_some_and(|told| told.holds)));
        let lead = finding.which.as_ref().map(|_| lead(space, finding, checked, &rows));
        values.push(lead.unwrap_or_else(|| told.and_then(|told| told.value)));
    }
    // Draws in which a design does not run have no figure: the spread is that of the others.
    let ran: Vec<u64> = (0..draws.points).zip(&values).filter(|(_, value)| value.is_some()).map(|(number, _)| number).collect();
    let known: Vec<f64> = values.into_iter().flatten().collect();
    let between = (known.len() >= LEAST).then(|| {
        let mut sorted = known.clone();
        sorted.sort_by(f64::total_cmp);
        [0.05, 0.95].map(|share| quantile(&sorted, share))
    });
    let (rests_on, assumed) = if between.is_some() { rests_on(designs, &ranks(known), &ran, draws.seed) } else { (Vec::new(), 0.0) };
    let ran = ran.len() as u64;
    let scale = if finding.which.is_some() || finding.over.is_some() { 1.0 } else { checked.scale };
    Some(Probability { share: held / count as f64, draws: draws.points, ran, between, scale, rests_on, assumed })
}

/// How far the winner of the written values leads the best other entry of the axis; below 1 where it loses.
fn lead(space: &Space, finding: &Finding, checked: &CheckedFinding, rows: &[Labelled<'_>]) -> Option<f64> {
    let (axis, wanted) = (finding.which.as_ref()?, finding.is.as_ref()?);
    let at = space.label_names().iter().position(|name| *name == **axis)?;
    let (own, others): (Vec<Labelled<'_>>, Vec<Labelled<'_>>) = rows.iter().cloned().partition(|(labels, _)| labels[at] == wanted.label());
    let names = space.label_names();
    let (own, other) = (best(&names, checked, &finding.of, &own)?.1, best(&names, checked, &finding.of, &others)?.1);
    Some(if checked.better == Better::Less { other / own } else { own / other })
}

/// Figures that explain the spread of the output's ranks, and the share of it that figures marked `assumed` explain together.
fn rests_on(designs: &[&Drawn], output: &[f64], ran: &[u64], seed: u64) -> (Vec<(String, Option<String>, f64)>, f64) {
    // Two unrelated columns of n draws have a correlation of about 1/sqrt(n); beyond three times that it is none.
    let (chance, mut assumed) = (1.0 / output.len() as f64, 0.0);
    let mut named: BTreeMap<String, (Option<String>, f64)> = BTreeMap::new();
    for assumption in designs.iter().flat_map(|design| &design.assumptions) {
        let input = || ranks(ran.iter().map(|number| assumption.drawn(seed, *number)).collect());
        let name = assumption.path.to_string();
        named.entry(name).or_insert_with(|| (assumption.confidence.clone(), correlation(&input(), output)));
    }
    for (confidence, correlation) in named.values() {
        // Independent figures: squares of correlations add up to the share that is explained; chance alone adds 1/n for each.
        assumed += if confidence.as_deref() == Some(ASSUMED) { correlation * correlation - chance } else { 0.0 };
    }
    let mut named: Vec<_> = named.into_iter().map(|(path, (confidence, correlation))| (path, confidence, correlation)).collect();
    named.retain(|figure| figure.2.abs() >= 3.0 * chance.sqrt());
    named.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()).then_with(|| a.0.cmp(&b.0)));
    named.truncate(MOST_NAMED);
    (named, assumed.clamp(0.0, 1.0))
}
