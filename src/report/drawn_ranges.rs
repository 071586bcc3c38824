//! How far values with a range move a result, beside the result.

use serde_json::{Value as Json, json};

use super::format::{Section, Table};
use crate::study::{DrawnRanges, FigureRange, WORTH_SAYING, digits};
use crate::units::counted;

/// Figures that `simulate` shows: the others are these, per chip or per watt.
const SHOWN: [&str; 4] = ["output_tokens_per_s", "served_tokens_per_s", "racks_w", "energy_per_token_j"];

/// The line below a verdict; `supernode` is what to ask for more.
pub(super) fn ranges_fact(ranges: &DrawnRanges, supernode: &str) -> Option<(String, String)> {
    if ranges.assumptions == 0 {
        return None;
    }
    let of = format!("{} draws of the {} with a range, mappings kept", ranges.draws, counted(ranges.assumptions, "value"));
    let wide: Vec<String> =
        SHOWN.iter().filter_map(|key| ranges.figure(key)).filter(|range| range.is_wide()).map(|range| sentence(range, ranges.draws)).collect();
    let text = if wide.is_empty() {
        format!("no figure moves by more than {:.0} % in {of}", 100.0 * WORTH_SAYING)
    } else {
        format!("{} (5 to 95 % of {of}); `supernode uncertainty {supernode}` says what drives them", wide.join("; "))
    };
    Some(("range".to_owned(), text))
}

fn sentence(range: &FigureRange, draws: u64) -> String {
    let name = range.column.name;
    match ends(range) {
        Some(ends) => format!("{name}: {ends}"),
        None => format!("{name}: none in {} of {draws} draws", range.without()),
    }
}

/// "1 to 2", in the unit of the column's name.
fn ends(range: &FigureRange) -> Option<String> {
    range.quantiles.map(|[low, _, high]| format!("{} to {}", digits(low / range.column.scale), digits(high / range.column.scale)))
}

pub(super) fn ranges_json(ranges: &DrawnRanges) -> Json {
    let figure = |range: &FigureRange| {
        let [low, median, high] = range.quantiles.map_or([None; 3], |quantiles| quantiles.map(Some));
        json!({ "figure": range.column.key, "nominal": range.nominal, "p05": low, "median": median, "p95": high, "draws_without": range.without() })
    };
    json!({ "draws": ranges.draws, "values_with_a_range": ranges.assumptions, "figures": ranges.figures.iter().map(figure).collect::<Vec<_>>() })
}

/// DrawnRanges of several designs, and how often each beats the first.
pub(super) fn ranges_section(supernodes: &[String], ranges: &[DrawnRanges]) -> Vec<Section> {
    let [first, others @ ..] = ranges else { return Vec::new() };
    if ranges.iter().all(|ranges| ranges.assumptions == 0) {
        return Vec::new();
    }
    let mut table = Table::new(&std::iter::once("<figure").chain(supernodes.iter().map(String::as_str)).collect::<Vec<_>>());
    for range in &first.figures {
        let key = range.column.key;
        let cell = |(place, design): (usize, &DrawnRanges)| {
            let ends = design.figure(key).map_or("-".to_owned(), |range| ends(range).unwrap_or_else(|| format!("none in {} draws", range.without())));
            match design.beats(first, key).filter(|_| place > 0) {
                Some(chance) => format!("{ends}, {:.0} %", 100.0 * chance),
                None => ends,
            }
        };
        table.row(std::iter::once(range.column.name.to_owned()).chain(ranges.iter().enumerate().map(cell)));
    }
    let beats = if others.is_empty() { String::new() } else { format!(", and in how many of them each beats {}", supernodes[0]) };
    let note = "Every value of the parts and of the workload that has a range is drawn, alike for parts that designs share; mappings are kept.";
    vec![Section::Title(format!("5 to 95 % of {} draws{beats}", first.draws)), Section::Table(table), Section::Note(note.to_owned())]
}

/// One row a design and figure.
pub(super) fn ranges_rows(supernodes: &[String], ranges: &[DrawnRanges]) -> Vec<Json> {
    let Some(first) = ranges.first() else { return Vec::new() };
    let rows = supernodes.iter().zip(ranges).enumerate().flat_map(|(place, (supernode, design))| {
        design.figures.iter().map(move |range| {
            let [low, median, high] = range.quantiles.map_or([None; 3], |quantiles| quantiles.map(Some));
            let chance = design.beats(first, range.column.key).filter(|_| place > 0);
            json!({ "supernode": supernode, "figure": range.column.key, "p05": low, "median": median, "p95": high, "draws_without": range.without(),
                "beats_first": chance })
        })
    });
    rows.collect()
}
