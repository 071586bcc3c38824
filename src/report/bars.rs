//! A study's rows as bars in an SVG: one an entry of an axis, the largest first; several of a colour each where lines are told apart.

use std::fmt::Write as _;

use super::chart::{COLOURS, LineChart, escaped};
use crate::study::digits;

/// Pixels: the picture, the names before the bars, the figures behind them.
const WIDTH: f64 = 760.0;
const NAMES: f64 = 190.0;
const FIGURES: f64 = 70.0;
/// Pixels: a bar, the gap between entries, the title above, what stands below.
const BAR: f64 = 13.0;
const GAP: f64 = 6.0;
const TITLE: f64 = 34.0;
const FOOT: f64 = 24.0;
/// Names of colours beside each other.
const BESIDE: usize = 3;

/// Draws every entry's figures as bars; those of projections and stand-ins are hollow.
#[must_use]
pub fn bars(chart: &LineChart, standing: &dyn Fn(&str) -> Option<&'static str>) -> String {
    let figure = |line: usize, at: f64| chart.lines[line].points.iter().find(|point| point.0 == at).map(|point| point.1);
    let mut entries: Vec<(&str, Vec<Option<f64>>)> =
        chart.ticks.iter().map(|(at, name)| (name.as_str(), (0..chart.lines.len()).map(|line| figure(line, *at)).collect())).collect();
    let size = |entry: &(&str, Vec<Option<f64>>)| entry.1.iter().flatten().copied().next().unwrap_or(0.0);
    entries.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let most = entries.iter().flat_map(|entry| entry.1.iter().flatten().copied()).fold(f64::MIN_POSITIVE, f64::max);
    let several = chart.lines.len() > 1;
    let legend = if several { 18.0 * chart.lines.len().div_ceil(BESIDE) as f64 } else { 0.0 };
    let row = BAR * chart.lines.len() as f64 + GAP;
    let height = TITLE + legend + row * entries.len() as f64 + FOOT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"14\" y=\"20\" font-size=\"13\" font-weight=\"bold\">{}</text>\n",
        escaped(&chart.title)
    );
    for (number, line) in chart.lines.iter().enumerate().filter(|_| several) {
        let (left, down) = (NAMES + 170.0 * (number % BESIDE) as f64, 18.0 * (number / BESIDE) as f64);
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            TITLE - 4.0 + down,
            COLOURS[number % COLOURS.len()],
            left + 14.0,
            TITLE + 5.0 + down,
            escaped(&line.name)
        );
    }
    for (number, (name, figures)) in entries.iter().enumerate() {
        let top = TITLE + legend + row * number as f64;
        let standing = standing(name);
        let (hollow, mark) = (standing.is_some(), standing.map_or(String::new(), |standing| format!(" ({standing})")));
        let middle = top + (row - GAP) / 2.0 + 4.0;
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{}{mark}</text>", NAMES - 6.0, escaped(name));
        for (line, value) in figures.iter().enumerate().filter_map(|(line, value)| Some((line, (*value)?))) {
            let (y, length) = (top + BAR * line as f64, (WIDTH - NAMES - FIGURES) * value / most);
            let colour = COLOURS[line % COLOURS.len()];
            let (fill, dash) = if hollow { ("#ffffff", "3 2") } else { (colour, "") };
            let _ = writeln!(
                svg,
                "<rect x=\"{NAMES}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{:.1}\" fill=\"{fill}\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555555\">{}</text>",
                BAR - 2.0,
                NAMES + length + 5.0,
                y + 9.5,
                cell(value)
            );
        }
    }
    let _ = writeln!(svg, "<text x=\"{NAMES}\" y=\"{:.1}\" fill=\"#555555\">{}</text>", height - 8.0, escaped(&chart.y));
    svg.push_str("</svg>\n");
    svg
}

/// A count without decimals, anything else with three digits.
pub(super) fn cell(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 100.0 { format!("{value}") } else { digits(value) }
}
