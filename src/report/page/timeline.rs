//! A trace as a picture: the first layers of every pass, one row a thread.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::super::chart::{COLOURS, escaped};

const WIDTH: f64 = 1080.0;
const LEFT: f64 = 190.0;
const ROW: f64 = 24.0;
/// Layers that are drawn: with more, a bar is thinner than a line.
const LAYERS: u64 = 3;

/// Draws the events of a Chrome trace; `None` where it has none.
#[must_use]
pub fn timeline_svg(trace: &Json) -> Option<String> {
    let events = trace["traceEvents"].as_array()?;
    let named = |kind: &str| -> BTreeMap<(u64, u64), &str> {
        let of = events.iter().filter(|event| event["name"] == kind);
        of.filter_map(|event| {
            Some(((event["pid"].as_u64()?, if kind == "process_name" { 0 } else { event["tid"].as_u64()? }), event["args"]["name"].as_str()?))
        })
        .collect()
    };
    let (processes, threads) = (named("process_name"), named("thread_name"));
    let mut kinds: Vec<&str> = Vec::new();
    let mut body = String::new();
    let mut y = 8.0;
    for (process, name) in processes.iter().map(|((process, _), name)| (*process, *name)) {
        let own: Vec<&Json> = events
            .iter()
            .filter(|event| event["ph"] == "X" && event["pid"] == process && event["args"]["layer"].as_u64().unwrap_or(0) < LAYERS)
            .collect();
        let number = |event: &Json, key: &str| event[key].as_f64().unwrap_or(0.0);
        let end = own.iter().map(|event| number(event, "ts") + number(event, "dur")).fold(0.0, f64::max);
        if end <= 0.0 {
            continue;
        }
        let _ = writeln!(body, "<text x=\"4\" y=\"{:.0}\" font-weight=\"600\">{}: first layers, {end:.0} µs</text>", y + 14.0, escaped(name));
        y += ROW;
        for ((_, thread), label) in threads.iter().filter(|((of, _), _)| *of == process) {
            let here: Vec<&&Json> = own.iter().filter(|event| event["tid"] == *thread).collect();
            if here.is_empty() {
                continue;
            }
            let _ = writeln!(body, "<text x=\"4\" y=\"{:.0}\" fill=\"#5b6b7b\">{}</text>", y + 14.0, escaped(label));
            for event in here {
                let kind = event["cat"].as_str().unwrap_or_default();
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
                let colour = COLOURS[kinds.iter().position(|known| *known == kind).unwrap_or(0) % COLOURS.len()];
                let scale = (WIDTH - LEFT - 10.0) / end;
                let (start, length) = (number(event, "ts"), number(event, "dur"));
                let words = format!("{}, {kind}: {length:.3} µs from {start:.3} µs", event["name"].as_str().unwrap_or_default());
                let _ = writeln!(
                    body,
                    "<rect x=\"{:.2}\" y=\"{:.0}\" width=\"{:.2}\" height=\"{:.0}\" fill=\"{colour}\" stroke=\"white\" stroke-width=\"0.4\"><title>{}</title></rect>",
                    LEFT + start * scale,
                    y + 2.0,
                    (length * scale).max(0.4),
                    ROW - 6.0,
                    escaped(&words)
                );
            }
            y += ROW;
        }
        y += 8.0;
    }
    y = legend(&kinds, &mut body, y);
    (!kinds.is_empty()).then(|| {
        let height = y + 22.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n{body}</svg>\n"
        )
    })
}

/// Draws what the colours mean, five to a line, and returns where the last line stands.
fn legend(kinds: &[&str], body: &mut String, mut y: f64) -> f64 {
    for (at, kind) in kinds.iter().enumerate() {
        let x = LEFT + 175.0 * (at % 5) as f64;
        let _ = writeln!(
            body,
            "<rect x=\"{x}\" y=\"{y:.0}\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"{:.0}\">{}</text>",
            COLOURS[at % COLOURS.len()],
            x + 17.0,
            y + 11.0,
            escaped(kind)
        );
        y += if at % 5 == 4 { 18.0 } else { 0.0 };
    }
    y
}
