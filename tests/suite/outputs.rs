//! What programs read: JSON by its schema, and tables of one type a column.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::Project;

/// One cheap question for every output that has one; `.ci/schemas` and `.ci/open-tables` ask them all.
const QUESTIONS: [(&str, &[&str]); 16] = [
    ("describe", &["describe", "cloudmatrix384"]),
    ("describe", &["describe", "hgx-h100", "--full"]),
    ("flows", &["flows", "hgx-h100", "flows.csv"]),
    ("replay", &["replay", "t.0.json", "hgx-h100", "--replicate", "2"]),
    (
        "import",
        &["import", "rack.json", "--map", "gpu=h100", "--map", "link=nvlink4-board:1", "--map", "library=generic", "--map", "supply=hgx-h100"],
    ),
    ("collective", &["collective", "hgx-h100", "--op", "all_reduce", "--size", "1KiB..4KiB"]),
    ("collective", &["collective", "hgx-h100", "--op", "all_to_all", "--size", "1MiB", "--ranks", "4", "--groups", "all"]),
    ("collective", &["collective", "hgx-h100", "--op", "all_to_all", "--size", "64KiB", "--fidelity", "packet"]),
    ("experts", &["experts", "hgx-h100", "--size", "7KiB", "--tokens", "4", "--fidelity", "packet"]),
    ("model", &["model", "deepseek-r1"]),
    ("list", &["list", "links"]),
    ("list-file", &["list", "links", "nvlink4-board"]),
    ("simulate", &["simulate", "hgx-h100", "--workload", "llama-3.1-70b-fp8", "--explain"]),
    ("simulate-clip", &["simulate", "hgx-h100", "--clip", "wan2.1-14b-480p"]),
    ("compare", &["compare", "hgx-h100", "l40s-8", "--workload", "llama-3.1-70b-fp8"]),
    ("plan", &["plan", "hgx-h100", "l40s-8", "--workload", "llama-3.1-70b-fp8"]),
];

/// A folder with the files that the questions name.
fn questioned(name: &str) -> Project {
    let node = r#"{"id": 1, "name": "a", "type": 4, "duration_micros": 5}, {"id": 2, "name": "b", "type": 7, "data_deps": [1], "comm_type": 0, "comm_size": 64}"#;
    let rack = r#"{"name": "rack", "devices": [{"name": "rack", "components": [{"choice": "xpu", "count": 4, "name": "gpu"}], "links": [],
        "edges": [{"ep1": {"component": "gpu"}, "ep2": {"component": "gpu"}, "link": "link", "scheme": "many2many"}]}],
        "instances": [{"name": "rack", "device": "rack", "count": 1}]}"#;
    Project::new(name)
        .file("flows.csv", "src,dst,bytes\n0,1,1MB\n0,2,1MB\n")
        .file("t.0.json", &format!(r#"{{"nodes": [{node}, {{"id": 3, "name": "c", "type": 7, "data_deps": [2]}}]}}"#))
        .file("rack.json", rack)
}

fn schema(output: &str) -> Value {
    let path = format!("{}/schema/output/{output}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What a value breaks of a schema, with the place; only the words that the schemas here use.
fn broken(root: &Value, node: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = node["$ref"].as_str() {
        return broken(root, &root["$defs"][name.rsplit('/').next().unwrap()], value, at, found);
    }
    if let Some(choices) = node["anyOf"].as_array() {
        if value.is_null() && choices.iter().any(|choice| choice["type"] == "null") {
            return;
        }
        return broken(root, &choices[0], value, at, found);
    }
    let types: Vec<&str> =
        node["type"].as_str().map_or_else(|| node["type"].as_array().unwrap().iter().filter_map(Value::as_str).collect(), |one| vec![one]);
    let is = |word: &&str| match *word {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("a type `{other}`"),
    };
    if !types.iter().any(is) || node.get("const").is_some_and(|only| only != value) {
        found.push(format!("{at} is {value}, not {types:?}"));
    }
    for (number, entry) in value.as_array().into_iter().flatten().enumerate() {
        broken(root, &node["items"], entry, &format!("{at}[{number}]"), found);
    }
    let known = node["properties"].as_object();
    for required in node["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(required).is_none() {
            found.push(format!("{at} has no `{required}`"));
        }
    }
    for (key, entry) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match known.and_then(|known| known.get(key)) {
            Some(node) => broken(root, node, entry, &at, found),
            None if node["additionalProperties"].is_object() => broken(root, &node["additionalProperties"], entry, &at, found),
            None => found.push(format!("{at} is not in the schema")),
        }
    }
}

#[test]
fn outputs_keep_to_their_schemas() {
    let project = questioned("outputs");
    for (output, question) in QUESTIONS {
        let arguments: Vec<&str> = question.iter().copied().chain(["--format", "json"]).collect();
        let result: Value = serde_json::from_str(&project.run(&arguments).output()).unwrap();
        let schema = schema(output);
        let mut found = Vec::new();
        broken(&schema, &schema, &result, output, &mut found);
        assert!(found.is_empty(), "{question:?}: {found:#?}");
        assert_eq!(result["output"], output);
        assert_eq!(result["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn a_broken_output_is_noticed() {
    let schema = schema("list");
    let whole = serde_json::json!({ "schema": 1, "program": "supernode", "version": "1", "output": "list", "names": [3], "more": 1 });
    let mut found = Vec::new();
    broken(&schema, &schema, &whole, "list", &mut found);
    assert_eq!(found, ["list has no `inputs`", "list has no `standing`", "list.names[0] is 3, not [\"string\"]", "list.more is not in the schema"]);
}

/// The tables that `--tables` lists: names, and the columns of each with their types.
fn listed(project: &Project, question: &[&str]) -> Vec<(String, Vec<(String, String)>)> {
    let all: Vec<&str> = question.iter().copied().chain(["--tables"]).collect();
    let text = project.run(&all).output();
    let tables = text.split("\n\n").map(|block| {
        let mut lines = block.lines();
        let name = lines.next().unwrap().to_owned();
        let column = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            (words.next().unwrap(), words.next().unwrap())
        };
        (name, lines.map(column).collect())
    });
    // A table that takes an option stands with it: `nodes, with --full`.
    tables.filter(|(name, _): &(String, _)| !name.contains(", with ")).collect()
}

fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_table_has_the_columns_and_types_that_are_listed() {
    let project = questioned("outputs-tables");
    let mut filled = 0;
    for (_, question) in QUESTIONS {
        for (number, (table, columns)) in listed(&project, question).into_iter().enumerate() {
            let arguments: Vec<&str> = question.iter().copied().chain(["--format", "csv", "--table", &table]).collect();
            let csv = project.run(&arguments).output();
            let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
            assert_eq!(header, columns.iter().map(|column| column.0.as_str()).collect::<Vec<_>>(), "{question:?} {table}");
            if number == 0 {
                let default: Vec<&str> = question.iter().copied().chain(["--format", "csv"]).collect();
                // One row a design comes first where designs are compared; its columns are those of a sweep.
                let designs: Vec<&str> = default.iter().copied().chain(["--table", "designs"]).collect();
                let first = if question[0] == "compare" { project.run(&designs).output() } else { csv.clone() };
                assert_eq!(project.run(&default).output(), first, "the first table is written if none is asked for");
            }
            for row in rows(&csv) {
                for (name, kind) in &columns {
                    let cell = &row[name];
                    let is_right = match kind.as_str() {
                        "integer" => cell.parse::<i64>().is_ok(),
                        "number" => cell.parse::<f64>().is_ok() && cell.contains(['.', 'e']),
                        "boolean" => cell == "true" || cell == "false",
                        _ => true,
                    };
                    assert!(is_right || cell.is_empty(), "{question:?} {table} {name}: `{cell}` is no {kind}");
                }
                filled += 1;
            }
        }
    }
    assert!(filled > 200, "{filled} rows");
}

#[test]
fn rows_of_tables_within_tables_say_where_they_belong() {
    let project = Project::new("outputs-nested");
    let all = ["collective", "hgx-h100", "--op", "all_to_all", "--size", "1MiB,2MiB", "--ranks", "4", "--groups", "all", "--format", "csv"];
    let table = |name: &str| rows(&project.run(&all.iter().copied().chain(["--table", name]).collect::<Vec<_>>()).output());
    let levels: Vec<String> = table("levels").iter().map(|row| row["bytes"].clone()).collect();
    assert!(levels.contains(&"1048576".to_owned()) && levels.contains(&"2097152".to_owned()), "{levels:?}");
    // A group's own size keeps its name; that of the row it stands in says whose it is.
    assert!(table("concurrent").iter().all(|row| row["bytes"] == row["results_bytes"]));
}

/// Cells of every row of a table of figures on a page.
fn rows_of_page(page: &str, table: &str) -> Vec<Vec<String>> {
    let start = page.find(&format!("data-name=\"{table}\"")).unwrap_or_else(|| panic!("the page has no table {table}"));
    let body = &page[start..][..page[start..].find("</tbody>").unwrap()];
    let cell = |cell: &str| cell.split_once('>').unwrap().1.split("</td>").next().unwrap().to_owned();
    body.split("<tr>").skip(2).map(|row| row.split("<td").skip(1).map(cell).collect()).collect()
}

/// What a page has in its tables, from which its chart is drawn, is what CSV has; what runs is drawn over time.
#[test]
fn a_page_has_the_figures_of_the_tables() {
    let project = Project::new("outputs-page");
    let question = ["serve", "hgx-h100", "--workload", "llama-3.1-70b-fp8", "--shape", "1k1k", "--rate", "2", "--requests", "20"];
    project.run(&[&question[..], &["--html", "page.html"]].concat()).output();
    let page = project.text("page.html");
    assert!(page.contains("data-table=\"over_time\" data-x=\"start_s\" data-y=\"running\""), "the chart's first view");
    assert!(!page.contains("src=\"") && !page.contains("@import") && page.contains("default-src 'none'"), "a page fetches nothing");
    for table in ["summary", "over_time"] {
        let csv = project.run(&[&question[..], &["--format", "csv", "--table", table]].concat()).output();
        let expected: Vec<Vec<String>> =
            csv::Reader::from_reader(csv.as_bytes()).into_records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        let found = rows_of_page(&page, table);
        assert!(!expected.is_empty() && found.len() == expected.len(), "{table}: {} rows, {} of CSV", found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let number = |text: &str| text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string());
            let numbers = |cells: &[String]| cells.iter().map(|cell| number(cell)).collect::<Vec<_>>();
            assert_eq!(numbers(found), numbers(expected), "{table}");
        }
    }
    let starts: Vec<f64> = rows_of_page(&page, "over_time").iter().map(|row| row[3].parse().unwrap()).collect();
    assert!(starts[0] == 0.0 && starts.windows(2).all(|pair| pair[1] > pair[0]), "{starts:?}");
}

#[test]
fn inputs_are_the_files_read_with_their_hashes() {
    let project = Project::new("outputs-inputs").file("own.toml", "schema = 1\nextends = \"hgx-h100\"\n");
    let found: Value = serde_json::from_str(&project.run(&["describe", "own.toml", "--format", "json"]).output()).unwrap();
    let inputs: BTreeMap<&str, &str> =
        found["inputs"].as_array().unwrap().iter().map(|file| (file["path"].as_str().unwrap(), file["hash"].as_str().unwrap())).collect();
    // sha256sum of the two lines.
    assert_eq!(inputs["own.toml"], "sha256:64a0772eba30c179b99d77b807b6af742074cc9212eafe353ade82d8c563113e");
    assert!(inputs.contains_key("topologies/hgx-h100.toml") && inputs.contains_key("topologies/parts/chips/h100.toml"), "{inputs:?}");
    assert!(!inputs.keys().any(|path| path.contains("a100")), "only what was read: {inputs:?}");
    // A file that is read twice, as it was given and as a path, stands once.
    let checked: Value = serde_json::from_str(&project.run(&["check", "own.toml", "--format", "json"]).output()).unwrap();
    let paths: Vec<&str> = checked["inputs"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths.iter().filter(|path| path.ends_with("own.toml")).collect::<Vec<_>>(), [&"own.toml"], "{paths:?}");
}

#[test]
fn tables_are_refused_where_there_are_none() {
    let project = Project::new("outputs-refused");
    let text = project.run(&["list", "--table", "names"]);
    text.fails("error: --table: text, Markdown and JSON hold all tables; add --format csv or parquet\n");
    project.run(&["list", "--table", "name", "--format", "csv"]).fails("error: --table: `name`: no such table; there are names, summary, inputs\n");
    let nodes = ["describe", "hgx-h100", "--format", "csv", "--table", "nodes"];
    project.run(&nodes).fails("error: --table: `nodes`: add --full, without which this answer has no such table\n");
    assert_eq!(project.run(&[&nodes[..], &["--full"]].concat()).output().lines().count(), 1 + 14, "8 chips, 4 switches, 2 hosts");
    assert!(project.run(&["describe", "hgx-h100", "--tables"]).output().contains("\n\nnodes, with --full\n"));
    assert!(project.run(&["describe", "hgx-h100", "--full", "--tables"]).output().contains("\n\nnodes\n"));
}

/// Names that sources of a folder return from `output`.
fn outputs_in(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            outputs_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let bodies = text.split("fn output(&self) -> &'static str {").skip(1);
            found.extend(bodies.filter_map(|body| body.split('}').next()?.split('"').nth(1).map(str::to_owned)));
        }
    }
}

/// What the how-to for a command asks for and no compiler holds: a schema for every output, a section of the book for every command.
#[test]
fn nothing_of_a_command_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut outputs = Vec::new();
    ["src/report", "src/cli"].iter().for_each(|folder| outputs_in(&root.join(folder), &mut outputs));
    assert!(outputs.len() > 25, "{outputs:?}");
    for output in outputs {
        assert!(root.join(format!("schema/output/{output}.json")).exists(), "`{output}` has no schema in schema/output, and so no tables");
    }
    let help = Project::new("outputs-commands").run(&["--help"]).output();
    let listed = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !["", "help"].contains(name)).collect();
    assert!(commands.len() > 25, "{commands:?}");
    let book = fs::read_to_string(root.join("docs/commands.md")).unwrap();
    for command in commands {
        assert!(book.contains(&format!("\n### {command}\n")), "docs/commands.md has no section on `{command}`");
    }
}
