//! `extends` in files of every kind: what the file says replaces, what it does not say stays with its source, and a mistake is shown in
//! the file that makes it. Exact texts.

use std::sync::Mutex;

use crate::command::Project;
use supernode::input::catalog::Mention;
use supernode::input::document::Medium;
use supernode::input::file_cache::{FileReader, Log};
use supernode::input::spec::{TargetSpec, load_supernode, load_target, load_target_from, load_workload};
use supernode::units::Confidence;

const MINE: &str = "schema = 1\nextends = \"china-2026-03\"\n\n[target]\nname = \"mine\"\n";

fn target(name: &str, text: &str) -> TargetSpec {
    let project = Project::new(name).file("target.toml", text);
    load_target(&project.path().join("target.toml").display().to_string()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn what_is_not_said_stays_with_its_range_source_and_confidence() {
    let (base, mine) = (load_target("china-2026-03").unwrap(), target("extends-stays", MINE));
    assert_eq!(mine.target.name, "mine");
    for (own, inherited) in [(&base.target.cache_hit, &mine.target.cache_hit), (&base.target.peak_to_mean, &mine.target.peak_to_mean)] {
        assert!(own.source.is_some());
        assert_eq!(own, inherited);
    }
    assert_eq!((mine.date, mine.series.unwrap().points.len()), (base.date, base.series.unwrap().points.len()));
}

/// 140e12 tokens a day stand in the base without a word on where they are from: its `origin` says that, not the file's own.
#[test]
fn a_figure_that_stays_takes_the_origin_of_its_file_along() {
    let origin = "origin = { source = \"OWN\", confidence = \"press\" }\nspare = 0.05\n\n[sources]\nOWN = \"https://example.org\"\n";
    for (name, text, own) in [("without", MINE.to_owned(), None), ("with", format!("{MINE}{origin}"), Some("OWN"))] {
        let mine = target(&format!("extends-origin-{name}"), &text).target;
        assert_eq!((mine.demand.source.as_deref(), mine.demand.confidence), (Some("D10"), Some(Confidence::SecondHand)), "{name}");
        assert_eq!(mine.origin.source.as_deref(), own, "the file speaks of its own figures");
    }
}

#[test]
fn a_figure_that_is_said_anew_keeps_nothing_of_the_old_one() {
    let mine = target("extends-figure", &format!("{MINE}cache_hit = {{ value = 0.3, confidence = \"assumed\" }}\n")).target;
    assert_eq!((mine.cache_hit.value.get(), mine.cache_hit.range, mine.cache_hit.source), (0.3, None, None));
}

#[test]
fn a_choice_or_a_pattern_takes_the_place_of_another() {
    let medium = "[link.medium.optical]\nlinks_per_module = 2\nmodule_power = \"10 W\"\nmodule_latency = \"10 ns\"\n";
    let node = "schema = 1\nextends = \"hgx-h100\"\n[[level]]\nname = \"node\"\nlink = \"./link.toml\"\n[level.full-mesh]\n";
    let project = Project::new("extends-choice")
        .file("link.toml", &format!("schema = 1\nextends = \"nvlink4-board\"\n[link]\nname = \"light\"\n{medium}"))
        .file("node.toml", node);
    let spec = load_supernode(&project.path().join("node.toml").display().to_string()).unwrap_or_else(|problems| panic!("{problems}"));
    let link = &spec.levels[0].link.link;
    assert!(matches!(link.medium, Medium::Optical { links_per_module: 2, .. }), "{:?}", link.medium);
    project.run(&["check", "node.toml"]).succeeds("node.toml: ok, supernode HGX H100, 8 chips, 36 links\n");
}

/// Of the same kind of medium the rest stays, through three files.
#[test]
fn a_choice_of_the_same_kind_merges_and_files_chain() {
    let part = "schema = 1\nextends = \"sue-400g-optical\"\n[link]\nname = \"four\"\n[link.medium.optical]\nlinks_per_module = 4\n";
    let project = Project::new("extends-chain").file("link.toml", part).file("alias.toml", "schema = 1\nextends = \"./link.toml\"\n");
    project.run(&["check", "link.toml", "alias.toml"]).succeeds("link.toml: ok, link four\nalias.toml: ok, link four\n");
}

#[test]
fn shipped_files_that_extend_say_what_they_said_when_they_stood_alone() {
    let precision = |name: &str| load_workload(name).unwrap().workload.precision;
    let (mxfp4, w4a8) = (precision("gpt-oss-120b-mxfp4"), precision("gpt-oss-120b-w4a8"));
    assert_eq!((mxfp4.experts.unwrap().name(), w4a8.experts.unwrap().name()), ("w4a16", "w4a8"));
    assert_eq!((mxfp4.weights, mxfp4.attention, mxfp4.kv_cache), (w4a8.weights, w4a8.attention, w4a8.kv_cache));
    let (plain, video) = (load_target("china-2026-03").unwrap(), load_target("china-2026-03-video").unwrap());
    assert_eq!((plain.target.demand.value, plain.target.cache_hit), (video.target.demand.value, video.target.cache_hit));
    assert!(plain.clip.is_none() && video.clip.is_some());
}

#[test]
fn an_unknown_base_gets_the_near_name() {
    let text = MINE.replace("china-2026-03", "chna-2026-03");
    Project::new("extends-unknown").file("t.toml", &text).run(&["check", "t.toml"]).fails(
        r#"error: no target is named `chna-2026-03`
 --> ./t.toml:2:11
  |
2 | extends = "chna-2026-03"
  |           ^^^^^^^^^^^^^^ names a target
  |
  = help: did you mean `china-2026-03`?
"#,
    );
}

#[test]
fn a_base_of_another_kind_is_named() {
    let project = Project::new("extends-kind")
        .file("t.toml", &MINE.replace("china-2026-03", "chat"))
        .file("chip.toml", "schema = 1\nextends = \"h100\"\n[chip]\nname = \"mine\"\n")
        .file("u.toml", &MINE.replace("china-2026-03", "./chip.toml"));
    let error = project.run(&["check", "t.toml"]).error();
    assert!(error.contains("\n  = help: a shipped workload has that name; "), "{error}");
    project.run(&["check", "u.toml"]).fails(
        r#"error: `./chip.toml` does not hold `[target]`
 --> ./u.toml:2:11
  |
2 | extends = "./chip.toml"
  |           ^^^^^^^^^^^^^ holds `[chip]`
  |
  = help: a file extends another of its own kind
"#,
    );
}

#[test]
fn a_circle_is_drawn() {
    let file = |base: &str| MINE.replace("china-2026-03", base);
    Project::new("extends-circle").file("a.toml", &file("./b.toml")).file("b.toml", &file("./a.toml")).run(&["check", "a.toml"]).fails(
        r#"error: `./a.toml` extends itself
 --> ./b.toml:2:11
  |
2 | extends = "./a.toml"
  |           ^^^^^^^^^^ leads back to a file that led here
  |
  = help: ./a.toml -> ./b.toml -> ./a.toml
"#,
    );
}

/// A slip of the base is underlined there, one of the file itself here, both at once.
#[test]
fn a_mistake_is_underlined_in_the_file_that_makes_it() {
    let base = std::fs::read_to_string("workloads/targets/china-2026-03.toml").unwrap().replace("140e12 tokens/day", "140e12 tokens");
    let mine = MINE.replace("china-2026-03", "./base.toml") + "cache_hti = 0.3\n";
    Project::new("extends-mistake").file("base.toml", &base).file("mine.toml", &mine).run(&["check", "mine.toml"]).fails(
        r#"error: `demand` is not a token rate
 --> ./base.toml:7:10
  |
7 | demand = "140e12 tokens"
  |          ^^^^^^^^^^^^^^^ unknown unit `tokens`; expected a token rate such as "120e12 tokens/day"

error: unknown key `cache_hti`
 --> ./mine.toml:6:1
  |
6 | cache_hti = 0.3
  | ^^^^^^^^^ did you mean `cache_hit`?
  |
  = help: target takes: `name`, `origin`, `demand`, `peak_to_mean`, `input_share`, `cache_hit`, `utilisation`, `spare`, `date`, `series`, `video`
"#,
    );
}

#[test]
fn a_range_alone_is_no_figure_and_a_source_leads_to_one_address() {
    let project = Project::new("extends-source")
        .file("range.toml", &format!("{MINE}cache_hit = {{ range = [0.1, 0.9] }}\n"))
        .file("source.toml", &format!("{MINE}\n[sources]\nD22 = \"https://example.org\"\n"));
    project.run(&["check", "range.toml"]).fails(
        r#"error: `cache_hit` has no value
 --> ./range.toml:6:13
  |
6 | cache_hit = { range = [0.1, 0.9] }
  |             ^^^^^^^^^^^^^^^^^^^^^^ missing `value`
  |
  = help: for example 0.87 or "87 %"
"#,
    );
    project.run(&["check", "source.toml"]).fails(
        r#"error: source `D22` leads to two addresses
  --> ./source.toml:8:7
   |
 8 | D22 = "https://example.org"
   |       ^^^^^^^^^^^^^^^^^^^^^ one here
   |
  ::: workloads/targets/china-2026-03.toml:19:7
   |
19 | D22 = "https://github.com/deepseek-ai/open-infra-index"
   |       ------------------------------------------------- another in what this file extends
   |
   = help: figures that stay as they are name it too: give this one another key
"#,
    );
}

const STUDY: &str = r#"schema = 1
[study]
name = "rates"
supernodes = ["ref-ualink-64"]
[[axis]]
name = "size"
path = "level[rack].size"
list = [32, 64]
[[axis]]
name = "rate"
path = "link[ualink-x4].lane_rate"
list = ["200 Gbit/s"]
"#;

/// Axes merge by name; a value is underlined in the study that gives it, behind which others stand.
#[test]
fn a_study_extends_a_study() {
    let mine = "schema = 1\nextends = \"./study.toml\"\n[study]\nname = \"more rates\"\n[[axis]]\nname = \"rate\"\nlist = [\"200 Gbit/s\", \"400 Gbit/s\"]\n";
    let project = Project::new("extends-study")
        .file("study.toml", STUDY)
        .file("mine.toml", mine)
        .file("wrong.toml", &mine.replace("\"400 Gbit/s\"", "400"))
        .file("astray.toml", "schema = 1\nextends = \"./bad.toml\"\n[study]\nname = \"astray\"\n")
        .file("bad.toml", &STUDY.replace("level[rack].size", "level[rock].size"));
    project
        .run(&["check", "study.toml", "mine.toml"])
        .succeeds("study.toml: ok, study rates, 2 designs\nmine.toml: ok, study more rates, 4 designs\n");
    project.run(&["check", "wrong.toml"]).fails(
        r#"error: `lane_rate` is a bare number
 --> ./wrong.toml:7:23
  |
7 | list = ["200 Gbit/s", 400]
  |                       ^^^ expected a bandwidth such as "28 GB/s" or "224 Gbit/s"
  |
  = help: write the unit: a quantity is text with its unit
"#,
    );
    project.run(&["check", "astray.toml"]).fails(
        r#"error: `level[rock].size` names nothing in any design of the study
 --> ./bad.toml:7:8
  |
7 | path = "level[rock].size"
  |        ^^^^^^^^^^^^^^^^^^ no such value
  |
  = help: did you mean `rack`?
"#,
    );
}

/// A sweep's journal belongs to the files that it was made from, also to those that they extend.
#[test]
fn what_a_file_stands_on_is_logged_with_what_it_extends() {
    let log = Mutex::new(Log::default());
    load_target_from(&FileReader::default().logged(&log), "china-2026-03-video", &Mention::on_command_line()).unwrap();
    let files = log.into_inner().unwrap().files;
    let text = &files[&("target", "china-2026-03-video".to_owned())];
    assert!(text.contains("140e12 tokens/day") && text.contains("wan2.2-a14b-720p"), "{text}");
}

#[test]
fn the_target_of_the_handbook_is_whole() {
    let handbook = include_str!("../../docs/topologies.md");
    let block = handbook.split("```text\n").find(|block| block.starts_with("schema = 1\nextends")).unwrap().split("```").next().unwrap();
    let (base, mine) = (load_target("china-2026-03").unwrap().target, target("extends-handbook", block).target);
    assert_eq!((mine.cache_hit.value.get(), mine.demand.value), (0.5, base.demand.value));
}

/// A derived machine puts a level between two others, and does without a key and an item of its base.
#[test]
fn a_derived_file_inserts_a_level_and_removes_keys() {
    let derived = "schema = 1\nextends = \"ub-mesh-1024\"\nremove = [\"auxiliary[*]\"]\n[supernode]\nname = \"More\"\n\n\
                   [[level]]\nname = \"pair\"\nafter = \"rack\"\nsize = 2\nlink = \"ub2-cable-x2\"\n[level.full-mesh]\n";
    let project = crate::command::Project::new("inserted").file("m.toml", derived);
    let described: serde_json::Value = serde_json::from_str(&project.run(&["describe", "m.toml", "--format", "json"]).output()).unwrap();
    let plain: serde_json::Value = serde_json::from_str(&project.run(&["describe", "ub-mesh-1024", "--format", "json"]).output()).unwrap();
    assert_eq!(described["chips"].as_u64(), plain["chips"].as_u64().map(|chips| 2 * chips));
    let project = crate::command::Project::new("removed-nothing")
        .file("m.toml", "schema = 1\nextends = \"hgx-h100\"\nremove = [\"supernode.enginee\"]\n[supernode]\nname = \"More\"\n");
    project.run(&["check", "m.toml"]).fails(
        "error: `supernode.enginee` cannot be removed\n --> ./m.toml:3:11\n  |\n3 | remove = [\"supernode.enginee\"]\n  |           ^^^^^^^^^^^^^^^^^^^ leads nowhere in what this file extends\n  |\n  = help: paths are such as `supernode.engine`, `level[rack].attach`, `auxiliary[NICs]`\n",
    );
    let project = crate::command::Project::new("after-nothing").file(
        "m.toml",
        "schema = 1\nextends = \"hgx-h100\"\n[[level]]\nname = \"pair\"\nafter = \"rackk\"\nsize = 2\nlink = \"nvlink4-board\"\n[level.full-mesh]\n",
    );
    assert!(project.run(&["check", "m.toml"]).error().contains("level `pair` cannot stand after `rackk`"));
}
