//! Predicted over measured as an SVG: one panel and one colour a quantity, both axes logarithmic.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::chart::COLOURS;
use crate::validation::Comparison;

const COLUMNS: usize = 4;
const PANEL_WIDTH: f64 = 250.0;
const PANEL_HEIGHT: f64 = 250.0;
/// Around the square of a panel: left, top, right, bottom.
const MARGIN: [f64; 4] = [44.0, 28.0, 18.0, 32.0];
/// Panels of fewer points show nothing that the table does not.
const FEWEST_POINTS: usize = 4;
/// Measurements that one path draws.
const POINTS_A_PATH: usize = 12;

/// Draws every comparison with an error. Dashed lines are 25 % off.
#[must_use]
pub fn scatter(cases: &[Comparison]) -> String {
    let mut panels: BTreeMap<(&str, &str), Vec<(f64, f64)>> = BTreeMap::new();
    for case in cases {
        let (Ok(predicted), Some(_), None) = (&case.predicted, case.error(), case.measured.1) else { continue };
        if *predicted > 0.0 && case.measured.0 > 0.0 {
            panels.entry((&case.quantity, case.unit.name())).or_default().push((case.measured.0, *predicted));
        }
    }
    panels.retain(|_, points| points.len() >= FEWEST_POINTS);
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (PANEL_WIDTH * COLUMNS as f64, PANEL_HEIGHT * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"10\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (index, ((quantity, unit), points)) in panels.iter().enumerate() {
        let place = ((index % COLUMNS) as f64 * PANEL_WIDTH, (index / COLUMNS) as f64 * PANEL_HEIGHT);
        panel(&mut svg, place, [quantity, unit], points, COLOURS[index % COLOURS.len()]);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Whole decades around all values of a panel.
fn decades(points: &[(f64, f64)]) -> (i32, i32) {
    let values = points.iter().flat_map(|&(measured, predicted)| [measured, predicted]);
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    (low as i32, (high as i32).max(low as i32 + 1))
}

fn panel(svg: &mut String, (left, top): (f64, f64), [title, unit]: [&str; 2], points: &[(f64, f64)], colour: &str) {
    let (low, high) = decades(points);
    let (x0, y0) = (left + MARGIN[0], top + MARGIN[1]);
    let (width, height) = (PANEL_WIDTH - MARGIN[0] - MARGIN[2], PANEL_HEIGHT - MARGIN[1] - MARGIN[3]);
    let share = |value: f64| ((value.log10() - f64::from(low)) / f64::from(high - low)).clamp(0.0, 1.0);
    let x = |value: f64| x0 + width * share(value);
    let y = |value: f64| y0 + height * (1.0 - share(value));
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" font-weight=\"bold\">{title} ({})</text>", x0, top + 18.0, points.len());
    for decade in low..=high {
        let value = 10.0_f64.powi(decade);
        let _ = writeln!(
            svg,
            "<path d=\"M{0:.1} {1:.1}V{2:.1}M{3:.1} {4:.1}H{5:.1}\" stroke=\"#dddddd\" fill=\"none\"/><text x=\"{0:.1}\" y=\"{6:.1}\" text-anchor=\"middle\" fill=\"#555555\">{7}</text><text x=\"{8:.1}\" y=\"{9:.1}\" text-anchor=\"end\" fill=\"#555555\">{7}</text>",
            x(value),
            y0,
            y0 + height,
            x0,
            y(value),
            x0 + width,
            y0 + height + 12.0,
            label(decade),
            x0 - 4.0,
            y(value) + 3.0
        );
    }
    let (first, last) = (10.0_f64.powi(low), 10.0_f64.powi(high));
    for (factor, dash) in [(1.0, ""), (1.25, " stroke-dasharray=\"3 3\""), (0.8, " stroke-dasharray=\"3 3\"")] {
        // The part of y = factor x that lies inside the square.
        let (from, to) = (first.max(first / factor), last.min(last / factor));
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#999999\" fill=\"none\"{dash}/>",
            x(from),
            y(from * factor),
            x(to),
            y(to * factor)
        );
    }
    let _ = writeln!(svg, "<g stroke=\"{colour}\" stroke-opacity=\"0.45\" stroke-width=\"3.4\" stroke-linecap=\"round\">");
    // A line with round ends and no length is a dot. Dots of one path do not darken each other, so a path holds few, from all over the panel.
    let paths = points.len().div_ceil(POINTS_A_PATH);
    for path in 0..paths {
        svg.push_str("<path d=\"");
        for &(measured, predicted) in points.iter().skip(path).step_by(paths) {
            let _ = write!(svg, "M{:.1} {:.1}h0", x(measured), y(predicted));
        }
        svg.push_str("\"/>\n");
    }
    let _ = writeln!(
        svg,
        "</g><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">measured, {unit}</text><text transform=\"translate({:.1} {:.1}) rotate(-90)\" text-anchor=\"middle\">predicted, {unit}</text>",
        x0 + width / 2.0,
        y0 + height + 25.0,
        left + 10.0,
        y0 + height / 2.0
    );
}

/// `0.1`, `100`, `1e5`.
fn label(decade: i32) -> String {
    if (-2..=3).contains(&decade) { format!("{}", 10.0_f64.powi(decade)) } else { format!("1e{decade}") }
}
