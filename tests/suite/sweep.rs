//! Sweeps: the same bytes however they are run, nothing lost when they are stopped, clear errors before work starts.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::Project;
use serde_json::Value;

const STUDY: &str = r#"schema = 1
[study]
name = "small"
supernodes = ["hgx-h200", "hgx-h100"]
workloads = ["llama-3.1-70b-fp8"]
message_sizes = ["16 KiB"]

[[axis]]
name = "hbm"
path = "chip.memory.bandwidth"
list = ["3.35 TB/s", "8 TB/s"]

[[axis]]
name = "rate"
path = "link.lane_rate"
range = { from = "25 Gbit/s", to = "200 Gbit/s", points = 4 }

[[constraint]]
column = "racks_w"
most = "8.555 kW"

[[objective]]
maximise = "served_tokens_per_s"
[[objective]]
minimise = "racks_w"
"#;

/// The study's 16 designs, at once.
fn whole(project: &Project, out: &str) -> Vec<u8> {
    project.run(&["sweep", "s.toml", "--out", out]).output();
    fs::read(project.path().join(out)).unwrap()
}

#[test]
fn threads_shards_and_interruptions_give_the_same_bytes() {
    let project = Project::new("sweep-same").file("s.toml", STUDY);
    let once = whole(&project, "once.csv");
    project.run(&["sweep", "s.toml", "--out", "one.csv", "--threads", "1"]).output();
    assert_eq!(project.text("one.csv").as_bytes(), once);
    for shard in ["2/3", "0/3"] {
        project.run(&["sweep", "s.toml", "--out", "cut.csv", "--shard", shard]).output();
    }
    project.run(&["sweep", "s.toml", "--out", "cut.csv", "--join"]).fails(
        "error: 1 of 3 shards of `cut.csv` are not finished: 1/3 (0 of 5 designs)\n |\n = help: run them again with --shard; they go on where they were\n",
    );
    project.run(&["sweep", "s.toml", "--out", "cut.csv", "--shard", "1/3"]).output();
    project.run(&["sweep", "s.toml", "--out", "cut.csv", "--join"]).output();
    assert_eq!(project.text("cut.csv").as_bytes(), once);
    for format in ["jsonl", "parquet"] {
        if format == "parquet" && !cfg!(feature = "parquet") {
            continue;
        }
        let one = whole(&project, &format!("one.{format}"));
        project.run(&["sweep", "s.toml", "--out", &format!("two.{format}"), "--shard", "0/1"]).output();
        assert_eq!(fs::read(project.path().join(format!("two.{format}"))).unwrap(), one);
    }
}

#[test]
fn a_killed_sweep_loses_no_finished_row() {
    // Enough designs to be killed in the middle of.
    let study = STUDY.replace("points = 4", "points = 50");
    let project = Project::new("sweep-killed").file("s.toml", &study);
    let journal = project.path().join("r.csv.journal");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.matches('\n').count());
    let mut child = Command::new(env!("CARGO_BIN_EXE_supernode"))
        .args(["sweep", "s.toml", "--out", "r.csv"])
        .current_dir(project.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while lines() < 20 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!project.path().join("r.csv").exists(), "it was to be killed before its end");
    let before = fs::read_to_string(&journal).unwrap();
    assert!(before.lines().count() >= 20);
    // As if the kill had come in the middle of a line.
    fs::write(&journal, format!("{before}{{\"i\":3,\"f\":[1.")).unwrap();
    // Three designs short of all, by a study that is told that it has no more: what is kept is not computed again.
    project.run(&["sweep", "s.toml", "--out", "r.csv"]).output();
    let once = whole(&project, "once.csv");
    assert_eq!(fs::read(project.path().join("r.csv")).unwrap(), once);
    project.run(&["sweep", "s.toml", "--out", "r.csv"]).succeeds("`r.csv` is complete: nothing to do\n");
}

#[test]
fn kept_rows_are_not_computed_again() {
    let project = Project::new("sweep-kept").file("s.toml", STUDY);
    project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "0/2"]).output();
    // A row that no computation gives is still there after the shard has gone on.
    let kept = project.text("r.csv.shard-0-of-2");
    let marked: String = kept
        .lines()
        .enumerate()
        .filter(|(line, _)| *line != 2)
        .map(|(line, text)| if line == 1 { text.replacen(":[8.0", ":[9.0", 1) } else { text.to_owned() } + "\n")
        .collect();
    assert_ne!(marked.lines().nth(1), kept.lines().nth(1));
    fs::write(project.path().join("r.csv.shard-0-of-2"), &marked).unwrap();
    project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "0/2"]).output();
    let after = project.text("r.csv.shard-0-of-2");
    assert!(after.starts_with(&marked) && after.lines().count() == kept.lines().count());
}

#[test]
fn a_full_disk_keeps_what_is_finished() {
    let study = STUDY.replace("points = 4", "points = 20");
    let project = Project::new("sweep-full").file("s.toml", &study);
    // No file may grow beyond 8 blocks; the signal that says so is ignored, so that writing fails as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {} sweep s.toml --out r.csv", env!("CARGO_BIN_EXE_supernode"));
    let full = Command::new("sh").args(["-c", &script]).current_dir(project.path()).output().unwrap();
    let error = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: cannot write `r.csv.journal`: File too large"), "{error}");
    assert!(error.contains("all finished rows are kept; run the same command again to go on"), "{error}");
    let journal = project.text("r.csv.journal");
    assert!(journal.ends_with('\n') && journal.lines().count() > 3);
    project.run(&["sweep", "s.toml", "--out", "r.csv"]).output();
    assert_eq!(fs::read(project.path().join("r.csv")).unwrap(), whole(&project, "once.csv"));
}

#[test]
fn a_design_of_a_sweep_is_the_design_that_simulate_sees() {
    let project = Project::new("sweep-simulate").file("s.toml", STUDY);
    let rows = String::from_utf8(whole(&project, "r.jsonl")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 16);
    // The H100 server with 8 TB/s and links of 25 Gbit/s a lane, as files that say the same.
    let first = &rows[8 + 4];
    assert_eq!((first["hbm"].as_f64(), first["rate"].as_f64()), (Some(8e12), Some(25e9 / 8.0)));
    let part =
        |folder: &str, name: &str| fs::read_to_string(format!("{}/topologies/parts/{folder}/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let rate = |text: String| {
        text.lines()
            .map(|line| if line.starts_with("lane_rate") { "lane_rate = \"25 Gbit/s\"\n".to_owned() } else { format!("{line}\n") })
            .collect::<String>()
    };
    let supernode = "schema = 1\nextends = \"hgx-h100\"\n[supernode]\nchip = \"./chip.toml\"\n[[level]]\nname = \"node\"\nlink = \"./link.toml\"\n[[level.attach]]\ncpu = \"x86-server\"\ncount = 2\nlink = \"./host.toml\"\nto = \"chips\"\n";
    let project = project
        .file("own.toml", supernode)
        .file("chip.toml", &part("chips", "h100").replace("bandwidth = \"3.35 TB/s\"", "bandwidth = \"8 TB/s\""))
        .file("link.toml", &rate(part("links", "nvlink4-board")))
        .file("host.toml", &rate(part("links", "pcie5-x16")));
    let shown = project.run(&["simulate", "./own.toml", "--workload", "llama-3.1-70b-fp8", "--format", "json"]).output();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["decode"]["tokens_per_s"], first["decode_tokens_per_s"]);
    assert_eq!(shown["power"]["total_w"], first["racks_w"]);
}

#[test]
fn draws_repeat_and_cover_their_axes() {
    let draws = STUDY.replace("message_sizes = [\"16 KiB\"]", "method = { latin-hypercube = { points = 8, seed = 3 } }").replace(", points = 4", "");
    let project = Project::new("sweep-draws").file("s.toml", &draws);
    let rows = String::from_utf8(whole(&project, "r.jsonl")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // One rate in each eighth of the range, each supernode and each bandwidth four times.
    let mut eighths: Vec<u32> = rows.iter().map(|row| ((row["rate"].as_f64().unwrap() * 8.0 - 25e9) / 175e9 * 8.0) as u32).collect();
    eighths.sort_unstable();
    assert_eq!(eighths, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(rows.iter().filter(|row| row["supernode"] == "hgx-h200").count(), 4);
    assert_eq!(rows.iter().filter(|row| row["hbm"].as_f64() == Some(8e12)).count(), 4);
}

#[test]
fn what_is_wrong_with_a_study_is_said_before_work_starts() {
    let cases = [
        (
            "chip.memory.bandwidth",
            "chip.memory.bandwith",
            "error: unknown key `bandwith`\n  --> s.toml:10:8\n   |\n10 | path = \"chip.memory.bandwith\"\n   |        ^^^^^^^^^^^^^^^^^^^^^^ did you mean `bandwidth`?\n   |\n   = help: memory takes: `capacity`, `bandwidth`, `usable`\n",
        ),
        (
            "link.lane_rate",
            "link[nvlink4-bord].lane_rate",
            "error: `link[nvlink4-bord].lane_rate` names nothing in any design of the study\n  --> s.toml:15:8\n   |\n15 | path = \"link[nvlink4-bord].lane_rate\"\n   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no such value\n   |\n   = help: did you mean `nvlink4-board`?\n",
        ),
        (
            "link.lane_rate",
            "lnk.lane_rate",
            "error: `lnk.lane_rate` leads into no file\n  --> s.toml:15:8\n   |\n15 | path = \"lnk.lane_rate\"\n   |        ^^^^^^^^^^^^^^^ no file has a table `lnk`\n   |\n   = help: did you mean `link`?\n",
        ),
        (
            "\"8 TB/s\"",
            "\"8 Tb/s\"",
            "error: `bandwidth` is not a bandwidth\n  --> s.toml:11:22\n   |\n11 | list = [\"3.35 TB/s\", \"8 Tb/s\"]\n   |                      ^^^^^^^^ `b` is ambiguous: write \"8 Tbit/s\" for bits or \"8 TB/s\" for bytes\n   |\n   = help: bits are spelt out: bit; bytes are B\n",
        ),
        (
            "list = [\"3.35 TB/s\", \"8 TB/s\"]",
            "list = []",
            "error: axis `hbm` has no values\n --> s.toml:9:8\n  |\n9 | name = \"hbm\"\n  |        ^^^^^ the space of the study is empty\n",
        ),
        (
            "path = \"chip.memory.bandwidth\"\nlist = [\"3.35 TB/s\", \"8 TB/s\"]",
            "path = \"mapping.tp\"\nlist = [8, 0]",
            "error: `0` is no degree\n  --> s.toml:11:12\n   |\n11 | list = [8, 0]\n   |            ^ expected a whole number of 1 or more\n",
        ),
        (
            "points = 4",
            "points = 1000000 }\n[[axis]]\nname = \"more\"\npath = \"chip.memory.capacity\"\nrange = { from = \"80 GB\", to = \"90 GB\", points = 1000000",
            "error: the grid has 2 x 2 x 1000000 x 1000000 = 4.000e12 designs, more than the 10000000 that a sweep tries\n  --> s.toml:18:8\n   |\n18 | name = \"more\"\n   |        ^^^^^^ the longest axis\n   |\n   = help: draw from it with `method = { latin-hypercube = { points = 10000, seed = 1 } }`, or search it with `supernode optimize`\n",
        ),
        (
            "racks_w\"\nmost = \"8.555 kW\"",
            "racks_w\"\nmost = \"8.05 kB\"",
            "error: `8.05 kB` is no bound for `racks_w`\n  --> s.toml:20:8\n   |\n20 | most = \"8.05 kB\"\n   |        ^^^^^^^^^ expected a power such as \"1.3 kW\"\n",
        ),
        (
            "minimise = \"racks_w\"",
            "minimise = \"rack_s\"",
            "error: no column is named `rack_s`\n  --> s.toml:25:12\n   |\n25 | minimise = \"rack_s\"\n   |            ^^^^^^^^ not a figure of the results\n   |\n   = help: did you mean `rack_w`?\n",
        ),
    ];
    let project = Project::new("sweep-bad");
    for (right, wrong, expected) in cases {
        assert!(STUDY.contains(right));
        fs::write(project.path().join("s.toml"), STUDY.replacen(right, wrong, 1)).unwrap();
        project.run(&["sweep", "s.toml", "--out", "r.csv"]).fails(expected);
        assert!(!project.path().join("r.csv.journal").exists(), "no work has started");
    }
}

#[test]
fn what_belongs_to_another_study_is_left_alone() {
    let project = Project::new("sweep-foreign").file("s.toml", STUDY).file("r.csv", "mine\n");
    project
        .run(&["sweep", "s.toml", "--out", "r.csv"])
        .fails("error: `r.csv` exists, and nothing says that it belongs to `s.toml`\n |\n = help: remove it, or choose another --out\n");
    assert_eq!(project.text("r.csv"), "mine\n");
    project.run(&["sweep", "s.toml", "--out", "t.csv"]).output();
    let before = project.text("t.csv");
    let project = project.file("s.toml", &STUDY.replace("8.555 kW", "8.1 kW"));
    project.run(&["sweep", "s.toml", "--out", "t.csv"]).fails(
        "error: `t.csv.journal` has rows of `s.toml` as it was before it, its files or the program changed\n |\n = help: remove it with its output, or choose another --out\n",
    );
    assert_eq!(project.text("t.csv"), before);
    project.run(&["sweep", "s.toml", "--out", "t.txt"]).fails("error: --out: `t.txt` should end in .csv, .jsonl or .parquet\n");
}

#[test]
fn a_search_finds_what_the_grid_finds() {
    let study =
        STUDY.replace("points = 4", "points = 12").replace("racks_w\"\nmost = \"8.555 kW\"", "injection_bytes_per_s\"\nmost = \"500 GB/s\"").replace(
            "[[constraint]]",
            "[[axis]]\nname = \"hop\"\npath = \"switch.latency\"\nlog_range = { from = \"50 ns\", to = \"800 ns\", points = 9 }\n\n[[constraint]]",
        );
    let project = Project::new("optimize").file("s.toml", &study);
    let best = |budget: &str| -> Value {
        serde_json::from_str(&project.run(&["optimize", "s.toml", "--budget", budget, "--format", "json"]).output()).unwrap()
    };
    // 2 x 2 x 12 x 9 designs; the search may try a quarter of them.
    let (grid, search) = (best("432"), best("108"));
    assert_eq!((&grid["exhausted"], &grid["tried"]), (&Value::from(true), &Value::from(432)));
    assert_eq!(search["exhausted"], Value::from(false));
    assert!(search["tried"].as_u64().unwrap() <= 108);
    let served = |found: &Value| found["best"]["figures"]["served_tokens_per_s"].as_f64().unwrap();
    assert!(served(&search) <= served(&grid) && served(&search) > served(&grid) * 0.9999, "{} of {}", served(&search), served(&grid));
    assert_eq!(search["best"]["design"]["hbm"], grid["best"]["design"]["hbm"]);
    assert!(grid["best"]["figures"]["injection_bytes_per_s"].as_f64().unwrap() <= 500e9, "the bound holds, and bites");
    let free = project.file("s.toml", &study.replace("500 GB/s", "99 TB/s"));
    let free: Value = serde_json::from_str(&free.run(&["optimize", "s.toml", "--budget", "432", "--format", "json"]).output()).unwrap();
    assert_ne!(free["best"], grid["best"]);
}
