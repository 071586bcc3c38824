//! `check` knows what could not be built, priced or trusted: a test for every rule, and for every impossible machine.

use std::collections::BTreeSet;

use crate::command::Project;
use serde_json::Value;
use supernode::input::catalog::shipped;
use supernode::input::document::SupernodeFile;
use supernode::input::edit::quantity;
use supernode::study::{RULES, SensitivityCase, Serves, Shared, check_figures};
use supernode::units::{Dimension, measured};

/// 64 chips over one tier; the parts are what each test replaces.
const MACHINE: &str = r#"schema = 1

[supernode]
name = "A machine"
vendor = "none"
chip = "CHIP"
library = "generic"

[[level]]
name = "rack"
size = 8
link = "LINK"
[level.switch]
part = "SWITCH"
planes = 4
[[level.attach]]
cpu = "x86-server"
count = 2
link = "pcie5-x16"
to = "chips"

[supply]
conversion_efficiency = 0.95
cooling_share = 0.03
pue = 1.16
"#;

fn machine(chip: &str, link: &str, switch: &str) -> String {
    MACHINE.replace("CHIP", chip).replace("LINK", link).replace("SWITCH", switch)
}

fn without_hosts(machine: &str) -> String {
    let (start, end) = (machine.find("[[level.attach]]").unwrap(), machine.find("[supply]").unwrap());
    format!("{}{}", &machine[..start], &machine[end..])
}

/// Rules that fire on a machine, with their severities, and whether it passes.
fn found(project: &Project, more: &[&str]) -> (Vec<(String, String)>, bool) {
    let all: Vec<&str> = ["check", "machine.toml", "--format", "json"].iter().chain(more).copied().collect();
    let json: Value = serde_json::from_str(&project.run(&all).code_and_output().1).unwrap();
    let file = &json["files"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = file["findings"].as_array().unwrap().iter().map(|finding| (text(&finding["rule"]), text(&finding["severity"])));
    (rules.collect(), file["ok"].as_bool().unwrap())
}

fn fires(project: &Project, rule: &str) -> Option<String> {
    found(project, &[]).0.into_iter().find(|(name, _)| name == rule).map(|(_, severity)| severity)
}

#[test]
fn a_sound_machine_breaks_no_rule() {
    let project = Project::new("rules-sound").file("machine.toml", &machine("reference", "sue-1600g-copper", "tomahawk-6"));
    let (rules, ok) = found(&project, &[]);
    assert!(ok && rules.iter().all(|(_, severity)| severity == "note"), "{rules:?}");
}

#[test]
fn ports_and_switches_speak_the_protocol_of_their_link() {
    for (name, link, switch) in [("nvlink-in-ethernet", "nvlink5-cable", "tomahawk-6"), ("pcie-in-ethernet", "pcie6-x4-retimed", "tomahawk-6")] {
        let project = Project::new(name).file("machine.toml", &machine("reference", link, switch));
        assert_eq!(fires(&project, "protocol-mismatch").as_deref(), Some("error"), "{link} in {switch}");
        let error = project.run(&["check", "machine.toml"]).error();
        assert!(error.contains("error[protocol-mismatch]: machine.toml: link") && error.contains("does not speak"), "{error}");
    }
    // The chip's own ports as well.
    let project = Project::new("ethernet-in-nvlink").file("machine.toml", &machine("h200", "sue-200g-copper", "tomahawk-6"));
    assert_eq!(fires(&project, "protocol-mismatch").as_deref(), Some("error"));
}

#[test]
fn copper_reaches_as_far_as_its_rate_lets_it() {
    let link = std::fs::read_to_string("topologies/parts/links/nvlink5-cable.toml").unwrap().replace("212.5 Gbit/s", "106.25 Gbit/s");
    let of = |length: &str| {
        let at = link.find("length = ").unwrap();
        let end = at + link[at..].find('\n').unwrap();
        format!("{}length = \"{length}\"{}", &link[..at], &link[end..])
    };
    for (length, severity) in [("2 m", None), ("3.5 m", Some("warning")), ("100 m", Some("error"))] {
        let name = format!("reach-{}", length.replace(' ', ""));
        let project = Project::new(&name).file("cable.toml", &of(length)).file("machine.toml", &machine("b200", "./cable.toml", "nvswitch5"));
        assert_eq!(fires(&project, "reach").as_deref(), severity, "{length}");
    }
}

/// A link part is held against its medium without a machine around it.
#[test]
fn a_link_part_alone_is_checked() {
    let part = |length: &str| format!("schema = 1\nextends = \"sue-800g-copper\"\n[link]\nname = \"ours\"\nlength = \"{length}\"\n");
    for (length, expected) in [("2 m", None), ("5 m", Some("warning")), ("100 m", Some("error"))] {
        let project = Project::new(&format!("link-{}", length.replace(' ', "-"))).file("machine.toml", &part(length));
        let (found, passes) = found(&project, &[]);
        let severity = found.iter().find(|(rule, _)| rule == "reach").map(|(_, severity)| severity.as_str());
        assert_eq!((severity, passes), (expected, expected != Some("error")), "{length}");
    }
}

/// Every physical quantity of every shipped machine has a range: none lies outside it by far, and a million million times as much does.
#[test]
fn every_quantity_of_hardware_has_a_range() {
    let mut missing = BTreeSet::new();
    let mut seen = 0;
    for machine in shipped::<SupernodeFile>() {
        let serves = Serves::named("deepseek-r1-fp8");
        let case = SensitivityCase { supernode: machine.clone(), serves, target: "doubao-2026-04".into(), chip_of: None };
        let leaves = case.leaves(&Shared::default()).unwrap_or_else(|problems| panic!("{machine}: {problems}"));
        let asked = ["workload", "model", "clip", "training", "target", "demand", "prices"];
        for mut leaf in leaves.into_iter().filter(|leaf| leaf.path.file_kind().is_some_and(|kind| !asked.contains(&kind))) {
            let text = leaf.value.trim_matches('"').to_owned();
            let Some((_, dimension)) = measured(&text).filter(|(value, dimension)| *value > 0.0 && *dimension != Dimension::Ratio) else { continue };
            seen += 1;
            let (number, unit) = quantity(&leaf.value).unwrap();
            leaf.value = format!("\"{:e} {unit}\"", number * 1e12);
            if !check_figures(&[leaf.clone()]).iter().any(|finding| finding.rule.name == "implausible") {
                missing.insert(format!("{} ({})", leaf.path, dimension.name()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(seen > 5000, "{seen}");
}

#[test]
fn figures_beyond_what_exists_are_found_by_name() {
    let chip = std::fs::read_to_string("topologies/parts/chips/h200.toml").unwrap();
    let changed = |from: &str, to: &str| {
        assert!(chip.contains(from), "{from}");
        chip.replace(from, to)
    };
    for (name, text, rule, severity) in [
        ("flops", changed("bf16 = \"989 TFLOP/s\"", "bf16 = \"1e28 TFLOP/s\""), "implausible", "error"),
        ("flops-a-little", changed("bf16 = \"989 TFLOP/s\"", "bf16 = \"989 PFLOP/s\""), "implausible", "warning"),
        ("idle", changed("tdp = \"700 W\"", "tdp = \"70 W\""), "power-limits", "error"),
        ("gibibytes", changed("capacity = \"141 GB\"", "capacity = \"141 GiB\""), "memory-units", "warning"),
        ("bandwidth", changed("bandwidth = \"4.8 TB/s\"", "bandwidth = \"4.8 GB/s\""), "implausible", "warning"),
    ] {
        let project = Project::new(&format!("figure-{name}")).file("machine.toml", &text);
        let found = found(&project, &[]).0;
        let invalid = found.iter().any(|(found, _)| found == "invalid-file");
        assert!(found.contains(&(rule.to_owned(), severity.to_owned())) || severity == "error" && invalid, "{name}: {found:?}");
    }
    let link = std::fs::read_to_string("topologies/parts/links/nvlink5-cable.toml").unwrap();
    for (name, rate) in [("rate-300", "1e300 Gbit/s"), ("rate-6", "212.5e6 Gbit/s")] {
        let project = Project::new(name).file("machine.toml", &link.replace("212.5 Gbit/s", rate));
        assert!(!found(&project, &[]).1, "{rate}");
    }
}

#[test]
fn hosts_prices_and_measurements_are_missed() {
    let bare = without_hosts(&machine("mi355x", "xgmi-mi355x", "tomahawk-6"))
        .replace("[level.switch]\npart = \"tomahawk-6\"\nplanes = 4\n", "[level.full-mesh]\n");
    let project = Project::new("rules-bare").file("machine.toml", &bare);
    assert_eq!(fires(&project, "no-hosts").as_deref(), Some("warning"));
    assert_eq!(fires(&project, "unpriced").as_deref(), Some("note"));
    assert_eq!(fires(&project, "never-validated").as_deref(), Some("note"));
    // A price ends the note; a warning can be denied, and a note too.
    assert!(!found(&project, &["--price", "purchase=20kUSD"]).0.iter().any(|(rule, _)| rule == "unpriced"));
    assert!(found(&project, &[]).1 && !found(&project, &["--deny", "warnings"]).1);
    let sound = Project::new("rules-denied").file("machine.toml", &machine("reference", "sue-1600g-copper", "tomahawk-6"));
    assert!(found(&sound, &["--deny", "warnings"]).1 && !found(&sound, &["--deny", "notes"]).1);
}

#[test]
fn racks_hold_what_their_supply_gives() {
    let text = machine("reference", "sue-1600g-copper", "tomahawk-6") + "cooling = \"air\"\nracks = { count = 1, limit = \"5 kW\" }\n";
    let project = Project::new("rules-racks").file("machine.toml", &text);
    assert_eq!(fires(&project, "rack-power").as_deref(), Some("warning"));
    let hot = without_hosts(&machine("gb300", "nvlink5-cable", "nvswitch5")) + "cooling = \"air\"\n";
    let project = Project::new("rules-hot").file("machine.toml", &hot);
    assert_eq!(fires(&project, "cooling").as_deref(), Some("warning"));
}

/// A chip with a new BF16 peak has its base's other peaks unless the file states them or takes them out.
#[test]
fn peaks_of_the_base_are_found() {
    let chip =
        |head: &str, peaks: &str, rest: &str| format!("schema = 1\nextends = \"h100\"\n{head}\nname = \"Mine\"\n[chip.compute]\n{peaks}\n{rest}\n");
    let one = "bf16 = \"800 TFLOP/s\"";
    let all = "bf16 = \"800 TFLOP/s\"\nint8 = \"1600 TOP/s\"\nfp8 = \"1600 TFLOP/s\"";
    let rest = "[chip.memory]\ncapacity = \"96 GB\"\nbandwidth = \"4 TB/s\"\n[chip.power]\ntdp = \"650 W\"";
    let removed = "remove = [\"chip.compute.int8\", \"chip.compute.fp8\"]\n[chip]";
    for (name, text, severities) in [
        ("one", chip("[chip]", one, ""), vec!["warning", "note"]),
        ("all", chip("[chip]", all, ""), vec!["note"]),
        ("removed", chip(removed, one, ""), vec!["note"]),
        ("whole", chip("[chip]\ncores = 100", all, rest), vec![]),
        ("none", chip("[chip]", "", ""), vec![]),
    ] {
        let project = Project::new(&format!("inherited-{name}")).file("machine.toml", &text);
        let found = found(&project, &[]).0.into_iter().filter(|(rule, _)| rule == "inherited-figures");
        assert_eq!(found.map(|(_, severity)| severity).collect::<Vec<_>>(), severities, "{name}");
    }
    let project = Project::new("inherited-text").file("machine.toml", &chip("[chip]", one, ""));
    let error = project.run(&["check", "machine.toml", "--deny", "warnings"]).error();
    assert!(error.contains("the file states chip[machine].compute.bf16 and inherits chip[machine].compute.int8 = \"1979 TOP/s\""), "{error}");
}

/// Eight chips of 64 lanes with a link to each of four switches of 1024 lanes.
#[test]
fn ports_without_links_are_found() {
    let messages = |text: &str, rule: &str| -> Vec<String> {
        let project = Project::new("rules-idle").file("machine.toml", text);
        let json: Value = serde_json::from_str(&project.run(&["check", "machine.toml", "--format", "json"]).code_and_output().1).unwrap();
        let findings = json["files"][0]["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule);
        findings.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
    };
    let (full, half) = (machine("reference", "sue-1600g-copper", "tomahawk-6"), machine("reference", "sue-800g-copper", "tomahawk-6"));
    assert_eq!(messages(&full, "idle-ports"), ["no switch `tomahawk-6` uses more than 128 of its 1024 lanes"]);
    assert_eq!(messages(&full, "idle-lanes"), [""; 0]);
    assert_eq!(messages(&half, "idle-lanes"), ["no chip uses more than 32 of its 64 lanes"]);
    assert_eq!(messages(&without_hosts(&full), "idle-lanes"), ["no link uses the 32 host lanes of a chip"]);
}

/// A file that is wrong is reported in JSON as well, with its place.
#[test]
fn json_has_the_place_of_an_error() {
    let project = Project::new("rules-json").file("machine.toml", &machine("referense", "sue-1600g-copper", "tomahawk-6"));
    let (code, text) = project.run(&["check", "machine.toml", "--format", "json"]).code_and_output();
    let json: Value = serde_json::from_str(&text).unwrap();
    let finding = &json["files"][0]["findings"][0];
    assert_eq!(
        (code, finding["rule"].as_str(), finding["line"].as_u64(), finding["column"].as_u64()),
        (Some(2), Some("invalid-file"), Some(6), Some(8))
    );
    assert!(finding["help"].as_str().unwrap().contains("reference"), "{finding}");
}

/// Every shipped machine passes: errors among them would be ours.
#[test]
fn shipped_machines_have_no_errors() {
    let project = Project::new("rules-shipped");
    let folder = std::fs::canonicalize("topologies").unwrap();
    let names =
        ["cloudmatrix384", "gb200-nvl72-ib-288", "hgx-h100-roce-8192", "ub-mesh-1024", "tpu-v7-pod", "ref-ualink-640", "scalex640", "helios-72"];
    let files: Vec<String> = names.iter().map(|name| folder.join(format!("{name}.toml")).display().to_string()).collect();
    let arguments: Vec<&str> = ["check"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!(project.run(&arguments).output().lines().count(), names.len());
}

#[test]
fn every_rule_is_explained() {
    let project = Project::new("rules-explained");
    let list = project.run(&["explain"]).output();
    for rule in &RULES {
        assert!(list.contains(rule.name), "{list}");
        let text = project.run(&["explain", rule.name]).output();
        assert!(text.contains(rule.holds) && text.starts_with(rule.name), "{text}");
    }
    let error = project.run(&["explain", "reech"]).error();
    assert!(error.contains("did you mean `reach`?"), "{error}");
}

/// 256 chips of 64 lanes at 100G: 128 ports of 800G on a Tomahawk 6, so two tiers; 8 planes. Half of a leaf's ports go up: 64 chips on a
/// leaf, four leaves, 64 uplinks over spines that take 32 from each leaf.
#[test]
fn new_works_planes_and_spines_out() {
    let project = Project::new("new");
    let arguments = [
        "new",
        "Ours",
        "--chip",
        "reference",
        "--chips",
        "256",
        "--switch",
        "tomahawk-6",
        "--link",
        "sue-800g-copper",
        "--uplink",
        "sue-800g-optical",
        "--cpu",
        "x86-server",
        "--out",
        "ours.toml",
    ];
    let said = project.run(&arguments).output();
    assert!(said.contains("8 planes of 4 leaves with 64 chips and 2 spines, 32 links between each two, 48 switches"), "{said}");
    let checked = project.run(&["check", "ours.toml"]).output();
    assert!(checked.contains("256 chips"), "{checked}");
    let described: Value = serde_json::from_str(&project.run(&["describe", "ours.toml", "--format", "json"]).output()).unwrap();
    assert_eq!((described["chips"].as_u64(), described["switches"].as_u64()), (Some(256), Some(48)));
    // As much up as down: half of all ports cross the middle.
    let (injection, bisection) = (described["injection_bytes_per_s"].as_f64().unwrap(), described["bisection_bytes_per_s"].as_f64().unwrap());
    assert!((bisection / (128.0 * injection) - 1.0).abs() < 1e-6, "{bisection}");
    // One tier where it fits: 64 chips with two links to each of four switches.
    let small =
        project.run(&["new", "Small", "--chip", "reference", "--chips", "64", "--switch", "tomahawk-6", "--link", "sue-800g-copper"]).output();
    assert!(small.contains("planes = 4") && small.contains("links = 2"), "{small}");
    let error = project
        .run(&["new", "Big", "--chip", "reference", "--chips", "256", "--switch", "tomahawk-6", "--link", "sue-800g-copper", "--tiers", "1"])
        .error();
    assert!(error.contains("256 chips do not fit one tier"), "{error}");
}

/// A part of one's own is named by its path, from the folder that the machine's file lies in.
#[test]
fn new_takes_parts_of_ones_own() {
    let chip = "schema = 1\nextends = \"reference\"\n\n[chip]\nname = \"Ours\"\norigin = { confidence = \"assumed\" }\n";
    let project = Project::new("new-own-part").file("ours-chip.toml", chip);
    let arguments =
        ["new", "Own", "--chip", "ours-chip.toml", "--chips", "64", "--switch", "tomahawk-6", "--link", "sue-800g-copper", "--out", "own.toml"];
    project.run(&arguments).output();
    let described: Value = serde_json::from_str(&project.run(&["describe", "own.toml", "--format", "json"]).output()).unwrap();
    assert_eq!(described["chips"].as_u64(), Some(64));
}
