//! Gains against differences taken by hand; what a range moves, and what has none.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::command::Project;
use serde_json::Value;
use supernode::fabric;
use supernode::input::catalog::Mention;
use supernode::input::edit::Edits;
use supernode::input::file_cache::{FileReader, Log};
use supernode::input::spec::{Spec, load_supernode, load_supernode_from, load_target, load_workload, load_workload_from};
use supernode::study::{
    Assumption, MappingChoice, Progress, SensitivityCase, Serves, Shared, WORTH_A_SEARCH, sensitivity, simulate, uncertainty, weakest,
};
use supernode::units::Figure;

fn case() -> SensitivityCase {
    SensitivityCase { supernode: "hgx-h100".into(), serves: Serves::named("llama-3.1-70b-fp8"), target: "doubao-2026-04".into(), chip_of: None }
}

/// Served tokens per second, and per joule, of a machine that someone changed in memory.
fn served(spec: &Spec) -> (f64, f64) {
    let (workload, target) = (load_workload("llama-3.1-70b-fp8").unwrap(), load_target("doubao-2026-04").unwrap());
    let simulation = simulate(spec, &fabric::build(spec).unwrap(), &workload, &target);
    (simulation.verdict.service.rate.get(), 1.0 / simulation.energy_per_token.unwrap().get())
}

#[test]
fn gains_are_the_finite_differences() {
    let (_, gains) = sensitivity(&case(), Progress::SILENT).unwrap();
    let base = load_supernode("hgx-h100").unwrap();
    let before = served(&base);
    let scaled = |figure: &Figure<_>| Figure::plain(figure.value * 1.1);
    let mut memory = base.clone();
    memory.chip.memory.bandwidth = scaled(&memory.chip.memory.bandwidth);
    let mut links = base.clone();
    for level in &mut links.levels {
        level.link.link.lane_rate = scaled(&level.link.link.lane_rate);
        for attach in &mut level.attach {
            attach.cable.link.link.lane_rate = scaled(&attach.cable.link.link.lane_rate);
        }
    }
    for (name, changed) in [("HBM bandwidth", &memory), ("link rate", &links)] {
        let after = served(changed);
        let gain = gains.iter().find(|gain| gain.name == name).unwrap();
        assert!((gain.tokens.unwrap() - (after.0 / before.0 - 1.0)).abs() < 1e-9, "{name}: {gain:?}");
        assert!((gain.per_joule.unwrap() - (after.1 / before.1 - 1.0)).abs() < 1e-9, "{name}: {gain:?}");
        // Loads and stores in flight bound this chip at the rate of its links: faster links alone gain nothing.
        assert!(gain.tokens.unwrap() > if name == "HBM bandwidth" { 0.0 } else { -1e-9 });
    }
    assert!(gains.windows(2).all(|pair| pair[0].tokens >= pair[1].tokens), "largest first");
}

/// All files of the case in one folder, without a single range.
fn without_ranges(keep: &str) -> Project {
    let log = Mutex::new(Log::default());
    let (reader, mention) = (FileReader::default().logged(&log), Mention::on_command_line());
    load_supernode_from(&reader, "hgx-h100", &mention).unwrap();
    load_workload_from(&reader, "llama-3.1-70b-fp8", &mention, None).unwrap();
    let files: BTreeMap<_, _> = log.lock().unwrap().files.clone();
    let keys = ["chip", "library", "link", "part", "cpu", "protocol", "model"];
    let mut project = Project::new(&format!("without-ranges-{}", keep.len()));
    for ((kind, name), text) in &files {
        let mut out = String::new();
        for line in text.lines() {
            let mut line = line.to_owned();
            while let Some(start) = line.find("range = [").filter(|_| keep.is_empty() || !line.starts_with(keep)) {
                let end = line[start..].find(']').unwrap() + start + 1;
                let end = if line[end..].starts_with(", ") { end + 2 } else { end };
                line.replace_range(start..end, "");
            }
            line = line.replace(", }", " }").replace(",  }", " }");
            // Names of other files become paths to the copies.
            if let Some((key, value)) = line.split_once(" = \"")
                && keys.contains(&key)
                && let Some((_, other)) = files.keys().find(|(_, other)| value.starts_with(&format!("{other}\"")))
            {
                let kind = files.keys().find(|file| file.1 == *other).unwrap().0;
                line = format!("{key} = \"./{kind}-{other}.toml\"");
            }
            out += &(line + "\n");
        }
        project = project.file(&format!("{kind}-{name}.toml"), &out);
    }
    project
}

fn figures(project: &Project) -> Value {
    let arguments =
        ["uncertainty", "./supernode-hgx-h100.toml", "--workload", "./workload-llama-3.1-70b-fp8.toml", "--draws", "20", "--format", "json"];
    serde_json::from_str(&project.run(&arguments).output()).unwrap()
}

#[test]
fn what_has_no_range_contributes_nothing() {
    let found = figures(&without_ranges(""));
    assert_eq!(found["designs"][0]["assumptions"], 0);
    for (key, figure) in found["designs"][0]["figures"].as_object().unwrap() {
        assert!(["p05", "median", "p95"].iter().all(|quantile| figure[quantile] == figure["nominal"]), "{key}: {figure}");
        assert_eq!(figure["drivers"], serde_json::json!([]));
    }
}

#[test]
fn the_only_range_is_what_drives_the_spread() {
    // Better conversion moves the racks' power down, and no rate.
    let found = figures(&without_ranges("conversion_efficiency"));
    assert_eq!(found["designs"][0]["assumptions"], 1);
    let figures = &found["designs"][0]["figures"];
    let (power, rate) = (&figures["racks_per_chip_w"], &figures["decode_per_chip_tokens_per_s"]);
    assert_eq!(power["drivers"][0]["value"], "supply[supernode-hgx-h100].conversion_efficiency");
    assert!(power["drivers"][0]["rank_correlation"].as_f64().unwrap() < -0.999);
    assert!(power["p05"].as_f64() < power["p95"].as_f64());
    assert_eq!(rate["p05"], rate["p95"]);
}

#[test]
fn a_design_beats_itself_half_the_time() {
    let project = Project::new("uncertainty-itself");
    let arguments = ["uncertainty", "hgx-h100", "hgx-h100", "--workload", "llama-3.1-70b-fp8", "--draws", "20", "--format", "json"];
    let found: Value = serde_json::from_str(&project.run(&arguments).output()).unwrap();
    assert!(found["first_beats_second"].as_object().unwrap().values().all(|chance| *chance == 0.5), "{}", found["first_beats_second"]);
    // Parts that both use are drawn alike, so a smaller difference than the spread of either is still seen.
    let other = uncertainty(&case(), 20, 1, Progress::SILENT).unwrap();
    assert_eq!(found["designs"][0]["figures"]["racks_per_chip_w"]["median"].as_f64(), other.figures[4].quantiles.map(|quantiles| quantiles[1]));
}

/// A copy of a machine's files is the machine, whatever the copies are called and wherever they lie.
#[test]
fn draws_follow_from_what_files_hold_and_not_from_their_paths() {
    let project = Project::new("uncertainty-paths").folder("deep").folder("deep/down");
    let machine = project.run(&["list", "supernodes", "hgx-h100"]).output();
    let chip = project.run(&["list", "chips", "h100"]).output();
    let own = |part: &str| machine.replace("chip = \"h100\"", &format!("chip = \"{part}\"")).replace("HGX H100", "our machine");
    let project = project
        .file("copy.toml", &machine)
        .file("renamed.toml", &machine.replace("HGX H100", "our machine"))
        .file("first.toml", &own("./part.toml"))
        .file("part.toml", &chip.replace("\"H100 SXM\"", "\"our chip\""))
        .file("deep/second.toml", &own("down/another.toml"))
        .file("deep/down/another.toml", &chip.replace("\"H100 SXM\"", "\"our chip\""));
    let figures = |machine: &str| {
        let arguments = ["uncertainty", machine, "--workload", "llama-3.1-70b-fp8", "--draws", "20", "--format", "csv", "--table", "figures"];
        project.run(&arguments).output().replace(machine, "MACHINE")
    };
    assert_eq!(figures("copy.toml"), figures("hgx-h100"));
    assert_eq!(figures("deep/second.toml"), figures("first.toml"));
    assert_ne!(figures("first.toml"), figures("copy.toml"), "another part has draws of its own");
    // What a machine is called is no property of its figures.
    assert_eq!(figures("renamed.toml").replace("our machine", "HGX H100"), figures("hgx-h100"));
}

/// A figure that a file inherits is the figure of its base, and is drawn with it; what a file states, or derives from another chip's kernels, is its own.
#[test]
fn inherited_figures_are_drawn_with_those_of_their_base() {
    let part = "extends = \"h100\"\n[chip]\nname = \"our chip\"\n[chip.power]\nidle = { value = \"90 W\", range = [\"70 W\", \"120 W\"] }\n";
    let machine = "extends = \"hgx-h100\"\n[supernode]\nname = \"ours\"\nchip = \"./ours.toml\"\n";
    let project = Project::new("uncertainty-inherited").file("ours.toml", part).file("machine.toml", machine);
    let draws = |supernode: &str| -> BTreeMap<String, f64> {
        let case = SensitivityCase { supernode: supernode.into(), ..case() };
        let shape = |assumption: &Assumption, chance: f64| assumption.quantile(chance) / assumption.quantile(0.0);
        // The same place in its own triangle, whatever the triangle is: the share of the range.
        let place = |assumption: &Assumption| {
            let [low, drawn, high] = [shape(assumption, 0.0), assumption.drawn(7, 0) / assumption.quantile(0.0), shape(assumption, 1.0)];
            (drawn - low) / (high - low)
        };
        let all = Assumption::all(&case.leaves(&Shared::default()).unwrap());
        let without_names = |assumption: &Assumption| assumption.path.to_string().replace("[ours]", "[h100]").replace("[machine]", "[hgx-h100]");
        all.iter().map(|assumption| (without_names(assumption), place(assumption))).collect()
    };
    let (base, ours) = (draws("hgx-h100"), draws(project.path().join("machine.toml").to_str().unwrap()));
    let differ: Vec<&String> =
        ours.iter().filter(|(path, place)| base.get(*path).is_none_or(|base| (base - **place).abs() > 1e-6)).map(|(path, _)| path).collect();
    let of_its_own = |path: &&String| *path == "chip[h100].power.idle" || path.starts_with("chip[h100].kernels.");
    assert!(differ.iter().all(of_its_own), "{differ:?}");
    assert!(differ.iter().any(|path| *path == "chip[h100].power.idle") && differ.iter().any(|path| path.contains("kernels")), "{differ:?}");
    assert!(ours.keys().any(|path| path.starts_with("supply[")) && ours.len() > differ.len() + 5, "{ours:?}");
}

/// The range of a figure moves the result as far as the same figure set by hand, and what moves it most stands first with its source.
#[test]
fn the_weakest_sources_are_those_whose_ranges_move_most() {
    let case =
        SensitivityCase { supernode: "hgx-h20".into(), serves: Serves::named("llama-3.1-70b-fp8"), target: "doubao-2026-04".into(), chip_of: None };
    let (_, found) = weakest(&case, Progress::SILENT).unwrap();
    assert!(found.windows(2).all(|pair| pair[0].swing() >= pair[1].swing()), "largest first");
    let limit = found.iter().find(|weakness| weakness.path.ends_with("power.tdp")).unwrap();
    assert_eq!(limit.confidence, "press");
    assert!(limit.source.as_ref().unwrap().starts_with("https://www.philisun.com/"), "{limit:?}");
    let base = load_supernode("hgx-h20").unwrap();
    let before = served(&base);
    let mut capped = base.clone();
    capped.chip.power.tdp = Figure::plain(capped.chip.power.tdp.range.unwrap().0);
    let after = served(&capped);
    assert!((limit.tokens[0].unwrap() - (after.0 / before.0 - 1.0)).abs() < 1e-9, "{limit:?}");
    assert!(found.iter().all(|weakness| !weakness.path.starts_with("workload") && !weakness.path.starts_with("target")));
}

/// A draw that keeps to the groups of mappings near the best finds what a search of all mappings finds.
#[test]
fn draws_lose_nothing_by_leaving_out_poor_mappings() {
    for (supernode, workload) in [("cloudmatrix384", None), ("gb200-nvl72", Some("deepseek-r1-fp8")), ("hgx-h100", Some("llama-3.1-70b-fp8"))] {
        let serves = workload.map_or_else(|| Serves { workload: load_supernode(supernode).unwrap().workload, ..Serves::default() }, Serves::named);
        let case = SensitivityCase { supernode: supernode.into(), serves, target: "doubao-2026-04".into(), chip_of: None };
        let shared = Shared::default();
        let (nominal, leaves) = case.explained(&shared).unwrap();
        let assumptions = Assumption::all(&leaves);
        let near = MappingChoice { likely: nominal.mappings_that_reach(WORTH_A_SEARCH), serving_alone: true, ..MappingChoice::default() };
        for draw in 0..6 {
            let values = assumptions.iter().map(|assumption| (assumption.path.clone(), assumption.text(assumption.drawn(7, draw))));
            let edits = Edits::unwritten("draw", values);
            let rates = |choice: &MappingChoice| {
                let found = case.with(&shared, &edits, choice).unwrap();
                [found.decode, found.prefill, found.aggregated].map(|phase| phase.and_then(Result::ok).map(|phase| (phase.point.mapping, phase.rate)))
            };
            assert_eq!(rates(&near), rates(&MappingChoice::default()), "{supernode}, draw {draw}");
        }
    }
}

/// An option that leaves the usual table out asks for another, which is then written if none is named.
#[test]
fn sources_are_the_table_of_their_option() {
    let project = Project::new("sources-table");
    let ask = |options: &[&str]| {
        let line = [&["sensitivity", "hgx-h100", "--workload", "llama-3.1-8b-bf16", "--format", "csv"], options].concat();
        project.run(&line).output()
    };
    assert_eq!(ask(&["--sources"]), ask(&["--sources", "--table", "sources"]));
    assert_ne!(ask(&["--sources"]), ask(&["--sources", "--table", "summary"]));
}

/// Values are put into files by their names: two switches called `sw` would get each other's draws.
#[test]
fn two_files_of_one_kind_have_two_names() {
    let project = Project::new("two-names").folder("one").folder("two");
    let [machine, leaf, spine] = [["supernodes", "cloudmatrix384"], ["switches", "ub-l1"], ["switches", "ub-l2"]]
        .map(|[kind, name]| project.run(&["list", kind, name]).output());
    let machine = |spine: &str| machine.replace("\"ub-l1\"", "\"./one/sw.toml\"").replace("\"ub-l2\"", &format!("\"./two/{spine}.toml\""));
    let project = project.file("one/sw.toml", &leaf).file("two/sw.toml", &spine).file("two/spine.toml", &spine);
    let project = project.file("clash.toml", &machine("sw")).file("apart.toml", &machine("spine"));
    let draws = |machine: &str| project.run(&["uncertainty", machine, "--draws", "20", "--format", "csv"]);
    let error = draws("clash.toml").error();
    assert!(error.contains("is the second switch file called `sw`") && error.contains("give one of the two another name"), "{error}");
    assert!(draws("apart.toml").output().starts_with("supernode,"));
    // Without draws nothing is put in.
    project.run(&["collective", "clash.toml", "--op", "all_reduce", "--size", "1MiB"]).output();
}
