//! `supernode plan`: supernodes, megawatts and dollars for a demand, day by day; as tables and as a picture.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::format::{Report, Section, Table};
use crate::footprint::Spread;
use crate::study::{Basis, Design, Fleet};
use crate::units::{Date, TokensPerSecond};

/// What a demand takes of several designs over time.
#[derive(Clone, Debug)]
pub struct PlanReport {
    /// Shipped name or path of the target, and its name.
    pub target: (String, String),
    /// Busiest moment over mean.
    pub peak_to_mean: f64,
    /// Month of the prices.
    pub prices: String,
    /// Designs.
    pub designs: Vec<Design>,
    /// Days.
    pub days: Vec<PlanDay>,
}

/// What one day's demand takes.
#[derive(Clone, Debug)]
pub struct PlanDay {
    /// The day, if the target states it.
    pub day: Option<Date>,
    /// Mean demand.
    pub demand: TokensPerSecond,
    /// Where it comes from.
    pub basis: Basis,
    /// The fleet of every design; `None` where it serves nothing.
    pub fleets: Vec<Option<Fleet>>,
}

const DAY: f64 = 86_400.0;

fn spread_json(spread: Spread) -> Json {
    json!({ "low": spread.low, "value": spread.value, "high": spread.high })
}

/// Dollars between their bounds, in millions.
fn millions(spread: Spread) -> String {
    format!("{:.0} ({:.0} to {:.0})", spread.value / 1e6, spread.low / 1e6, spread.high / 1e6)
}

impl Report for PlanReport {
    fn json(&self) -> Json {
        let designs: Vec<Json> = self
            .designs
            .iter()
            .map(|design| {
                json!({
                    "supernode": design.id, "chips": design.chips, "tokens_per_s": design.rate, "availability": design.availability,
                    "idle_w": design.power.0, "serving_w": design.power.0 + design.power.1, "rated_w": design.power.2,
                    "capital_usd": spread_json(design.cost.capital()), "published_price_usd": design.cost.published.map(spread_json),
                })
            })
            .collect();
        let days: Vec<Json> = self
            .days
            .iter()
            .map(|PlanDay { day, demand, basis, fleets }| {
                let fleets: Vec<Json> = self
                    .designs
                    .iter()
                    .zip(fleets)
                    .map(|(design, fleet)| {
                        fleet.as_ref().map_or(json!({ "supernode": design.id, "supernodes": null }), |fleet| {
                            json!({
                                "supernode": design.id, "supernodes": fleet.supernodes, "chips": fleet.chips, "racks": fleet.racks,
                                "power_w": fleet.power, "rated_w": fleet.rated, "optical_modules": fleet.modules,
                                "capital_usd": spread_json(fleet.capital), "usd_per_million_tokens": spread_json(fleet.per_million_tokens),
                            })
                        })
                    })
                    .collect();
                json!({ "date": day, "demand_tokens_per_s": demand, "basis": basis.name(), "fleets": fleets })
            })
            .collect();
        json!({ "target": self.target.0, "prices": self.prices, "designs": designs, "days": days })
    }

    fn sections(&self) -> Vec<Section> {
        let mut machines =
            Table::new(&["<supernode", "chips", "tokens/s", "failures leave", "hall kW, serving", "rated", "M$ (from parts)", "M$ published"]);
        for design in &self.designs {
            let price = |spread: Spread| format!("{:.2} ({:.1} to {:.1})", spread.value / 1e6, spread.low / 1e6, spread.high / 1e6);
            machines.row([
                design.name.clone(),
                design.chips.to_string(),
                format!("{:.0}", design.rate.get()),
                format!("{:.2} %", 100.0 * design.availability),
                format!("{:.0}", (design.power.0 + design.power.1).get() / 1e3),
                format!("{:.0}", design.power.2.get() / 1e3),
                price(design.cost.capital()),
                design.cost.published.map_or("-".to_owned(), price),
            ]);
        }
        let mut table = Table::new(&[
            "<date",
            "10^12 tokens/day",
            "<demand",
            "<supernode",
            "supernodes",
            "chips",
            "racks",
            "MW mean",
            "MW rated",
            "optical modules",
            "M$ capital",
            "$/10^6 tokens",
        ]);
        for PlanDay { day, demand, basis, fleets } in &self.days {
            for (design, fleet) in self.designs.iter().zip(fleets) {
                let number = |of: fn(&Fleet) -> f64| fleet.as_ref().map_or("-".to_owned(), |fleet| format!("{:.0}", of(fleet)));
                table.row([
                    day.map_or(String::new(), |day| day.to_string()),
                    format!("{:.2}", demand.get() * DAY / 1e12),
                    basis.name().to_owned(),
                    design.name.clone(),
                    number(|fleet| fleet.supernodes),
                    number(|fleet| fleet.chips),
                    fleet.as_ref().and_then(|fleet| fleet.racks).map_or("-".to_owned(), |racks| format!("{racks:.0}")),
                    fleet.as_ref().map_or("-".to_owned(), |fleet| format!("{:.1}", fleet.power.get() / 1e6)),
                    fleet.as_ref().map_or("-".to_owned(), |fleet| format!("{:.1}", fleet.rated.get() / 1e6)),
                    number(|fleet| fleet.modules),
                    fleet.as_ref().map_or("-".to_owned(), |fleet| millions(fleet.capital)),
                    fleet.as_ref().map_or("-".to_owned(), |fleet| {
                        let cost = fleet.per_million_tokens;
                        format!("{:.4} ({:.4} to {:.4})", cost.value, cost.low, cost.high)
                    }),
                ]);
            }
        }
        let mut sections = vec![Section::Title(format!("Serving {}", self.target.1)), Section::Table(machines), Section::Table(table)];
        let note = format!(
            "Demand counts input and output, cached input too. Fleets meet its peak, {:.2} times the mean, with the target's utilisation and spares. \
             Money is of {}, between the bounds of all prices: hardware over its life and energy; no building, no people, no interest.",
            self.peak_to_mean, self.prices
        );
        sections.push(Section::Note(note));
        if self.days.iter().any(|day| day.basis == Basis::Extrapolated) {
            sections.push(Section::Note("Extrapolated demand assumes that the growth of the two nearest published figures goes on.".into()));
        }
        sections
    }
}

/// One colour a design, told apart by colour-blind readers too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Frame of a chart, in pixels.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 700.0;
const HEIGHT: f64 = 240.0;

/// With more lines than this only the powers of ten are drawn.
const MOST_TICKS: usize = 8;

/// Where the legend's words start, and what a letter of them takes.
const LEGEND: f64 = 746.0;
const LETTER: f64 = 7.0;

/// Days to the right, a quantity upwards by its logarithm.
struct Axes {
    first: Date,
    days: f64,
    top: f64,
    /// Numbers 1, 2, 5 times a power of ten, in order; the first and the last bound the axis.
    ticks: Vec<f64>,
}

impl Axes {
    /// Axes that hold all `values`, as close around them as round numbers are.
    fn around(days: &[Date], values: &[f64], top: f64) -> Self {
        let (first, last) = (days[0], days[days.len() - 1]);
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        #[expect(clippy::cast_possible_truncation, reason = "powers of ten of a chart are small whole numbers")]
        let powers = least.log10().floor() as i32..=most.log10().ceil() as i32;
        let mut ticks: Vec<f64> = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(power))).collect();
        let from = ticks.iter().rposition(|tick| *tick <= least).unwrap_or(0);
        let to = ticks.iter().position(|tick| *tick >= most).unwrap_or(ticks.len() - 1).max(from + 1);
        ticks.truncate(to + 1);
        ticks.drain(..from);
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
        let few = self.ticks.len() <= MOST_TICKS;
        for tick in self.ticks.iter().filter(|tick| few || tick.log10().fract() == 0.0) {
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

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
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
        let lower = Axes::around(&days, &values(&power.iter().collect::<Vec<_>>()), second);

        let height = second + HEIGHT + 40.0;
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
        lower.frame("rated power of the fleets, halls included", "MW", &days, &mut svg);
        for (index, design) in self.designs.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            upper.steps(&capacity[index], &format!("stroke=\"{colour}\" stroke-width=\"1.5\""), &mut svg);
            lower.steps(&power[index], &format!("stroke=\"{colour}\" stroke-width=\"1.5\""), &mut svg);
            legend.push((colour, "", design.name.clone()));
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
