//! A trace as a file: whole nanoseconds, and what it is a trace of.

use serde_json::{Map, Value as Json};

/// Rounds the times of a Chrome trace to whole nanoseconds, so that what follows each other does not overlap by a digit, and writes down program, machine and
/// workload.
#[must_use]
pub fn trace_file(mut trace: Json, supernode: &str, workload: &str) -> String {
    for event in trace.get_mut("traceEvents").and_then(Json::as_array_mut).into_iter().flatten() {
        let nanoseconds = |microseconds: f64| (microseconds * 1e3).round();
        let Some(start) = event["ts"].as_f64() else { continue };
        event["ts"] = (nanoseconds(start) / 1e3).into();
        if let Some(length) = event["dur"].as_f64() {
            event["dur"] = ((nanoseconds(start + length) - nanoseconds(start)) / 1e3).into();
        }
    }
    let about = [("program", "supernode"), ("version", env!("CARGO_PKG_VERSION")), ("supernode", supernode), ("workload", workload)];
    let about: Map<String, Json> = about.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    trace["otherData"] = Json::Object(about);
    trace["displayTimeUnit"] = "ns".into();
    trace.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn neighbours_meet_at_a_nanosecond() {
        // A third of a microsecond three times: the ends are 0.333, 0.667 and 1.000.
        let third = 1.0 / 3.0;
        let events: Vec<Json> = [0.0, third, 2.0 * third].map(|ts| json!({ "ph": "X", "ts": ts, "dur": third })).to_vec();
        let trace: Json = serde_json::from_str(&trace_file(json!({ "traceEvents": events }), "a", "b")).unwrap();
        let spans = trace["traceEvents"].as_array().unwrap().iter().map(|event| [event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap()]);
        assert_eq!(spans.collect::<Vec<_>>(), [[0.0, 0.333], [0.333, 0.334], [0.667, 0.333]]);
        assert_eq!([&trace["otherData"]["supernode"], &trace["otherData"]["workload"], &trace["displayTimeUnit"]], ["a", "b", "ns"]);
    }
}
