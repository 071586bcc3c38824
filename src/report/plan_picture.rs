//! Demand against what fleets serve, and the megawatts that they are built for, over time: the picture of `supernode plan`.

use std::fmt::Write as _;

use super::chart::{COLOURS, escaped, log_marks};
use super::plan::{DAY, PlanReport};
use crate::study::{Basis, Fleet};
use crate::units::{Date, TokensPerSecond};

/// Frame of a chart, in pixels.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 700.0;
const HEIGHT: f64 = 240.0;

/// Where the legend's words start, and what a letter of them takes.
const LEGEND: f64 = 746.0;
const LETTER: f64 = 7.0;

/// Days to the right, a quantity upwards by its logarithm.
struct Axes {
    first: Date,
    days: f64,
    top: f64,
    /// Round numbers, in order; the first and the last bound the axis.
    ticks: Vec<f64>,
}

impl Axes {
    /// Axes that hold all `values`, as close around them as round numbers are.
    fn around(days: &[Date], values: &[f64], top: f64) -> Self {
        let (first, last) = (days[0], days[days.len() - 1]);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let ticks = log_marks(least, most);
        Self { first, days: last.days_since(first).max(1.0), top, ticks }
    }

    fn x(&self, day: Date) -> f64 {
        LEFT + (RIGHT - LEFT) * day.days_since(self.first) / self.days
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (self.ticks[0].log10(), self.ticks[self.ticks.len() - 1].log10());
        self.top + HEIGHT * (high - value.log10()) / (high - low)
    }

    fn frame(&self, title: &str, unit: &str, days: &[Date], svg: &mut String) {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>", self.top - 12.0);
        for tick in &self.ticks {
            let y = self.y(*tick);
            let _ = writeln!(svg, "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>");
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} {unit}</text>", LEFT - 6.0, y + 4.0, plain(*tick));
        }
        let mut free = f64::NEG_INFINITY;
        for day in days {
            let x = self.x(*day);
            if x - free < 70.0 {
                continue;
            }
            free = x;
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{day}</text>", self.top + HEIGHT + 18.0);
        }
    }

    fn line(&self, points: &[(Date, f64)], style: &str, svg: &mut String) {
        let path: Vec<String> = points.iter().map(|(day, value)| format!("{:.1},{:.1}", self.x(*day), self.y(*value))).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" {style}/>", path.join(" "));
    }

    /// A value that holds from its day to the next one's.
    fn steps(&self, points: &[(Date, f64)], style: &str, svg: &mut String) {
        let mut corners = Vec::new();
        for (index, point) in points.iter().enumerate() {
            corners.push(*point);
            if let Some(next) = points.get(index + 1) {
                corners.push((next.0, point.1));
            }
        }
        self.line(&corners, style, svg);
    }
}

/// 0.01, 10, 1000: without an exponent.
fn plain(value: f64) -> String {
    if value < 1.0 { format!("{value:.3}").trim_end_matches('0').to_owned() } else { format!("{value:.0}") }
}

impl PlanReport {
    /// Demand against what the fleets can serve, and the megawatts that they are built for, over time. `None` with fewer than two days.
    ///
    /// Capacity is bought ahead: each fleet is the one that its next day needs.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let days: Vec<Date> = self.days.iter().filter_map(|day| day.day).collect();
        if days.len() < 2 || days.len() != self.days.len() {
            return None;
        }
        let trillions = |rate: TokensPerSecond| rate.get() * DAY / 1e12;
        let of_fleet = |index: usize, of: &dyn Fn(&Fleet) -> f64| -> Vec<(Date, f64)> {
            let values: Vec<(Date, f64)> =
                days.iter().zip(&self.days).filter_map(|(day, entry)| Some((*day, of(entry.fleets[index].as_ref()?)))).collect();
            values.iter().enumerate().map(|(place, (day, value))| (*day, values.get(place + 1).map_or(*value, |next| next.1))).collect()
        };
        let demand: Vec<(Date, f64)> = days.iter().zip(&self.days).map(|(day, entry)| (*day, trillions(entry.demand))).collect();
        let peak: Vec<(Date, f64)> = demand.iter().map(|(day, value)| (*day, value * self.peak_to_mean)).collect();
        let capacity: Vec<Vec<(Date, f64)>> =
            (0..self.designs.len()).map(|index| of_fleet(index, &|fleet| trillions(fleet.capacity) * self.peak_to_mean)).collect();
        let power: Vec<Vec<(Date, f64)>> = (0..self.designs.len()).map(|index| of_fleet(index, &|fleet| fleet.rated.get() / 1e6)).collect();

        let values = |lines: &[&Vec<(Date, f64)>]| -> Vec<f64> { lines.iter().flat_map(|line| line.iter().map(|point| point.1)).collect() };
        let upper = Axes::around(&days, &values(&capacity.iter().chain([&demand, &peak]).collect::<Vec<_>>()), 70.0);
        let second = 70.0 + HEIGHT + 70.0;
        let megawatts = values(&power.iter().collect::<Vec<_>>());
        // Where no design serves anything there is no fleet, and no power to draw.
        let lower = (!megawatts.is_empty()).then(|| Axes::around(&days, &megawatts, second));

        let height = if lower.is_some() { second + HEIGHT + 40.0 } else { second };
        let longest = self.designs.iter().map(|design| design.name.chars().count()).max().unwrap_or(0).max(30);
        #[expect(clippy::cast_precision_loss, reason = "names are short")]
        let width = LEGEND + LETTER * longest as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"28\" font-size=\"16\">{}</text>\n",
            escaped(&format!("Serving {}", self.target.1))
        );
        upper.frame("tokens a day: demand, and what the fleets serve", "T", &days, &mut svg);
        let mut legend = Vec::new();
        upper.line(&demand, "stroke=\"black\" stroke-width=\"2\"", &mut svg);
        for ((day, value), entry) in demand.iter().zip(&self.days) {
            let fill = if entry.basis == Basis::Stated { "black" } else { "white" };
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{fill}\" stroke=\"black\"/>", upper.x(*day), upper.y(*value));
        }
        upper.line(&peak, "stroke=\"black\" stroke-dasharray=\"5 4\"", &mut svg);
        legend.push(("black", "", "mean demand (filled: published)".to_owned()));
        legend.push(("black", "5 4", "demand at the peak".to_owned()));
        if let Some(lower) = &lower {
            lower.frame("rated power of the fleets, halls included", "MW", &days, &mut svg);
        }
        for (index, design) in self.designs.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            upper.steps(&capacity[index], &format!("stroke=\"{colour}\" stroke-width=\"1.5\""), &mut svg);
            if let Some(lower) = &lower {
                lower.steps(&power[index], &format!("stroke=\"{colour}\" stroke-width=\"1.5\""), &mut svg);
            }
            let serves = if capacity[index].is_empty() { " (serves nothing)" } else { "" };
            legend.push((colour, "", format!("{}{serves}", design.name)));
        }
        for (index, (colour, dashes, text)) in legend.into_iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a legend is short")]
            let y = 80.0 + 20.0 * index as f64;
            let _ = writeln!(
                svg,
                "<line x1=\"715\" y1=\"{y}\" x2=\"740\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/><text x=\"{LEGEND}\" y=\"{:.0}\">{}</text>",
                y + 4.0,
                escaped(&text)
            );
        }
        svg += "</svg>\n";
        Some(svg)
    }
}
