//! A study's rows as lines in an SVG: an axis along, a figure upwards, one line a value of another column.

use std::fmt::Write as _;

/// A line and its points, ordered along the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartLine {
    /// Name.
    pub name: String,
    /// Position along the picture, and value.
    pub points: Vec<(f64, f64)>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    /// Title.
    pub title: String,
    /// What lies along.
    pub x: String,
    /// What lies upwards.
    pub y: String,
    /// Marks along: position and words.
    pub ticks: Vec<(f64, String)>,
    /// Lines.
    pub lines: Vec<ChartLine>,
    /// Whether upwards is logarithmic.
    pub log: bool,
}

const WIDTH: f64 = 760.0;
/// As high as the names of its lines ask for, if they are many.
const LEAST_HEIGHT: f64 = 380.0;
/// Between the names of two lines.
const NAME_STEP: f64 = 17.0;
/// Letters of a line's name that have room, and of them those of its end, since names that begin alike end differently; the whole name
/// stands in a tooltip.
const NAME_LETTERS: usize = 31;
const NAME_END_LETTERS: usize = 16;
/// Points of a line up to which each has a mark of its own; more would run into each other.
const MARKED_POINTS: usize = 60;
/// Left, top, right, bottom; the names of the lines stand right.
const MARGIN: [f64; 4] = [64.0, 34.0, 220.0, 46.0];
/// Colours that differ for most kinds of colour vision (after Okabe and Ito), darkest hues first.
pub(super) const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444", "#8a6d00"];
/// Beyond the colours, dashes.
const DASHES: [&str; 3] = ["", "6 3", "2 3"];

impl LineChart {
    /// Draws it.
    #[must_use]
    pub fn svg(&self) -> String {
        let lines = distinct(&self.lines);
        let height = LEAST_HEIGHT.max(MARGIN[1] + NAME_STEP * (lines.len() + 1) as f64);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n<text x=\"{}\" y=\"20\" font-size=\"13\" font-weight=\"bold\">{}</text>\n",
            MARGIN[0],
            escaped(&self.title)
        );
        if self.lines.iter().any(|line| !line.points.is_empty()) {
            let marks = self.marks();
            let axes = self.axes(height, &marks);
            draw_marks(&mut svg, &axes, &marks);
            self.draw_ticks(&mut svg, &axes);
            self.draw_axis_names(&mut svg, height);
            for (index, line) in lines.iter().enumerate() {
                draw_line(&mut svg, &axes, index, line);
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Round values from below the least to above the greatest.
    fn marks(&self) -> Vec<f64> {
        let values = self.lines.iter().flat_map(|line| &line.points).map(|point| point.1);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if self.log && low > 0.0 {
            return log_marks(low, high);
        }
        linear_marks(high)
    }

    fn axes(&self, height: f64, marks: &[f64]) -> ChartAxes {
        let low = self.ticks.iter().map(|tick| tick.0).fold(f64::INFINITY, f64::min);
        let high = self.ticks.iter().map(|tick| tick.0).fold(f64::NEG_INFINITY, f64::max);
        ChartAxes { along: (low, high), upwards: (marks[0], marks[marks.len() - 1]), log: self.log, height }
    }

    /// Words below the picture. A letter takes about six pixels: words that would overlap the last ones are left out.
    fn draw_ticks(&self, svg: &mut String, axes: &ChartAxes) {
        let mut free = f64::NEG_INFINITY;
        for (at, words) in &self.ticks {
            let half = 3.0 * words.chars().count() as f64;
            if axes.x(*at) - half < free {
                continue;
            }
            free = axes.x(*at) + half + 4.0;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555555\">{}</text>",
                axes.x(*at),
                axes.height - MARGIN[3] + 16.0,
                escaped(words)
            );
        }
    }

    fn draw_axis_names(&self, svg: &mut String, height: f64) {
        let middle = MARGIN[0] + (WIDTH - MARGIN[0] - MARGIN[2]) / 2.0;
        let _ = writeln!(svg, "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", height - 10.0, escaped(&self.x));
        let _ = writeln!(
            svg,
            "<text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(height - MARGIN[3], MARGIN[1]),
            escaped(&self.y)
        );
    }
}

/// Where a position and a value lie in the picture, in pixels.
struct ChartAxes {
    /// Least and greatest position.
    along: (f64, f64),
    /// Least and greatest value.
    upwards: (f64, f64),
    log: bool,
    height: f64,
}

impl ChartAxes {
    fn x(&self, at: f64) -> f64 {
        MARGIN[0] + (WIDTH - MARGIN[0] - MARGIN[2]) * share(self.along, at)
    }

    fn y(&self, value: f64) -> f64 {
        let measure = |value: f64| if self.log { value.ln() } else { value };
        let upwards = (measure(self.upwards.0), measure(self.upwards.1));
        MARGIN[1] + (self.height - MARGIN[1] - MARGIN[3]) * (1.0 - share(upwards, measure(value)))
    }
}

/// Position of a value between two others, 0 to 1; in the middle where there is no span.
fn share((low, high): (f64, f64), value: f64) -> f64 {
    if high > low { (value - low) / (high - low) } else { 0.5 }
}

/// A grey line across the picture at each value of the upward axis.
fn draw_marks(svg: &mut String, axes: &ChartAxes, marks: &[f64]) {
    for mark in marks {
        let (left, right, at) = (MARGIN[0], WIDTH - MARGIN[2], axes.y(*mark));
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {at:.1}H{right:.1}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555555\">{}</text>",
            left - 5.0,
            at + 4.0,
            short(*mark)
        );
    }
}

/// A line with its points, and its name right of the picture.
fn draw_line(svg: &mut String, axes: &ChartAxes, index: usize, line: &ChartLine) {
    let (colour, dash) = (COLOURS[index % COLOURS.len()], DASHES[index / COLOURS.len() % DASHES.len()]);
    let path: Vec<String> = line.points.iter().map(|point| format!("{:.1} {:.1}", axes.x(point.0), axes.y(point.1))).collect();
    let _ = writeln!(svg, "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>", path.join("L"));
    for point in line.points.iter().filter(|_| line.points.len() <= MARKED_POINTS) {
        let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\" fill=\"{colour}\"/>", axes.x(point.0), axes.y(point.1));
    }
    let at = MARGIN[1] + 8.0 + NAME_STEP * index as f64;
    let left = WIDTH - MARGIN[2] + 14.0;
    let _ = writeln!(
        svg,
        "<path d=\"M{left:.1} {at:.1}h18\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        left + 23.0,
        at + 4.0,
        named(&line.name)
    );
}

/// Round values from zero to above the greatest.
pub(super) fn linear_marks(high: f64) -> Vec<f64> {
    let span = high.max(f64::MIN_POSITIVE);
    let power = 10.0_f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| span / step <= 6.0).unwrap_or(span);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most seven")]
    let count = (span / step - 1e-9).ceil().max(1.0) as u32;
    (0..=count).map(|mark| f64::from(mark) * step).collect()
}

/// Values 1, 2, 5 times a power of ten from below `low` to above `high`; of many only the powers of ten, and the ends.
pub(super) fn log_marks(low: f64, high: f64) -> Vec<f64> {
    let steps: Vec<f64> = (-12..16).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10.0_f64.powi(decade))).collect();
    let first = steps.iter().rposition(|step| *step <= low * 1.000_001).unwrap_or(0).min(steps.len() - 2);
    let last = steps.iter().position(|step| *step >= high * 0.999_999).unwrap_or(steps.len() - 1).max(first + 1);
    let sparse = last - first > 9;
    (first..=last).filter(|at| !sparse || at % 3 == 0 || *at == first || *at == last).map(|at| steps[at]).collect()
}

/// Lines that lie on each other as one, with both names.
pub(super) fn distinct(lines: &[ChartLine]) -> Vec<ChartLine> {
    let mut kept: Vec<ChartLine> = Vec::new();
    for line in lines {
        match kept.iter_mut().find(|known| known.points == line.points && !line.points.is_empty()) {
            Some(known) => known.name = format!("{} = {}", known.name, line.name),
            None => kept.push(line.clone()),
        }
    }
    kept
}

/// A name that fits beside a chart, the whole of it where one points at it.
pub(super) fn named(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= NAME_LETTERS {
        return escaped(name);
    }
    let start: String = name.chars().take(NAME_LETTERS - 1 - NAME_END_LETTERS).collect();
    let end: String = name.chars().skip(letters - NAME_END_LETTERS).collect();
    format!("{}\u{2026}{}<title>{}</title>", escaped(&start), escaped(&end), escaped(name))
}

pub(super) fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        large if large >= 1e9 => (value / 1e9, "G"),
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.3}");
    format!("{}{suffix}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// As text of an SVG.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(names: &[&str]) -> LineChart {
        let line = |(index, name): (usize, &&str)| ChartLine { name: (*name).to_owned(), points: vec![(0.0, 1.0), (1.0, index as f64 / 2.0)] };
        let lines = names.iter().enumerate().map(line).collect();
        LineChart { title: "t".into(), x: "x, s".into(), y: "y, W".into(), ticks: vec![(0.0, "0".into()), (1.0, "1".into())], lines, log: false }
    }

    #[test]
    fn lines_on_each_other_are_one() {
        let mut two = chart(&["a", "b", "c"]);
        two.lines[1].points = two.lines[0].points.clone();
        let svg = two.svg();
        assert!(svg.contains(">a = b</text>") && svg.contains(">c</text>"));
        assert_eq!(svg.matches("stroke-width=\"2\"").count(), 4, "two lines and their marks in the legend");
    }

    #[test]
    fn names_beside_a_chart_have_room() {
        let long = "a machine with a name of very many letters";
        let svg = chart(&[long; 1]).svg();
        assert!(svg.contains(&format!("a machine with\u{2026}ery many letters<title>{long}</title>")), "{svg}");
        let many: Vec<String> = (0..40).map(|line| format!("line {line}")).collect();
        let svg = chart(&many.iter().map(String::as_str).collect::<Vec<_>>()).svg();
        assert!(svg.contains("height=\"731\"") && svg.contains(">line 39</text>"), "{}", &svg[..200]);
    }
}
