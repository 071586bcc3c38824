//! The three users' tasks under docs/tasks/: each runs, ends well, and takes at most ten commands.

use std::path::{Path, PathBuf};
use std::process::Command;

fn run(name: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tasks").join(name);
    let text = std::fs::read_to_string(&script).unwrap();
    let commands = text.lines().filter(|line| line.starts_with("supernode ") || line.starts_with("if supernode ")).count();
    assert!((1..=10).contains(&commands), "{name} takes {commands} commands");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tasks").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_supernode")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh").arg(&script).current_dir(&folder).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_architect_describes_compares_prices_and_defends() {
    let text = run("describe-compare-price-defend.sh");
    for word in ["8 planes of 4 leaves", "256 chips", "a million tokens, bought, $", "How often", "link rate", "Every part in turn"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn a_planner_places_two_models_on_64_h200() {
    let text = run("place-on-64-h200.sh");
    for word in ["64 chips", "requests/s", "60 % of the input cached, within TTFT 2.00 s, TPOT 30.0 ms", "rented", "supernodes"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn a_pull_request_is_gated() {
    let text = run("gate-a-pull-request.sh");
    assert!(text.contains("rack.toml: ok"), "{text}");
}
