//! Options, journals, pictures and devices at their extremes: a clear refusal, never a panic, never a wrong file.

use std::fs;
use std::process::{Command, Stdio};

use crate::command::Project;

const STUDY: &str = r#"schema = 1
[study]
name = "tiny"
supernodes = ["hgx-h100"]
workloads = ["llama-3.1-70b-fp8"]

[[axis]]
name = "hbm"
path = "chip.memory.bandwidth"
list = ["3 TB/s", "4 TB/s"]
"#;

#[test]
fn a_plan_that_serves_nothing_has_a_picture() {
    let project = Project::new("plan-nothing");
    project.run(&["plan", "hgx-h100", "--from", "2026-01-01", "--to", "2026-06-01", "--plot", "p.svg"]).output();
    let picture = project.text("p.svg");
    assert!(picture.contains("(serves nothing)"), "{picture}");
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
}

#[test]
fn draws_have_an_upper_bound() {
    for draws in ["1000000000", "1000000000000000000"] {
        let error = Project::new("draws").run(&["uncertainty", "hgx-h100", "--draws", draws]).error();
        assert!(error.contains("1000000"), "{error}");
    }
}

#[test]
fn a_journal_with_rows_that_are_not_of_the_study_is_refused() {
    let project = Project::new("journal-rows").file("s.toml", STUDY);
    project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "0/2"]).output();
    let journal = project.path().join("r.csv.shard-0-of-2");
    let sound = fs::read_to_string(&journal).unwrap();
    for row in ["{\"i\":0,\"f\":[1.0]}", "{\"i\":77,\"f\":[]}"] {
        fs::write(&journal, format!("{sound}{row}\n")).unwrap();
        let error = project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "0/2"]).error();
        assert!(error.contains("line 3 of `r.csv.shard-0-of-2` is not a row of its study"), "{error}");
    }
}

#[test]
fn joining_takes_no_stray_shard_and_no_row_of_another() {
    let project = Project::new("join-stray").file("s.toml", STUDY);
    let stray = project.path().join("x.csv.shard-0-of-0");
    fs::write(&stray, "").unwrap();
    let error = project.run(&["sweep", "s.toml", "--out", "x.csv", "--join"]).error();
    assert!(error.contains("is named like a shard and is none"), "{error}");
    fs::remove_file(stray).unwrap();
    for shard in ["0/2", "1/2"] {
        project.run(&["sweep", "s.toml", "--out", "x.csv", "--shard", shard]).output();
    }
    let paths = [0, 1].map(|number| project.path().join(format!("x.csv.shard-{number}-of-2")));
    let other = fs::read_to_string(&paths[1]).unwrap();
    let own = fs::read_to_string(&paths[0]).unwrap();
    let row = other.lines().nth(1).unwrap();
    fs::write(&paths[0], format!("{}\n{row}\n", own.lines().next().unwrap())).unwrap();
    let error = project.run(&["sweep", "s.toml", "--out", "x.csv", "--join"]).error();
    assert!(error.contains("is not a row of its study"), "{error}");
    assert!(!project.path().join("x.csv").exists());
}

#[test]
fn an_output_is_replaced_by_its_own_run_alone() {
    let project = Project::new("foreign-output").file("s.toml", STUDY).file("mine.csv", "precious\n").file("mine.csv.journal", "");
    let error = project.run(&["sweep", "s.toml", "--out", "mine.csv"]).error();
    assert!(error.contains("nothing says that it belongs to"), "{error}");
    assert_eq!(project.text("mine.csv"), "precious\n");
}

#[cfg(unix)]
#[test]
fn a_partial_output_does_not_follow_a_link() {
    let project = Project::new("partial-link").file("s.toml", STUDY).file("victim", "precious\n");
    std::os::unix::fs::symlink(project.path().join("victim"), project.path().join("r.csv.partial")).unwrap();
    project.run(&["sweep", "s.toml", "--out", "r.csv"]).output();
    assert_eq!(project.text("victim"), "precious\n");
    assert!(project.text("r.csv").starts_with("design,"));
}

#[cfg(target_os = "linux")]
#[test]
fn devices_end_in_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_supernode")).arg("--help").stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).starts_with("error: cannot write standard output: "), "{run:?}");
    let project = Project::new("named-pipe");
    let pipe = project.path().join("pipe.toml");
    if Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        project.run(&["check", "pipe.toml"]).fails("error: `pipe.toml` is a named pipe\n |\n = help: redirect it: `- < pipe.toml`\n");
    }
}

#[test]
fn figures_end_where_physics_does() {
    let text = Project::new("shipped-link").run(&["list", "links", "nvlink5-cable"]).output();
    assert!(text.contains("lane_rate"), "{text}");
    let line = text.lines().find(|line| line.starts_with("lane_rate")).unwrap();
    let project = Project::new("beyond-physics").file("l.toml", &text.replace(line, "lane_rate = \"1e300 Gbit/s\""));
    let error = project.run(&["check", "l.toml"]).error();
    assert!(error.contains("`lane_rate` is beyond what physics allows"), "{error}");
}

#[test]
fn a_long_text_that_is_not_toml_has_one_error() {
    let project = Project::new("garbage").file("g.toml", &"=\n".repeat(1 << 20));
    let error = project.run(&["check", "g.toml"]).error();
    assert_eq!(error.matches("this is not valid TOML").count(), 1, "{error}");
    let keys: String = (0..100_000).map(|key| format!("key{key} = 1\n")).collect();
    let project = Project::new("many-keys").file("k.toml", &format!("schema = 1\n{keys}[supernode]\nname = \"x\"\n"));
    let error = project.run(&["check", "k.toml"]).error();
    assert!(error.contains("more problems are not shown"), "{error}");
}

#[test]
fn a_text_of_too_many_values_is_refused_before_it_is_read() {
    let keys: String = (0..300_000).map(|key| format!("key{key} = 1\n")).collect();
    let lists = format!("schema = 1\n[supernode]\nname = [{}]\n", "[[[[1]]]],".repeat(200_000));
    let json = format!("{{\"model_type\": \"llama\", \"layers\": [{}0]}}", "[1],".repeat(400_000));
    for text in [&keys, &lists, &json] {
        let project = Project::new("many-values").file("f.toml", text);
        let error = project.run(&["check", "f.toml"]).error();
        assert!(error.starts_with("error: `f.toml` holds too many values\n"), "{error}");
        assert!(error.contains("up to 60 MiB are read"), "{error}");
    }
}

#[test]
fn measured_values_are_above_zero() {
    let header = "id,system,quantity,settings,value,unit,source,confidence\n";
    for value in ["0", "-1", "-3..4"] {
        let row = format!("A,hgx-h100,gemm,m=1; n=1; k=1,{value},us,https://example.org,measured\n");
        let project = Project::new("measured-zero").file("c.csv", &format!("{header}{row}"));
        let error = project.run(&["validate", "--cases", "c.csv"]).error();
        assert!(error.contains(&format!("`{value}` is not a value")), "{error}");
    }
}

#[test]
fn quotes_in_names_stay_inside_their_strings() {
    let text = Project::new("shipped-machine").run(&["list", "supernodes", "hgx-h100"]).output();
    let line = text.lines().find(|line| line.starts_with("name = ")).unwrap();
    let project = Project::new("quoted-names").file("q.toml", &text.replacen(line, "name = 'say \"hi\"'", 1));
    let drawing = project.run(&["describe", "q.toml", "--format", "dot"]).output();
    assert!(drawing.starts_with("graph \"say \\\"hi\\\"\""), "{}", drawing.lines().next().unwrap_or_default());
}

#[cfg(unix)]
#[test]
fn words_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let word = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    for before in [&["describe"][..], &["simulate", "hgx-h100", "--workload"], &[]] {
        let run = Command::new(env!("CARGO_BIN_EXE_supernode")).args(before).arg(word).output().unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{error}");
        assert!(error.starts_with("error: "), "{error}");
    }
}

#[test]
fn machines_with_hopeless_numbers_of_links_are_refused_at_once() {
    let head = "schema = 1\nsupernode = { name = \"m\", vendor = \"me\", chip = \"h100\", library = \"generic\" }\nsupply = { conversion_efficiency = 0.95, cooling_share = 0.03, pue = 1.16 }\n";
    for (size, pattern) in [(1_000_000, "hyperx]\ndimensions = [1000, 1000]"), (1_000_000, "full-mesh]")] {
        let text = format!("{head}[[level]]\nname = \"all\"\nsize = {size}\nlink = \"nvlink4-board\"\n[level.{pattern}\n");
        let start = std::time::Instant::now();
        let error = Project::new("hopeless").file("m.toml", &text).run(&["check", "m.toml"]).error();
        assert!(error.contains("the machine is too large"), "{error}");
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    }
}
