//! Machines that are right and unusual: one chip, chips joined by NICs alone. Every figure is finite, and what has no meaning is left out.

use crate::command::Project;

const HEAD: &str = r"schema = 1
supply = { conversion_efficiency = 0.95, cooling_share = 0.03, pue = 1.16 }
";

fn machine(chip: &str, level: &str) -> String {
    format!("{HEAD}supernode = {{ name = \"odd\", vendor = \"me\", chip = \"{chip}\", library = \"generic\" }}\n[[level]]\nname = \"all\"\n{level}")
}

/// No figure of the answers is infinite, not a number, or minus zero.
fn finite(project: &Project, commands: &[&[&str]]) {
    for command in commands {
        let said = project.run(command).output();
        for word in said.split(|letter: char| letter.is_whitespace() || letter == ',') {
            assert!(!["NaN", "inf", "-inf", "-0", "-0.0", "-0.00"].contains(&word), "{command:?}\n{said}");
        }
    }
}

#[test]
fn one_chip_alone() {
    // Two ranks in the package, which talk over the link between its dies.
    let alone = machine("ascend-910c", "size = 1\nlink = \"ub-board-x2\"\n[level.ring]\n");
    let project = Project::new("one-chip").file("one.toml", &alone);
    finite(
        &project,
        &[
            &["describe", "one.toml"],
            &["experts", "one.toml", "--size", "7KiB"],
            &["simulate", "one.toml", "--workload", "gpt-oss-120b-mxfp4", "--explain"],
            &["simulate", "one.toml", "--workload", "gpt-oss-120b-mxfp4", "--format", "json"],
            &["train", "one.toml", "--workload", "qwen3-32b-bf16", "--model", "qwen3-0.6b", "--explain"],
            &["fail", "one.toml", "--workload", "gpt-oss-120b-mxfp4"],
            &["plan", "one.toml", "--workload", "gpt-oss-120b-mxfp4"],
        ],
    );
    // Prompts are answered where they are read: no cache crosses a fabric that is not there.
    let said = project.run(&["simulate", "one.toml", "--workload", "gpt-oss-120b-mxfp4"]).output();
    assert!(!said.contains("KV transfer"), "{said}");
    // A machine of several keeps saying what it moves.
    assert!(project.run(&["simulate", "gb200-nvl72"]).output().contains("KV transfer"));
}

#[test]
fn chips_behind_nics_alone() {
    let level = "size = 16\nlink = \"roce-400g-optical\"\nnic = { part = \"connectx-7\", link = \"pcie5-x16\" }\n[level.switch]\npart = \"tomahawk-5\"\nplanes = 1\n";
    let project = Project::new("nics-alone").file("nics.toml", &machine("reference", level));
    finite(
        &project,
        &[
            &["describe", "nics.toml"],
            &["collective", "nics.toml", "--op", "all_reduce", "--size", "1KiB..1GiB"],
            &["experts", "nics.toml", "--size", "7KiB"],
            &["simulate", "nics.toml", "--workload", "gpt-oss-120b-mxfp4"],
        ],
    );
    // PCIe 5 x16 is 64 GB/s before framing: the way out of the chip, not nothing.
    let facts: serde_json::Value = serde_json::from_str(&project.run(&["describe", "nics.toml", "--format", "json"]).output()).unwrap();
    let injection = facts["injection_bytes_per_s"].as_f64().unwrap();
    assert!((55e9..63e9).contains(&injection), "{injection}");
    // No all-reduce of 1 GiB over 16 chips ends before 2 x 15/16 GiB have left a chip through 400 Gbit/s.
    let answer = project.run(&["collective", "nics.toml", "--op", "all_reduce", "--size", "1GiB", "--format", "json"]).output();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let time = answer["results"][0]["time_s"].as_f64().unwrap();
    assert!(time > 2.0 * 15.0 / 16.0 * 1_073_741_824.0 / 50e9, "{time}");
}

#[test]
fn a_shared_host_joins_no_chips() {
    let said = Project::new("host-joins-none").run(&["fail", "hgx-h100", "--switches", "4", "--workload", "llama-3.1-70b-fp8"]).output();
    let without = said.split("Without ").nth(1).unwrap();
    assert!(without.contains("  chips              0 of 8\n  all-to-all         0 B/s a chip, 0.00 %\n"), "{without}");
    assert!(!said.contains("inf"), "{said}");
}

#[test]
fn names_in_wide_characters_line_up() {
    let level = "size = 2\nlink = \"sue-800g-copper\"\n[level.switch]\npart = \"tomahawk-ultra\"\nplanes = 1\n";
    let wide = machine("reference", level).replace("name = \"all\"", "name = \"机柜\"");
    let said = Project::new("wide").file("wide.toml", &wide).run(&["describe", "wide.toml"]).output();
    assert!(
        said.contains(
            "  part             level  count  medium  optical modules  length m\n  \
               ---------------  -----  -----  ------  ---------------  --------\n  \
               tomahawk-ultra   机柜       1\n"
        ),
        "{said}"
    );
}
