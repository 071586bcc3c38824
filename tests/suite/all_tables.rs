//! Every table of every command: cells have the type of what stands in them, and a table that takes an option is refused without it.

use std::fs;

use supernode::{Answer, ColumnCells};

use crate::command::Project;

/// The questions of `.ci/questions`, with a study of two designs in place of a shipped one of a hundred.
fn questions() -> Vec<Vec<String>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/questions")).unwrap();
    let words = |line: &str| line.replace("sweep domain-size", "sweep study.toml").split(' ').map(str::to_owned).collect();
    text.lines().filter(|line| !line.starts_with('#')).map(words).collect()
}

const STUDY: &str = r#"schema = 1
[study]
name = "small"
supernodes = ["hgx-h100"]
workloads = ["llama-3.1-70b-fp8"]
show = ["decode_per_chip_tokens_per_s"]
draws = { points = 20, seed = 1 }

[[axis]]
name = "hbm"
path = "chip.memory.bandwidth"
list = ["3.35 TB/s", "8 TB/s"]

[[axis]]
name = "tpot"
path = "workload.decode.tpot_limit"
list = ["20 ms", "50 ms"]

[[objective]]
maximise = "decode_per_chip_tokens_per_s"

[[finding]]
say = "Memory of 8 TB/s decodes {} times as much."
answer = true
chance = true
along = "tpot"
column = "decode_per_chip_tokens_per_s"
of = { hbm = "8 TB/s", tpot = "20 ms" }
over = { hbm = "3.35 TB/s", tpot = "20 ms" }
least = 1.1
"#;

/// A folder with the files that the questions name.
fn folder() -> Project {
    let node = |id: u8| format!(r#"{{"id": {id}, "name": "a", "type": 7, "comm_type": 0, "comm_size": 1048576}}"#);
    let project = Project::new("all-tables").folder("trace").file("flows.csv", "src,dst,bytes\n0,1,1MB\n1,2,1MB\n").file("study.toml", STUDY);
    let machine = project.run(&["describe", "hgx-h100", "--full", "--format", "infragraph"]).output();
    let chip = project.run(&["list", "chips", "h100"]).output();
    let trace = |project: Project, rank: u8| project.file(&format!("trace/t.{rank}.json"), &format!(r#"{{"nodes": [{}]}}"#, node(1)));
    trace(trace(project.file("machine.json", &machine).file("h100.toml", &chip), 0), 1)
}

/// Asked in this process, which computes an answer once for all of its tables. Files are named by whole paths.
fn answer(project: &Project, question: &[String]) -> Answer {
    let here = |word: &String| {
        let path = project.path().join(word);
        if path.exists() { path.to_str().unwrap().to_owned() } else { word.clone() }
    };
    let words: Vec<String> = question.iter().map(here).collect();
    supernode::ask(&words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{question:?}: {error}"))
}

/// Texts that may look like figures: the values of an axis, which may be names.
const WORDS: [(&str, &str); 1] = [("along", "shows")];

/// Whether a text holds figures, and nothing else.
fn is_figures(cell: &str) -> bool {
    cell.split("; ").all(|part| part.is_empty() || part.parse::<f64>().is_ok()) && !cell.is_empty() || cell.starts_with(['[', '{'])
}

#[test]
fn figures_of_all_tables_are_figures() {
    let project = folder();
    let mut seen = 0;
    for question in questions() {
        let found = answer(&project, &question);
        for name in found.table_names() {
            let table = found.table(Some(&name)).unwrap();
            for (column, cells) in table.columns().filter(|(column, _)| !WORDS.contains(&(name.as_str(), column))) {
                let ColumnCells::Text(texts) = cells else { continue };
                let wrong = texts.iter().flatten().find(|text| is_figures(text));
                assert!(wrong.is_none(), "{question:?}: `{column}` of `{name}` holds {wrong:?} as a text");
            }
            seen += 1;
        }
        // What `--tables` lists is what the answer has; a table that is listed with an option has no rows without it.
        let all: Vec<&str> = question.iter().map(String::as_str).chain(["--tables"]).collect();
        let listed = project.run(&all).output();
        for line in listed.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')) {
            let (name, option) = line.split_once(", with").unwrap_or((line, ""));
            match found.table(Some(name)) {
                Some(table) => assert!(option.is_empty() || table.rows() == 0, "{question:?}: `{line}` has rows"),
                None => {
                    let why = found.no_table(Some(name));
                    assert!(why.starts_with("add ") || why.starts_with("leave out "), "{question:?}: {line}: {why}");
                    assert!(!option.is_empty(), "{question:?}: `{name}` is listed without the option that it takes: {why}");
                }
            }
        }
    }
    assert!(seen > 150, "{seen} tables");
}

/// Without the option that fills it a table would be a header alone.
#[test]
fn a_table_without_its_option_is_refused() {
    let project = Project::new("all-tables-refused").file("flows.csv", "src,dst,bytes\n0,1,1MB\n");
    let model = ["--workload", "llama-3.1-70b-fp8"];
    let cases: [(&[&str], &[&str], &str, &str); 14] = [
        (&["simulate", "hgx-h100", "--draws", "0"], &model, "mappings", "add --explain"),
        (&["simulate", "hgx-h100", "--draws", "0"], &model, "refused", "add --explain"),
        (&["simulate", "hgx-h100", "--draws", "0"], &model, "packet_transfers", "add --fidelity packet"),
        (&["simulate", "hgx-h100", "--draws", "0"], &model, "ranges", "add --draws 24"),
        (&["compare", "hgx-h100", "l40s-8", "--draws", "0"], &model, "ranges", "add --draws 24"),
        (&["collective", "hgx-h100", "--op", "all_reduce", "--size", "1MiB"], &[], "concurrent", "add --beside or --groups"),
        (&["collective", "hgx-h100", "--op", "all_reduce", "--size", "1MiB"], &[], "concurrent_levels", "add --beside or --groups"),
        (&["describe", "hgx-h100"], &[], "edges", "add --full"),
        (&["train", "hgx-h100-ib-256"], &model, "layouts", "add --explain"),
        (&["train", "hgx-h100-ib-256"], &model, "layout_step_time", "add --explain"),
        (&["sensitivity", "hgx-h100"], &model, "sources", "add --sources"),
        (&["uncertainty", "hgx-h100", "--draws", "20"], &model, "first_beats_second", "add a second supernode"),
        (&["flows", "hgx-h100", "flows.csv"], &[], "packet_queues", "add --fidelity packet"),
        (&["validate", "--system", "cloudmatrix384"], &[], "exceeded", "add --strict"),
    ];
    for (question, more, table, change) in cases {
        let all: Vec<&str> = question.iter().chain(more).copied().chain(["--format", "csv", "--table", table]).collect();
        project.run(&all).fails(&format!("error: --table: `{table}`: {change}, without which this answer has no such table\n"));
    }
}

/// Whether a second machine is there is read from the command line, options between its words or not.
#[test]
fn a_second_machine_is_seen_by_the_list_of_tables() {
    let project = Project::new("all-tables-second");
    let listed = |words: &[&str]| {
        let text = project.run(&[words, &["--tables"]].concat()).output();
        text.lines().find(|line| line.starts_with("first_beats_second")).unwrap().to_owned()
    };
    assert_eq!(listed(&["uncertainty"]), "first_beats_second, with a second supernode");
    assert_eq!(listed(&["uncertainty", "hgx-h100", "--draws", "20"]), "first_beats_second, with a second supernode");
    assert_eq!(listed(&["uncertainty", "hgx-h100", "hgx-a100"]), "first_beats_second");
    assert_eq!(listed(&["uncertainty", "hgx-h100", "--draws", "20", "hgx-a100", "--format", "csv"]), "first_beats_second");
}

/// A table that the answer leaves out for its size is not an empty table.
#[test]
fn a_table_that_is_left_out_is_refused_with_the_reason() {
    // Flows to one chip end one after the other: as many rates as half the square of their number.
    let flows: String = (0..4600).map(|flow| format!("{},7,{}\n", flow % 7, 1_000_000 + flow)).collect();
    let project = Project::new("all-tables-left-out").file("flows.csv", &format!("src,dst,bytes\n{flows}"));
    let csv = |table: &str| project.run(&["flows", "hgx-h100", "flows.csv", "--format", "csv", "--table", table]);
    csv("rates").fails("error: --table: `rates`: this answer leaves the table out: too many flows change their rate too often\n");
    for table in ["bottlenecks", "bottleneck_flows"] {
        csv(table).fails(&format!(
            "error: --table: `{table}`: this answer leaves the table out: too many flows change their rate too often, and what holds them back follows from their rates\n"
        ));
    }
    assert_eq!(csv("flows").output().lines().count(), 4601);
    let listed = project.run(&["flows", "hgx-h100", "flows.csv", "--tables"]).output();
    assert!(listed.contains("\nrates\n") && listed.contains("\nbottleneck_flows\n"), "{listed}");
}

#[test]
fn instances_and_their_blocks_are_counts() {
    let project = Project::new("all-tables-pools");
    let question = ["serve", "gb200-nvl72", "--workload", "chat", "--mode", "apart", "--rate", "2", "--requests", "20", "--format", "csv"];
    let table = project.run(&[&question[..], &["--table", "pools"]].concat()).output();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("supernode,workload,pool,instances,cache_blocks,mapping"));
    let counts: Vec<Vec<Option<u64>>> = lines.map(|line| line.split(',').skip(2).take(3).map(|cell| cell.parse().ok()).collect()).collect();
    assert_eq!(counts.len(), 2, "{table}");
    assert!(counts.iter().zip(0..).all(|(row, pool)| row[0] == Some(pool) && row[1..].iter().all(Option::is_some)), "{table}");
}
