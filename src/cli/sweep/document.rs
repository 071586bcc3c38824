//! A study's report as a Markdown file with its pictures.

use std::path::Path;

use super::super::output_file::write_file;
use crate::input::document::Chart;
use crate::input::problem::{Problem, Problems};
use crate::report::{SweepReport, picture_of, render_markdown};
use crate::study::{Space, figure};

/// Whether every picture can be drawn.
///
/// # Errors
/// Columns that are not there.
pub fn check(space: &Space) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for chart in &space.spec.charts {
        problems.extend(missing(space, chart));
    }
    for column in &space.spec.study.show {
        problems.extend(figure(space, column).err());
    }
    Problems::check(problems, ())
}

fn missing(space: &Space, chart: &Chart) -> Vec<Problem> {
    let names = space.label_names();
    let axes = [&chart.x].into_iter().chain(&chart.by).chain(&chart.and).filter(|axis| !names.contains(axis));
    let unknown = axes.map(|axis| Problem::new(format!("no axis is named `{}`", **axis)).at(space.spec.place(axis), "not what tells designs apart"));
    unknown.chain(chart.y.iter().filter_map(|column| figure(space, column).err())).collect()
}

/// Writes `NAME.md` and its pictures; says what was written.
///
/// # Errors
/// What the file system says.
pub fn write(report: &mut SweepReport<'_>, folder: &Path) -> Result<String, Problems> {
    let name = report.space.spec.found.stem().to_owned();
    let save = |file: &str, text: &str| {
        let path = folder.join(file);
        write_file(&path, text).map_err(|error| Problem::new(format!("cannot write `{}`: {error}", path.display())))
    };
    for (index, chart) in report.space.spec.charts.iter().enumerate() {
        let file = if report.space.spec.charts.len() == 1 { format!("{name}.svg") } else { format!("{name}-{}.svg", index + 1) };
        save(&file, &picture_of(report.space, report.demands, report.rows, chart))?;
        report.pictures.push((chart.title.clone(), file));
    }
    let body = render_markdown(report).replacen("## ", "# ", 1);
    let made = format!("Made by `supernode sweep {name} --document docs/studies` from [`studies/{name}.toml`](../../studies/{name}.toml).\n");
    let sources: Vec<String> = report.space.spec.sources.values().map(|address| format!("- {address}\n")).collect();
    let sources = if sources.is_empty() { String::new() } else { format!("\n## Sources\n\n{}", sources.concat()) };
    let heading = if report.findings.iter().any(|told| told.answer) { "## How to reproduce\n\n" } else { "" };
    save(&format!("{name}.md"), &format!("{body}\n{heading}{made}{sources}"))?;
    Ok(format!("{}/{name}.md\n", folder.display()))
}
