//! `--html`: the result as one page for a browser, beside what is printed.

use std::path::PathBuf;

use super::bad_option;
use crate::fabric::Fabric;
use crate::input::catalog::inputs;
use crate::input::problem::Problems;
use crate::input::spec::Spec;
use crate::network::{Collective, Network, Op, Pricing};
use crate::report::{Document, LevelLoad, Page, Picture, Records, Report, View, draw_loads};
use crate::units::{Bytes, render};

/// A page for a browser.
#[derive(Debug, clap::Args)]
pub struct PageArgument {
    /// Write the result as one page for a browser that needs nothing else: verdict, charts, pictures, tables, inputs with their sources
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl PageArgument {
    /// Whether a page is asked for.
    pub fn is_asked(&self) -> bool {
        self.html.is_some()
    }

    /// Writes the page, if asked for; `pictures` are drawn only then.
    pub fn write(
        &self,
        report: &dyn Report,
        rows: Option<(&'static str, Records)>,
        view: View,
        pictures: impl FnOnce() -> Vec<Picture>,
    ) -> Result<(), Problems> {
        let Some(path) = &self.html else { return Ok(()) };
        let inputs = inputs();
        let document = Document { rows, ..Document::new(report.output(), report.json(), &inputs) };
        let html = Page { report, document, pictures: pictures(), view: Some(view), inputs: &inputs }.html();
        std::fs::write(path, html).map_err(|error| bad_option("--html", format!("cannot write `{}`: {error}", path.display())))
    }
}

/// The machine with how busy its channels are in an all-to-all of all chips.
pub fn fabric_picture(spec: &Spec, fabric: &Fabric) -> Picture {
    let network = Network::new(fabric);
    let collective = Collective { op: Op::AllToAll, ranks: fabric.chips, bytes: Bytes::new(f64::from(1 << 26)) };
    let mut pricing = Pricing::new(&network, &spec.library);
    let found = pricing.price(&collective, None).and_then(|timing| Ok((timing, pricing.level_use(&collective, &timing)?)));
    let mut loads: Vec<LevelLoad> = Vec::new();
    let mut note = "The machine by levels.".to_owned();
    if let Ok((timing, uses)) = found {
        note = format!(
            "Colour and width of lines: how busy the busiest channel of the level is while all chips send 64 MiB each to each other ({}, {}), from grey to red.",
            timing.algorithm.name(),
            render(timing.total())
        );
        for level in uses {
            let direction = if level.peak.outward { "outward" } else { "inward" };
            let place = if level.peak.at_chip { "chip ports" } else { "switch ports" };
            let words = format!("{place} {direction} {:.0} % of the time", 100.0 * level.busiest);
            match loads.iter_mut().find(|load| load.level == level.peak.level) {
                Some(load) => {
                    load.busiest = load.busiest.max(level.busiest);
                    load.words += &format!(", {words}");
                }
                None => loads.push(LevelLoad { level: level.peak.level, busiest: level.busiest, words }),
            }
        }
    }
    Picture { title: "Fabric and channel loads", note, svg: draw_loads(spec, fabric, &loads) }
}
