//! Demand against what fleets serve, and the megawatts that they are built for, over time: the picture of `supernode plan`.

use std::fmt::Write as _;

use super::chart::{COLOURS, escaped, linear_marks, log_marks, named, short};
use super::plan::{DAY, PlanReport};
use crate::study::{Basis, PlannedFleet};
use crate::units::{Date, TokensPerSecond};

/// Frame of a chart, in pixels.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 700.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 70.0;
const PITCH: f64 = HEIGHT + 70.0;

/// Where the legend's words start, and how wide a picture is with them.
const LEGEND: f64 = 746.0;
const WIDTH: f64 = 970.0;

/// Up to so many days are drawn as bars: a line of two points says little.
const MOST_BARS: usize = 4;
/// Demand that grows by more than this has a logarithmic axis; power never has, since its proportions are what is compared.
const MOST_GROWTH: f64 = 30.0;
/// Lines that are nowhere farther apart, in pixels, are one.
const SAME: f64 = 1.5;
/// What lines of several designs that lie on each other are drawn in.
const SHARED: &str = "#777777";

/// Days to the right, a quantity upwards.
struct Axes {
    first: Date,
    days: f64,
    top: f64,
    /// Round numbers, in order; the first and the last bound the axis.
    ticks: Vec<f64>,
    log: bool,
}

/// A quantity over time.
struct Series {
    /// Names of those that have the same.
    names: Vec<String>,
    colour: &'static str,
    dashes: &'static str,
    points: Vec<(Date, f64)>,
}

impl Axes {
    /// Axes that hold all values, as close around them as round numbers are.
    fn around(days: &[Date], series: &[Series], top: f64, may_be_log: bool) -> Self {
        let (first, last) = (days[0], days[days.len() - 1]);
        let values = || series.iter().flat_map(|series| &series.points).map(|point| point.1);
        let least = values().fold(f64::INFINITY, f64::min);
        let most = values().fold(f64::MIN_POSITIVE, f64::max);
        let log = may_be_log && days.len() > MOST_BARS && least > 0.0 && most / least > MOST_GROWTH;
        let ticks = if log { log_marks(least, most) } else { linear_marks(most) };
        Self { first, days: last.days_since(first).max(1.0), top, ticks, log }
    }

    fn x(&self, day: Date) -> f64 {
        LEFT + (RIGHT - LEFT) * day.days_since(self.first) / self.days
    }

    fn y(&self, value: f64) -> f64 {
        let measure = |value: f64| if self.log { value.log10() } else { value };
        let (low, high) = (measure(self.ticks[0]), measure(self.ticks[self.ticks.len() - 1]));
        self.top + HEIGHT * (high - measure(value)) / (high - low)
    }

    fn frame(&self, title: &str, unit: &str, svg: &mut String) {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>", self.top - 12.0);
        for tick in &self.ticks {
            let y = self.y(*tick);
            let _ = writeln!(svg, "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>");
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} {unit}</text>", LEFT - 6.0, y + 4.0, short(*tick));
        }
    }

    /// Days below the axis, as many as have room.
    fn dates(&self, days: &[Date], x: impl Fn(usize) -> f64, svg: &mut String) {
        let mut free = f64::NEG_INFINITY;
        for (index, day) in days.iter().enumerate() {
            let x = x(index);
            if x - free < 70.0 {
                continue;
            }
            free = x;
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{day}</text>", self.top + HEIGHT + 18.0);
        }
    }

    /// Every series as a line; a fleet's holds from its day to the next one's.
    fn lines(&self, series: &[Series], svg: &mut String) {
        for Series { colour, dashes, points, .. } in series {
            let path: Vec<String> = points.iter().map(|(day, value)| format!("{:.1},{:.1}", self.x(*day), self.y(*value))).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
                path.join(" ")
            );
        }
    }

    /// A group of bars for every day, one for each series, with its value on top.
    fn bars(&self, series: &[Series], days: &[Date], svg: &mut String) {
        let width = (0.8 * group_width(days) / series.len().max(1) as f64).min(60.0);
        for (place, day) in days.iter().enumerate() {
            let left = middle(days, place) - width * series.len() as f64 / 2.0;
            for (number, Series { names, colour, points, .. }) in series.iter().enumerate() {
                let Some(value) = points.iter().find(|point| point.0 == *day).map(|point| point.1) else { continue };
                let (x, y) = (left + width * number as f64, self.y(value));
                let _ = writeln!(
                    svg,
                    "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"><title>{}, {day}: {}</title></rect>",
                    x + 1.0,
                    width - 2.0,
                    self.top + HEIGHT - y,
                    escaped(&names.join(" = ")),
                    short(value)
                );
                // A number needs some thirty pixels.
                if width > 30.0 {
                    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", x + width / 2.0, y - 4.0, digits(value));
                }
            }
        }
    }

    /// Series that are drawn on each other as one.
    fn distinct(&self, series: Vec<Series>) -> Vec<Series> {
        let mut kept: Vec<Series> = Vec::new();
        for one in series {
            let lies_on = |known: &&mut Series| {
                let same = |(a, b): (&(Date, f64), &(Date, f64))| a.0 == b.0 && (self.y(a.1) - self.y(b.1)).abs() <= SAME;
                known.dashes == one.dashes && known.points.len() == one.points.len() && known.points.iter().zip(&one.points).all(same)
            };
            match kept.iter_mut().find(lies_on).filter(|known| !known.points.is_empty()) {
                Some(known) => {
                    known.names.extend(one.names);
                    known.colour = SHARED;
                }
                None => kept.push(one),
            }
        }
        kept
    }
}

fn group_width(days: &[Date]) -> f64 {
    (RIGHT - LEFT) / days.len().max(1) as f64
}

/// Where the bars of a day stand.
fn middle(days: &[Date], place: usize) -> f64 {
    LEFT + group_width(days) * (place as f64 + 0.5)
}

/// Three digits.
fn digits(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

/// Corners of a value that holds from its day to the next one's.
fn steps(points: &[(Date, f64)]) -> Vec<(Date, f64)> {
    let mut corners = Vec::new();
    for (index, point) in points.iter().enumerate() {
        corners.push(*point);
        corners.extend(points.get(index + 1).map(|next| (next.0, point.1)));
    }
    corners
}

impl PlanReport {
    /// Demand against what the fleets can serve, and the megawatts that they are built for, over time. `None` with fewer than two days.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let days: Vec<Date> = self.days.iter().filter_map(|day| day.day).collect();
        if days.len() < 2 || days.len() != self.days.len() {
            return None;
        }
        let as_bars = days.len() <= MOST_BARS;
        let mut upper = self.demands(&days);
        let of_fleets = self.of_fleets(&days, &|fleet| trillions(fleet.capacity) * self.peak_to_mean);
        let axes = Axes::around(&days, &upper.iter().chain(&of_fleets).map(Series::clone_points).collect::<Vec<_>>(), TOP, true);
        upper.extend(axes.distinct(of_fleets));
        let mut svg = String::new();
        let log = if axes.log { ", logarithmic" } else { "" };
        axes.draw(&format!("tokens a day, 10^12{log}: demand, and what the fleets serve"), "T", &upper, &days, &mut svg);
        if !as_bars {
            for (point, entry) in upper[0].points.iter().zip(&self.days) {
                let fill = if entry.basis == Basis::Stated { "black" } else { "white" };
                let (x, y) = (axes.x(point.0), axes.y(point.1));
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{fill}\" stroke=\"black\"/>");
            }
        }
        legend(&upper, TOP, &mut svg);
        let lower = self.of_fleets(&days, &|fleet| fleet.rated.get() / 1e6);
        // Where no design serves anything there is no fleet, and no power to draw.
        let has_power = lower.iter().any(|series| !series.points.is_empty());
        if has_power {
            let axes = Axes::around(&days, &lower, TOP + PITCH, false);
            let lower = axes.distinct(lower);
            axes.draw("rated power of the fleets, halls included, MW", "MW", &lower, &days, &mut svg);
            legend(&lower, TOP + PITCH, &mut svg);
        }
        let height = TOP + if has_power { PITCH + HEIGHT } else { HEIGHT } + 40.0;
        Some(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"28\" font-size=\"16\">{}</text>\n{svg}</svg>\n",
            escaped(&format!("Serving {}", self.target.1))
        ))
    }

    fn demands(&self, days: &[Date]) -> Vec<Series> {
        let mean: Vec<(Date, f64)> = days.iter().zip(&self.days).map(|(day, entry)| (*day, trillions(entry.demand))).collect();
        let peak = mean.iter().map(|(day, value)| (*day, value * self.peak_to_mean)).collect();
        let name = if days.len() <= MOST_BARS { "mean demand" } else { "mean demand (filled: published)" };
        vec![
            Series { names: vec![name.to_owned()], colour: "black", dashes: "", points: mean },
            Series { names: vec!["demand at the peak".to_owned()], colour: "#555555", dashes: "5 4", points: peak },
        ]
    }

    /// A figure of every design's fleet over the days. As lines, capacity is bought ahead: each fleet is the one that its next day needs.
    fn of_fleets(&self, days: &[Date], of: &dyn Fn(&PlannedFleet) -> f64) -> Vec<Series> {
        let one = |(index, design): (usize, &crate::study::PlannedDesign)| {
            let own: Vec<(Date, f64)> =
                days.iter().zip(&self.days).filter_map(|(day, entry)| Some((*day, of(entry.fleets[index].as_ref()?)))).collect();
            let points = if days.len() <= MOST_BARS {
                own
            } else {
                let ahead = |(place, (day, value)): (usize, &(Date, f64))| (*day, own.get(place + 1).map_or(*value, |next| next.1));
                steps(&own.iter().enumerate().map(ahead).collect::<Vec<_>>())
            };
            let serves = if points.is_empty() { " (serves nothing)" } else { "" };
            Series { names: vec![format!("{}{serves}", design.name)], colour: COLOURS[index % COLOURS.len()], dashes: "", points }
        };
        self.designs.iter().enumerate().map(one).collect()
    }
}

impl Series {
    /// Its points alone.
    fn clone_points(&self) -> Self {
        Self { names: Vec::new(), colour: self.colour, dashes: self.dashes, points: self.points.clone() }
    }
}

impl Axes {
    fn draw(&self, title: &str, unit: &str, series: &[Series], days: &[Date], svg: &mut String) {
        self.frame(title, unit, svg);
        if days.len() <= MOST_BARS {
            self.bars(series, days, svg);
            self.dates(days, |place| middle(days, place), svg);
        } else {
            self.lines(series, svg);
            self.dates(days, |place| self.x(days[place]), svg);
        }
    }
}

fn trillions(rate: TokensPerSecond) -> f64 {
    rate.get() * DAY / 1e12
}

/// Names of lines; those that lie on each other stand below each other.
fn legend(series: &[Series], top: f64, svg: &mut String) {
    let mut y = top + 10.0;
    for Series { names, colour, dashes, .. } in series {
        let _ =
            writeln!(svg, "<line x1=\"715\" y1=\"{y}\" x2=\"740\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>");
        for (index, name) in names.iter().enumerate() {
            let equals = if index == 0 { "" } else { "= " };
            let _ = writeln!(svg, "<text x=\"{LEGEND}\" y=\"{:.0}\">{}</text>", y + 4.0, named(&format!("{equals}{name}")));
            y += 20.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: &[f64]) -> Series {
        let days = ["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01", "2027-01-01"];
        let points = days.iter().zip(values).map(|(day, value)| (Date::parse(day).unwrap(), *value)).collect();
        Series { names: vec![name.to_owned()], colour: "#0072b2", dashes: "", points }
    }

    #[test]
    fn power_starts_at_zero_and_lines_on_each_other_are_one() {
        let all =
            vec![series("a", &[1.0, 2.0, 3.0, 4.0, 500.0]), series("b", &[1.0, 2.001, 3.0, 4.0, 500.0]), series("c", &[2.0, 20.0, 40.0, 60.0, 90.0])];
        let days: Vec<Date> = all[0].points.iter().map(|point| point.0).collect();
        let axes = Axes::around(&days, &all, 0.0, false);
        assert_eq!((axes.log, axes.ticks[0]), (false, 0.0));
        assert!(Axes::around(&days, &all, 0.0, true).log, "demand that grows 500-fold");
        let kept = axes.distinct(all);
        assert_eq!(kept.iter().map(|series| series.names.join(" = ")).collect::<Vec<_>>(), ["a = b", "c"]);
        assert_eq!(kept[0].colour, SHARED);
    }

    #[test]
    fn two_days_are_bars() {
        let all = vec![series("a", &[10.0, 20.0]), series("b", &[12.0, 24.0])];
        let days: Vec<Date> = all[0].points.iter().map(|point| point.0).collect();
        let axes = Axes::around(&days, &all, 0.0, true);
        let mut svg = String::new();
        axes.draw("t", "MW", &all, &days, &mut svg);
        assert_eq!(svg.matches("<rect").count(), 4);
        assert!(svg.contains(">24.0</text>") && svg.contains("2026-04"));
    }

    #[test]
    fn every_line_has_its_whole_name() {
        let all =
            vec![Series { names: ["HGX H100", "HGX B200", "CloudMatrix384"].map(str::to_owned).to_vec(), ..series("", &[1.0]) }, series("b", &[2.0])];
        let mut svg = String::new();
        legend(&all, 0.0, &mut svg);
        let texts: Vec<&str> = svg.lines().filter_map(|line| line.strip_prefix("<text")?.split_once('>')?.1.strip_suffix("</text>")).collect();
        assert_eq!(texts, ["HGX H100", "= HGX B200", "= CloudMatrix384", "b"]);
        assert!(svg.contains("y=\"74\">b<"), "{svg}");
    }
}
