//! `--html`: the result as one page for a browser, beside what is printed.

use std::path::PathBuf;

use super::output_file::{cannot_write, write_file};
use crate::fabric::Fabric;
use crate::input::catalog::inputs;
use crate::input::problem::Problems;
use crate::input::spec::Spec;
use crate::network::{LONG_MESSAGE, Network};
use crate::report::{Document, Page, Picture, Records, Report, View, draw_loads};

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
        write_file(path, html).map_err(|error| cannot_write("--html", path, &error))
    }
}

/// The machine, its links coloured by their load in an all-to-all of all chips.
pub fn fabric_picture(spec: &Spec, fabric: &Fabric) -> Picture {
    let loads = Network::new(fabric).all_to_all(fabric.chips).relative_loads(fabric, spec.levels.len(), LONG_MESSAGE);
    let named = fabric.level_names.iter().zip(&loads).map(|(name, load)| format!("{name} {:.0} %", 100.0 * load));
    let named: Vec<String> = named.collect();
    let note = format!("Load of the busiest links in an all-to-all of all chips, over that of the slowest level: {}.", named.join(", "));
    Picture { title: "Fabric and channel loads", note, svg: draw_loads(spec, fabric, &loads) }
}
