//! Levels without links of their own: trays and racks.

use serde_json::Value;

use crate::command::Project;

const RACK: &str = r#"schema = 1
supply = { conversion_efficiency = 0.95, cooling_share = 0.03, pue = 1.16 }
[supernode]
name = "rack of trays"
vendor = "me"
chip = "gb200"
library = "nccl-nvlink5"
[[level]]
name = "tray"
size = 4
[level.package]
[[level.attach]]
cpu = "grace"
count = 2
link = "nvlink-c2c"
to = "chips"
[[level]]
name = "rack"
size = 18
link = "nvlink5-cable"
[level.switch]
part = "nvswitch5"
planes = 18
"#;

fn json(project: &Project, arguments: &[&str]) -> Value {
    serde_json::from_str(&project.run(&[arguments, &["--format", "json"]].concat()).output()).unwrap()
}

/// Trays of four with two CPUs each, 18 of them on the switches of the rack: the machine that ships as 72 chips with 36 CPUs.
#[test]
fn a_tray_changes_nothing_but_what_holds_the_chips() {
    let project = Project::new("packages").file("rack.toml", RACK);
    let [own, shipped] = ["rack.toml", "gb200-nvl72"].map(|machine| json(&project, &["describe", machine]));
    for key in ["chips", "switches", "links", "injection_bytes_per_s", "bisection_bytes_per_s", "diameter_hops", "latency_s", "cpus", "link_parts"] {
        assert_eq!(own[key], shipped[key], "{key}");
    }
    assert_eq!(own["packages"], serde_json::json!([{ "package": "tray", "chips": 4, "count": 18 }]));
    assert!(project.run(&["describe", "rack.toml"]).output().contains("18 x tray of 4 chips"));
    assert!(project.run(&["describe", "rack.toml", "--format", "svg"]).output().contains(", 18 x tray"));
    let times = |machine| json(&project, &["collective", machine, "--op", "all_reduce", "--size", "1KiB,1GiB"])["results"].clone();
    assert_eq!(times("rack.toml"), times("gb200-nvl72"));
}

#[test]
fn what_a_package_cannot_have_is_refused() {
    let all = RACK
        .replace("name = \"tray\"\nsize = 4\n", "name = \"tray\"\nsize = 4\nlink = \"nvlink5-cable\"\nlinks = 2\n")
        .replace("to = \"chips\"\n", "");
    let alone = RACK.split("[[level]]\nname = \"rack\"").next().unwrap().to_owned();
    let neither = RACK.replace("[level.package]\n", "");
    let project = Project::new("packages-wrong").file("all.toml", &all).file("alone.toml", &alone).file("neither.toml", &neither);
    let error = project.run(&["describe", "./all.toml"]).error();
    for expected in ["package `tray` has link", "package `tray` has links", "package `tray` has no switches to attach to"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let error = project.run(&["describe", "./alone.toml"]).error();
    assert!(error.contains("nothing joins what package `tray` holds"), "{error}");
    let error = project.run(&["describe", "./neither.toml"]).error();
    assert!(error.contains("missing key `link`") && error.contains("level needs `link`"), "{error}");
}

/// Names that lead nowhere are told with everything else that is wrong.
#[test]
fn misspelt_parts_are_told_at_once() {
    let wrong =
        RACK.replace("size = 18", "size = \"18\"").replace("nvlink5-cable", "nvlink5-cabel").replace("grace", "grase").replace("gb200", "gb20");
    let project = Project::new("parts-at-once").file("wrong.toml", &wrong);
    let error = project.run(&["check", "wrong.toml"]).error();
    for expected in ["`size` must be a whole number", "did you mean `nvlink5-cable`?", "did you mean `grace`?", "`gb20`"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
