//! What is on the disk when the program, the disk or another program gets in the way. `docs/reliability.md` states it.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::Project;

const STUDY: &str = r#"schema = 1
[study]
name = "tiny"
supernodes = ["hgx-h100"]
workloads = ["llama-3.1-70b-fp8"]

[[axis]]
name = "hbm"
path = "chip.memory.bandwidth"
range = { from = "3 TB/s", to = "9 TB/s", points = 60 }
"#;

const PLAN: [&str; 6] = ["plan", "hgx-h100", "--from", "2026-04-01", "--to", "2026-05-01"];

fn spawn(project: &Project, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supernode"));
    command.args(arguments).current_dir(project.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Files in the project, sorted.
fn files(project: &Project) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs under a limit on the size of files: writing fails as on a full disk.
fn on_a_full_disk(project: &Project, arguments: &str) -> String {
    let script = format!("trap '' XFSZ; ulimit -f 4; exec {} {arguments}", env!("CARGO_BIN_EXE_supernode"));
    let run = Command::new("sh").args(["-c", &script]).current_dir(project.path()).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    String::from_utf8(run.stderr).unwrap()
}

#[test]
fn an_earlier_file_stays_until_the_new_one_is_whole() {
    let project = Project::new("whole-or-not").file("r.jsonl", "of an earlier run\n").file("page.html", "of an earlier run\n");
    let serve = "serve hgx-h100 --workload llama-3.1-70b-fp8 --input 1024 --output 64 --rate 2 --requests 200 --requests-out r.jsonl";
    assert!(on_a_full_disk(&project, serve).contains("cannot write `r.jsonl`: File too large"));
    assert!(on_a_full_disk(&project, "plan hgx-h100 --html page.html").contains("cannot write `page.html`: File too large"));
    assert_eq!(project.text("r.jsonl"), "of an earlier run\n");
    assert_eq!(project.text("page.html"), "of an earlier run\n");
    assert_eq!(files(&project), ["page.html", "r.jsonl"], "nothing is left behind");
}

#[test]
fn links_are_followed_and_devices_are_written_to() {
    let project = Project::new("links-and-devices").file("real.svg", "of an earlier run\n");
    symlink("real.svg", project.path().join("link.svg")).unwrap();
    project.run(&[&PLAN[..], &["--plot", "link.svg"]].concat()).output();
    assert!(project.path().join("link.svg").symlink_metadata().unwrap().is_symlink());
    assert!(project.text("real.svg").starts_with("<svg"));
    project.run(&[&PLAN[..], &["--plot", "/dev/null"]].concat()).output();
    if cfg!(target_os = "linux") {
        let error = project.run(&[&PLAN[..], &["--plot", "/dev/full"]].concat()).error();
        assert!(error.contains("cannot write `/dev/full`: No space left on device"), "{error}");
    }
}

#[test]
fn folders_that_take_no_file_are_named() {
    let project = Project::new("no-folder").file("s.toml", STUDY).file("plain", "");
    for (path, reason) in [("nowhere/p.svg", "No such file or directory"), ("plain/p.svg", "Not a directory")] {
        let error = project.run(&[&PLAN[..], &["--plot", path]].concat()).error();
        assert!(error.contains(&format!("cannot write `{path}`: {reason}")), "{error}");
    }
    let error = project.run(&["sweep", "s.toml", "--out", "nowhere/r.csv"]).error();
    assert!(error.contains("cannot open `nowhere/r.csv.journal`: No such file or directory"), "{error}");
    // Even root writes nothing there.
    if cfg!(target_os = "linux") {
        assert!(project.run(&[&PLAN[..], &["--plot", "/proc/p.svg"]].concat()).error().contains("cannot write `/proc/p.svg`"));
        assert!(project.run(&["sweep", "s.toml", "--out", "/proc/r.csv"]).error().contains("cannot open `/proc/r.csv.journal`"));
    }
}

/// A sweep that has finished rows.
fn under_way(project: &Project) -> Child {
    let child = spawn(project, &["sweep", "s.toml", "--out", "r.csv", "--threads", "1"]);
    let journal = project.path().join("r.csv.journal");
    let start = Instant::now();
    while fs::read_to_string(&journal).map_or(0, |text| text.lines().count()) < 3 {
        assert!(start.elapsed() < Duration::from_mins(1), "no row was written");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn a_second_writer_is_refused() {
    let project = Project::new("two-writers").file("s.toml", STUDY);
    let mut first = under_way(&project);
    let second = project.run(&["sweep", "s.toml", "--out", "r.csv"]);
    let still_runs = first.try_wait().unwrap().is_none();
    let _ = first.kill();
    first.wait().unwrap();
    if still_runs {
        assert!(second.error().contains("another sweep is writing `r.csv.journal`"), "{}", second.error());
    }
    project.run(&["sweep", "s.toml", "--out", "r.csv"]).output();
}

/// A machine that stops may leave a file that ends in zeros, or in what stood on the disk before.
#[test]
fn a_torn_end_of_a_journal_goes() {
    let project = Project::new("torn").file("s.toml", &STUDY.replace("points = 60", "points = 6"));
    project.run(&["sweep", "s.toml", "--out", "once.csv"]).output();
    project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "0/2"]).output();
    let journal = project.path().join("r.csv.shard-0-of-2");
    let whole = fs::read(&journal).unwrap();
    for torn in [&[0; 512][..], b"{\"i\":2,\"f\":[1.", b"\xff\xfe\xfd"] {
        let kept = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        fs::write(&journal, [&whole[..kept], torn].concat()).unwrap();
        project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "0/2"]).output();
        assert_eq!(fs::read(&journal).unwrap(), whole, "the row that was torn is computed again");
    }
    project.run(&["sweep", "s.toml", "--out", "r.csv", "--shard", "1/2"]).output();
    project.run(&["sweep", "s.toml", "--out", "r.csv", "--join"]).output();
    assert_eq!(project.text("r.csv"), project.text("once.csv"));
}

/// Rows of a design that takes long do not wait for the next one to reach the disk: the kernel is asked by a thread of its own.
#[cfg(target_os = "linux")]
#[test]
fn rows_are_sent_to_the_disk_while_the_sweep_runs() {
    let project = Project::new("synced").file("s.toml", STUDY);
    let mut child = under_way(&project);
    // A thread of workers, one that synchronises, and the main thread: the name of the system call is not told, the thread is.
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).map_or(0, Iterator::count);
    let still_runs = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    child.wait().unwrap();
    assert!(!still_runs || threads >= 3, "{threads} threads");
}
