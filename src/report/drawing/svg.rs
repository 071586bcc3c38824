//! SVG: a panel for each level, the outermost on top; under its first child that child, enlarged.

use std::fmt::Write as _;

use super::panel::{Below, Panel, PanelLine, PanelRow, PanelShape, panel};
use super::{COLOURS, LOADS, colour, load_colour};
use crate::fabric::Fabric;
use crate::input::spec::Spec;
use crate::units::counted;

const WIDTH: f64 = 1080.0;
const MARGIN: f64 = 30.0;
const BOX: (f64, f64) = (74.0, 30.0);
const TIER: (f64, f64) = (112.0, 38.0);
/// Between rows, where lines cross.
const ROW_GAP: f64 = 74.0;
/// Between a title and its panel, and between panels.
const TITLE: f64 = 46.0;
const PANEL_GAP: f64 = 40.0;
/// Shift of a layer behind a grid.
const LAYER: f64 = 7.0;

/// A box with a place on the page.
#[derive(Clone, Copy)]
struct Frame {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Frame {
    fn middle(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

pub fn draw(spec: &Spec, fabric: &Fabric, loads: Option<&[f64]>) -> String {
    let mut body = String::new();
    let mut y = MARGIN + 40.0;
    let mut zoom: Option<Frame> = None;
    let mut below = Below { child: "chip", chips: 1, planes: 1 };
    let mut panels = Vec::new();
    for level in &spec.levels {
        panels.push(panel(level, &below));
        below = Below { child: &level.name, chips: below.chips * level.size, planes: below.planes_above(level) };
    }
    let planes = panels.iter().flat_map(|panel| &panel.lines).map(|line| line.plane + 1).max().unwrap_or(0);
    for (level, panel) in panels.into_iter().enumerate().rev() {
        let load = loads.and_then(|loads| loads.get(level)).copied();
        let frames = frames(&panel, y + TITLE);
        let bottom = frames.iter().flatten().map(|frame| frame.y + frame.height).fold(y, f64::max) + 20.0;
        if let Some(parent) = zoom {
            let (left, right) = (MARGIN, WIDTH - MARGIN);
            let _ = writeln!(
                body,
                "<path d=\"M{:.1} {:.1} L{left} {y} L{right} {y} L{:.1} {:.1} Z\" fill=\"#eef2f6\"/>",
                parent.x,
                parent.y + parent.height,
                parent.x + parent.width,
                parent.y + parent.height
            );
        }
        let _ = writeln!(
            body,
            "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"{}\" height=\"{:.1}\" rx=\"8\" fill=\"#f7f9fb\" stroke=\"#b8c4d0\"/>",
            WIDTH - 2.0 * MARGIN,
            bottom - y
        );
        text(&mut body, (MARGIN + 12.0, y + 19.0), "start", "600 13", &panel.title);
        text(&mut body, (MARGIN + 12.0, y + 35.0), "start", "400 11", &panel.note);
        if let Some(load) = load {
            let place = (WIDTH - MARGIN - 12.0, y + 19.0);
            text(&mut body, place, "end", "600 12", &format!("busiest links: {:.0} % of the slowest level", 100.0 * load));
        }
        paint(&mut body, &panel, &frames, load);
        // The child that is looked into stands in the lowest line, so that the look covers no other.
        zoom = frames.first().and_then(|row| row.iter().copied().reduce(|low, frame| if frame.y > low.y { frame } else { low }));
        y = bottom + PANEL_GAP;
    }
    let below = y - PANEL_GAP + 16.0;
    y = if loads.is_some() { legend(&mut body, below) } else { plane_legend(&mut body, below, planes) } + PANEL_GAP;
    let height = y - PANEL_GAP + MARGIN;
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         font-family=\"Helvetica, Arial, sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut title = String::new();
    let racks = spec.supply.racks.as_ref().map_or_else(String::new, |racks| match racks.count {
        1 => ", one rack".to_owned(),
        count => format!(", {count} racks"),
    });
    let packages: String = spec.packages.iter().map(|package| format!(", {} x {}", spec.chips() / package.chips.max(1), package.name)).collect();
    let links = counted(fabric.link_count(), "link");
    let counts = format!("{} ({}): {} x {}, {links}{racks}{packages}", spec.name, spec.vendor, fabric.chips, fabric.chip.name);
    text(&mut title, (MARGIN, MARGIN + 14.0), "start", "700 17", &counts);
    head + &title + &body + "</svg>\n"
}

/// Where the boxes of a panel stand; the last row is the highest.
fn frames(panel: &Panel, top: f64) -> Vec<Vec<Frame>> {
    let mut y = top;
    let mut rows: Vec<Vec<Frame>> = panel
        .rows
        .iter()
        .rev()
        .map(|row| {
            let frames = row_frames(row, y);
            y = frames.iter().map(|frame| frame.y + frame.height).fold(y, f64::max) + ROW_GAP;
            frames
        })
        .collect();
    rows.reverse();
    rows
}

fn row_frames(row: &PanelRow, top: f64) -> Vec<Frame> {
    let tier = row.boxes.iter().any(|shape| shape.plane.is_some() || !shape.label[1].is_empty());
    let (width, height) = if tier { TIER } else { BOX };
    let room = WIDTH - 2.0 * MARGIN - 90.0;
    let columns = float(row.columns.max(1));
    let width = width.min(room / columns - 8.0);
    let step = (room / columns).min(width + 36.0);
    let left = (WIDTH - step * columns) / 2.0;
    // Arcs of a single row need room above it, layers of a grid too.
    let depth = LAYER * f64::from(row.layers.saturating_sub(1).min(3));
    let down = if row.boxes.len() > row.columns { height + 26.0 } else { height };
    let above = depth + if tier { 0.0 } else { 22.0 };
    (0..row.boxes.len())
        .map(|index| Frame {
            x: left + step * float(index % row.columns) + (step - width) / 2.0,
            y: top + above + down * float(index / row.columns),
            width,
            height,
        })
        .collect()
}

/// What the colours of lines mean where they are not loads; returns where it ends.
fn plane_legend(body: &mut String, y: f64, planes: usize) -> f64 {
    text(
        body,
        (MARGIN, y + 11.0),
        "start",
        "400 12",
        "a line is the links between two boxes; its colour tells planes, rails or dimensions of a grid apart:",
    );
    let shown = planes.min(COLOURS.len());
    for index in 0..shown {
        let x = MARGIN + 620.0 + 46.0 * float(index);
        let _ = writeln!(body, "<path d=\"M{x:.1} {0:.1}h16\" stroke=\"{1}\" stroke-width=\"3\"/>", y + 7.0, colour(index));
        let more = if index + 1 == shown && planes > shown { " ..." } else { "" };
        text(body, (x + 22.0, y + 11.0), "start", "400 11", &format!("{index}{more}"));
    }
    y + 16.0
}

/// What the colours of loads mean; returns where it ends.
fn legend(body: &mut String, y: f64) -> f64 {
    text(
        body,
        (MARGIN, y + 11.0),
        "start",
        "400 12",
        "all-to-all of all chips, time on the busiest links of a level over that of the slowest level:",
    );
    for (index, colour) in LOADS.iter().enumerate() {
        let x = MARGIN + 560.0 + 90.0 * float(index);
        let _ = writeln!(body, "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"16\" height=\"12\" fill=\"{colour}\"/>", y + 1.0);
        text(body, (x + 22.0, y + 11.0), "start", "400 11", &format!("to {} %", 20 * (index + 1)));
    }
    y + 16.0
}

fn paint(body: &mut String, panel: &Panel, frames: &[Vec<Frame>], load: Option<f64>) {
    for line in &panel.lines {
        paint_line(body, line, frames, load.map_or_else(|| colour(line.plane), load_colour));
    }
    for (row, frames) in panel.rows.iter().zip(frames) {
        let layers = row.layers.saturating_sub(1).min(3);
        for layer in (1..=layers).rev() {
            let shift = LAYER * f64::from(layer);
            for frame in frames {
                let _ = writeln!(
                    body,
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" rx=\"4\" fill=\"white\" stroke=\"#c9d2db\"/>",
                    frame.x + shift,
                    frame.y - shift,
                    frame.width,
                    frame.height
                );
            }
        }
        for (shape, frame) in row.boxes.iter().zip(frames) {
            paint_box(body, shape, *frame);
        }
        if let (true, Some(last)) = (row.hidden > 0, frames.last()) {
            let place = (WIDTH - MARGIN - 10.0, last.y + last.height + 13.0);
            text(body, place, "end", "400 12", &format!("... {} more", row.hidden));
        }
    }
}

fn paint_line(body: &mut String, line: &PanelLine, frames: &[Vec<Frame>], colour: &str) {
    let (from, to) = (frames[line.from.0][line.from.1], frames[line.to.0][line.to.1]);
    let ((x1, y1), (x2, y2)) = (from.middle(), to.middle());
    let path = if line.bent {
        // Longer lines bend further; those across a row upwards, those along a column to the right.
        let reach = ((x2 - x1).abs() + (y2 - y1).abs()) * 0.18 + 14.0;
        let (dx, dy) = if (y2 - y1).abs() < 1.0 { (0.0, -reach.min(60.0)) } else { (reach.min(46.0), 0.0) };
        let (cx, cy) = (f64::midpoint(x1, x2) + dx, f64::midpoint(y1, y2) + dy);
        format!("M{x1:.1} {y1:.1} Q{cx:.1} {cy:.1} {x2:.1} {y2:.1}")
    } else {
        format!("M{x1:.1} {y1:.1} L{x2:.1} {y2:.1}")
    };
    let dashes = if line.broken { " stroke-dasharray=\"3 5\"" } else { "" };
    let _ = writeln!(body, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\" stroke-opacity=\"0.5\"{dashes}/>");
}

fn paint_box(body: &mut String, shape: &PanelShape, frame: Frame) {
    let stroke = shape.plane.map_or("#44546a", colour);
    let _ = writeln!(
        body,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" rx=\"4\" fill=\"white\" stroke=\"{stroke}\" stroke-width=\"1.4\"/>",
        frame.x, frame.y, frame.width, frame.height
    );
    let (x, y) = frame.middle();
    if shape.label[1].is_empty() {
        text(body, (x, y + 4.0), "middle", "400 11", &shape.label[0]);
    } else {
        text(body, (x, y - 3.0), "middle", "600 11", &shape.label[0]);
        text(body, (x, y + 11.0), "middle", "400 10", &shape.label[1]);
    }
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, font: &str, words: &str) {
    if words.is_empty() {
        return;
    }
    let (weight, size) = font.split_once(' ').unwrap_or(("400", font));
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\" font-size=\"{size}\" fill=\"#1b2733\">{words}</text>"
    );
}

#[expect(clippy::cast_precision_loss, reason = "a drawing has a few hundred boxes")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric;
    use crate::input::spec::load_supernode;

    /// The look from a level into one of its children, drawn after the boxes of the level, hides none of them.
    #[test]
    fn looking_inside_covers_no_box() {
        for name in ["ub-mesh-1024", "cloudmatrix384", "tpu-v5p-pod"] {
            let spec = load_supernode(name).unwrap();
            let drawn = draw(&spec, &fabric::build(&spec).unwrap(), None);
            let mut lowest = 0.0_f64;
            for line in drawn.lines() {
                let number = |key: &str| line.split(&format!(" {key}=\"")).nth(1)?.split('"').next()?.parse::<f64>().ok();
                if line.starts_with("<rect") && line.contains("rx=\"4\"") {
                    lowest = lowest.max(number("y").unwrap() + number("height").unwrap());
                } else if line.contains("fill=\"#eef2f6\"") {
                    let top: f64 = line.split(['M', ' ']).nth(3).unwrap().parse().unwrap();
                    assert!(top > lowest - 0.1, "{name}: from {top} over boxes down to {lowest}");
                }
            }
            assert!(lowest > 0.0);
        }
    }
    /// Links of a level have the colour of its load, and the legend names every colour.
    #[test]
    fn loads_colour_the_links() {
        let spec = load_supernode("hgx-h100-ib-64").unwrap();
        let drawn = draw(&spec, &fabric::build(&spec).unwrap(), Some(&[0.1, 1.0]));
        assert!(LOADS.iter().all(|colour| drawn.contains(&format!("fill=\"{colour}\""))));
        assert!(drawn.contains("10 % of the slowest level") && drawn.contains("100 % of the slowest level"));
        let lines = |colour: &str| drawn.matches(&format!("stroke=\"{colour}\"")).count();
        assert!(lines(LOADS[0]) > 0 && lines(LOADS[4]) > 0);
        assert_eq!(lines(LOADS[1]) + lines(LOADS[2]) + lines(LOADS[3]), 0);
    }
}
