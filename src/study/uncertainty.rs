//! How sure a result is: every value with a range is drawn, many times over, and the results are counted.

use rayon::prelude::*;

use super::columns::{Better, FigureColumn};
use super::progress::Progress;
use super::sensitivity::{SensitivityCase, Shared};
use super::simulate::{MappingChoice, Simulation};
use super::space::columns;
use crate::input::edit::{Edits, LeafValue, ValuePath, quantity, written};
use crate::input::problem::{Problem, Problems};
use crate::units::{SplitMix64, quantile, si};

/// The figures that are followed.
pub const FOLLOWED: [&str; 6] = [
    "prefill_per_chip_tokens_per_s",
    "decode_per_chip_tokens_per_s",
    "served_per_chip_tokens_per_s",
    "served_per_kilowatt_tokens_per_s",
    "racks_per_chip_w",
    "energy_per_token_j",
];

/// A value with a range, to draw from.
#[derive(Clone, Debug)]
pub struct Assumption {
    /// Where it stands.
    pub path: ValuePath,
    /// What its draws follow from.
    identity: String,
    /// Lowest, most likely, highest, as numbers of `unit`.
    ends: (f64, f64, f64),
    unit: String,
    like: String,
    /// How sure it is, where it or its file says so.
    pub confidence: Option<String>,
    /// Address of its source, where one is named.
    pub source: Option<String>,
}

impl Assumption {
    /// The values of a design that have a range; one without width is not one. The target's are not its own: it is what the design is
    /// held against.
    #[must_use]
    pub fn all(leaves: &[LeafValue]) -> Vec<Self> {
        leaves.iter().filter(|leaf| !matches!(leaf.path.file_kind(), Some("target" | "demand"))).filter_map(Self::of).collect()
    }

    fn of(leaf: &LeafValue) -> Option<Self> {
        let (low, high) = leaf.range.as_ref()?;
        let (number, unit) = quantity(&leaf.value)?;
        let plain = |text: &str| si(text.trim_matches('"'));
        let (low, value, high) = (plain(low)?, plain(&leaf.value)?, plain(high)?);
        // One SI unit over one unit of the text; a value of zero is taken in the unit's own scale.
        let scale = if number > 0.0 { value / number } else { si(&format!("1 {unit}")).unwrap_or(1.0) };
        let ends = (low / scale, value / scale, high / scale);
        let (confidence, source) = (leaf.confidence.clone(), leaf.source.clone());
        (low < high).then(|| Self {
            path: leaf.path.clone(),
            identity: leaf.identity.clone(),
            ends,
            unit,
            like: "1.0".to_owned(),
            confidence,
            source,
        })
    }

    /// The value at a quantile of the triangular distribution with these three points.
    #[must_use]
    pub fn quantile(&self, chance: f64) -> f64 {
        let (low, mode, high) = self.ends;
        let split = (mode - low) / (high - low);
        if chance < split {
            low + (chance * (high - low) * (mode - low)).sqrt()
        } else {
            high - ((1.0 - chance) * (high - low) * (high - mode)).sqrt()
        }
    }

    /// Draw number `draw` of a seed: the same for every design that uses the part, whatever else it uses and wherever the part's file lies.
    #[must_use]
    pub fn drawn(&self, seed: u64, draw: u64) -> f64 {
        let name = self.identity.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        self.quantile(SplitMix64::new(seed ^ name, draw).uniform())
    }

    /// A value as TOML text.
    #[must_use]
    pub fn text(&self, value: f64) -> String {
        written(value, &self.unit, &self.like)
    }
}

/// A figure over all draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Its column.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// SI value over printed value.
    pub scale: f64,
    /// With every value as it is written.
    pub nominal: Option<f64>,
    /// 5 %, 50 %, 95 % of the draws lie below; `None` where a draw has no such figure.
    pub quantiles: Option<[f64; 3]>,
    /// What moves it most: path, confidence, rank correlation (Spearman 1904), largest first.
    pub drivers: Vec<(String, Option<String>, f64)>,
}

/// One design over all draws.
#[derive(Clone, Debug)]
pub struct Uncertainty {
    /// Name or path.
    pub supernode: String,
    /// Values with a range.
    pub assumptions: usize,
    /// Its figures.
    pub figures: Vec<Distribution>,
    /// Why it serves nothing as written, where it does not.
    pub refusal: Option<String>,
    /// By figure and draw.
    draws: Vec<Vec<Option<f64>>>,
}

/// Drivers that are told.
const MOST_DRIVERS: usize = 6;

/// A draw searches the groups of mappings that reach this share of the best rate with every value as it is written. Values that are drawn
/// speed up some mappings more than others; to make a mapping of another group the best, they would have to favour it by a third.
pub const WORTH_A_SEARCH: f64 = 0.75;

/// Draws a design `draws` times.
///
/// # Errors
/// Problems of the design as it is, or of a draw.
pub fn uncertainty(case: &SensitivityCase, draws: u64, seed: u64, progress: Progress<'_>) -> Result<Uncertainty, Problems> {
    let shared = Shared::default();
    let (nominal, leaves) = case.explained(&shared)?;
    let assumptions = Assumption::all(&leaves);
    let choice = MappingChoice { likely: nominal.mappings_that_reach(WORTH_A_SEARCH), serving_alone: true, ..MappingChoice::default() };
    let followed: Vec<&FigureColumn> = FOLLOWED.iter().filter_map(|key| columns().find(|column| column.key == *key)).collect();
    let pieces = progress.pieces(usize::try_from(draws).unwrap_or(usize::MAX));
    let results: Vec<Result<Vec<Option<f64>>, Problems>> = (0..draws)
        .into_par_iter()
        .map(|draw| {
            let values = assumptions.iter().map(|assumption| (assumption.path.clone(), assumption.text(assumption.drawn(seed, draw))));
            let simulation = case.with(&shared, &Edits::unwritten(&format!("draw {draw}"), values), &choice)?;
            pieces.one_done();
            Ok(followed.iter().map(|column| (column.value)(&simulation)).collect())
        })
        .collect();
    let rows = results.into_iter().collect::<Result<Vec<_>, Problems>>()?;
    let by_figure: Vec<Vec<Option<f64>>> = (0..followed.len()).map(|figure| rows.iter().map(|row| row[figure]).collect()).collect();
    let inputs: Vec<Vec<f64>> = assumptions.iter().map(|assumption| ranks((0..draws).map(|draw| assumption.drawn(seed, draw)).collect())).collect();
    let figures = followed.iter().zip(&by_figure).map(|(column, values)| distribution(column, &nominal, values, &assumptions, &inputs));
    let (supernode, refusal) = (case.supernode.clone(), nominal.serves_nothing());
    Ok(Uncertainty { supernode, assumptions: assumptions.len(), figures: figures.collect(), refusal, draws: by_figure })
}

fn distribution(
    column: &FigureColumn,
    nominal: &Simulation,
    values: &[Option<f64>],
    assumptions: &[Assumption],
    inputs: &[Vec<f64>],
) -> Distribution {
    let known: Option<Vec<f64>> = values.iter().copied().collect();
    let quantiles = known.as_ref().map(|known| {
        let mut sorted = known.clone();
        sorted.sort_by(f64::total_cmp);
        [0.05, 0.5, 0.95].map(|share| quantile(&sorted, share))
    });
    let mut drivers: Vec<(String, Option<String>, f64)> = Vec::new();
    if let Some(known) = known {
        let output = ranks(known);
        let told = assumptions
            .iter()
            .zip(inputs)
            .map(|(assumption, input)| (assumption.path.to_string(), assumption.confidence.clone(), correlation(input, &output)));
        drivers.extend(told);
        drivers.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()).then_with(|| a.0.cmp(&b.0)));
        // Chance alone gives two unrelated columns of n draws a correlation of about 1/sqrt(n); beyond three times that it is none.
        let noise = 3.0 / (values.len() as f64).sqrt();
        drivers.retain(|driver| driver.2.abs() > noise);
        drivers.truncate(MOST_DRIVERS);
    }
    Distribution { key: column.key, name: column.name, scale: column.scale, nominal: (column.value)(nominal), quantiles, drivers }
}

/// Positions in the sorted order; equals share the mean of theirs.
pub(super) fn ranks(values: Vec<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let end = (start..order.len()).find(|at| values[order[*at]] != values[order[start]]).unwrap_or(order.len());
        let mean = (start + end - 1) as f64 / 2.0;
        order[start..end].iter().for_each(|at| ranks[*at] = mean);
        start = end;
    }
    ranks
}

/// Pearson's correlation; 0 where one of them never changes.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |of: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| of(a - mean_a, b - mean_b)).sum::<f64>();
    let spread = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if spread > 0.0 { sum(&|a, b| a * b) / spread } else { 0.0 }
}

/// By figure, the share of draws in which the first design is better; draws are the same for parts that both use. A tie counts half.
#[must_use]
pub fn beats(first: &Uncertainty, second: &Uncertainty) -> Vec<(&'static str, Option<f64>)> {
    let figures = first.figures.iter().zip(first.draws.iter().zip(&second.draws));
    figures
        .map(|(figure, (own, other))| {
            let better = columns().find(|column| column.key == figure.key).map_or(Better::More, |column| column.better);
            let score = own.iter().zip(other).map(|(own, other)| {
                let (own, other) = ((*own)?, (*other)?);
                Some(if own == other { 0.5 } else { f64::from(u8::from(better.prefers(own, other))) })
            });
            let scores: Option<Vec<f64>> = score.collect();
            (figure.key, scores.map(|scores| scores.iter().sum::<f64>() / scores.len() as f64))
        })
        .collect()
}

/// Draws that tell something: fewer have no 5 %.
///
/// # Errors
/// Too few.
pub fn enough(draws: u64) -> Result<(), Problem> {
    if draws >= 20 { Ok(()) } else { Err(Problem::new(format!("{draws} draws are too few for 5 and 95 %")).help("20 or more")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_has_its_corners_and_its_median() {
        let leaf = LeafValue {
            path: ValuePath::parse("chip[x].launch").unwrap(),
            identity: "chip[x].launch".to_owned(),
            value: "\"2 us\"".to_owned(),
            range: Some(("\"1000 ns\"".to_owned(), "\"4 us\"".to_owned())),
            confidence: None,
            source: None,
            inherited: false,
        };
        let launch = Assumption::of(&leaf).unwrap();
        // Corners 1, 2, 4: a third of the area lies left of the mode; half of it left of 4 - sqrt(0.5 * 3 * 2) = 2.268.
        for (chance, value) in [(0.0, 1.0), (1.0 / 3.0, 2.0), (0.5, 4.0 - 3.0_f64.sqrt()), (1.0, 4.0)] {
            assert!((launch.quantile(chance) - value).abs() < 1e-9, "{chance}");
        }
        assert_eq!(launch.text(2.5), "\"2.5 us\"");
        let fixed = LeafValue { range: None, ..leaf };
        assert!(Assumption::of(&fixed).is_none());
    }

    #[test]
    fn rank_correlation_by_hand() {
        // Ranks of the second: 0, 1.5, 1.5, 3. Deviations (-1.5, -0.5, 0.5, 1.5) and (-1.5, 0, 0, 1.5): 4.5 / sqrt(5 * 4.5).
        let (a, b) = (ranks(vec![1.0, 2.0, 3.0, 4.0]), ranks(vec![5.0, 7.0, 7.0, 100.0]));
        assert_eq!(b, [0.0, 1.5, 1.5, 3.0]);
        assert!((correlation(&a, &b) - 4.5 / 22.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(correlation(&a, &[1.0; 4]), 0.0);
    }
}
