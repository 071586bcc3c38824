//! Bad input ends in a clear error with its place and exit code 2, or in a clear "no" where the input is right: exact texts.

use crate::command::Project;

/// Eight packages on seven planes of one switch each: the smallest supernode with everything in it.
const NODE: &str = r#"schema = 1

[supernode]
name = "One node"
vendor = "nobody"
chip = "ascend-910c"
library = "cann"

[[level]]
name = "node"
size = 8
link = "ub-board-x2"
links = 2
[level.switch]
part = "ub-l1"
planes = 7

[supply]
conversion_efficiency = 0.94
cooling_share = 0.03
pue = 1.16
"#;

/// A link with every figure in place.
const LINK: &str = r#"schema = 1

[link]
name = "a link"
protocol = "ub"
lanes = 2
lane_rate = "112 Gbit/s"
length = "0.5 m"
delay_per_metre = "5 ns/m"
serdes_latency = "20 ns"
fec_latency = "0 ns"
serdes_energy = "5 pJ/bit"
[link.medium.trace]
"#;

#[test]
fn the_examples_are_right_before_they_are_broken() {
    let project = Project::new("right").file("node.toml", NODE).file("link.toml", LINK);
    project.run(&["check", "node.toml", "link.toml"]).succeeds("node.toml: ok, supernode One node, 8 chips, 112 links\nlink.toml: ok, link a link\n");
}

#[test]
fn a_misspelt_part_gets_the_near_name() {
    let project = Project::new("misspelt").file("node.toml", &NODE.replace("ascend-910c", "ascend-901c"));
    project.run(&["describe", "./node.toml"]).fails(
        r#"error: no chip is named `ascend-901c`
 --> ./node.toml:6:8
  |
6 | chip = "ascend-901c"
  |        ^^^^^^^^^^^^^ names a chip
  |
  = help: did you mean `ascend-910c`?
"#,
    );
}

#[test]
fn a_missing_part_file_is_named() {
    let project = Project::new("missing").file("node.toml", &NODE.replace("\"ascend-910c\"", "\"parts/mine.toml\""));
    project.run(&["describe", "./node.toml"]).fails(
        r#"error: cannot read `./parts/mine.toml`: no such file
 --> ./node.toml:6:8
  |
6 | chip = "parts/mine.toml"
  |        ^^^^^^^^^^^^^^^^^ names a chip
"#,
    );
}

#[test]
fn every_slip_of_a_file_is_reported_at_once() {
    let broken = LINK.replace("\"112 Gbit/s\"", "112").replace("\"0.5 m\"", "\"-0.5 m\"").replace("\"20 ns\"", "\"250\"");
    let project = Project::new("quantities").file("link.toml", &broken.replace("name = \"a link\"", "nmae = \"a link\""));
    project.run(&["check", "link.toml"]).fails(
        r#"error: missing key `name`
 --> link.toml:3:1
  |
3 | [link]
  | ^^^^^^ link needs `name`
  |
  = help: `name`: Name people use

error: unknown key `nmae`
 --> link.toml:4:1
  |
4 | nmae = "a link"
  | ^^^^ did you mean `name`?
  |
  = help: link takes: `name`, `origin`, `protocol`, `lanes`, `lane_rate`, `length`, `delay_per_metre`, `serdes_latency`, `fec_latency`, `serdes_energy`, `medium`

error: `lane_rate` is a bare number
 --> link.toml:7:13
  |
7 | lane_rate = 112
  |             ^^^ expected a bandwidth such as "28 GB/s" or "224 Gbit/s"
  |
  = help: write the unit: a quantity is text with its unit

error: `length` is not a length
 --> link.toml:8:10
  |
8 | length = "-0.5 m"
  |          ^^^^^^^^ must not be negative; expected a length such as "3 m"

error: `serdes_latency` is not a time
  --> link.toml:10:18
   |
10 | serdes_latency = "250"
   |                  ^^^^^ has no unit; expected a time such as "250 ns"
"#,
    );
}

/// None of these can be built or drawn, and every one of them once gave infinite watts, a verdict of nothing, or hours for a byte.
#[test]
fn figures_that_cannot_be() {
    let node = NODE.replace("conversion_efficiency = 0.94", "conversion_efficiency = 0.0").replace("pue = 1.16", "pue = 0.9");
    let target = std::fs::read_to_string("workloads/targets/doubao-2026-04.toml").unwrap();
    let target = target.replacen("peak_to_mean = { value = 1.45, range = [1.2, 2.0]", "peak_to_mean = { value = 1.45, range = [0.2, 2.0]", 1);
    let project =
        Project::new("figures").file("node.toml", &node).file("target.toml", &target).file("link.toml", &LINK.replace("112 Gbit/s", "0 Gbit/s"));
    project.run(&["check", "node.toml", "target.toml", "link.toml"]).fails(
        r#"error: `conversion_efficiency` is out of range
  --> ./node.toml:19:25
   |
19 | conversion_efficiency = 0.0
   |                         ^^^ expected a ratio from 0.01 to 1

error: `pue` is out of range
  --> ./node.toml:21:7
   |
21 | pue = 0.9
   |       ^^^ expected a ratio from 1 to 10

error: `peak_to_mean` is out of range
 --> ./target.toml:9:41
  |
9 | peak_to_mean = { value = 1.45, range = [0.2, 2.0], source = "D7", confidence = "derived" }
  |                                         ^^^ expected a ratio from 1 to 1000

error: `lane_rate` is out of range
 --> link.toml:7:13
  |
7 | lane_rate = "0 Gbit/s"
  |             ^^^^^^^^^^ must be more than zero, such as "28 GB/s" or "224 Gbit/s"
"#,
    );
}

#[test]
fn hosts_that_the_chips_do_not_fill() {
    let project = Project::new("hosts").file("node.toml", &NODE.replace("library = \"cann\"", "library = \"cann\"\nhost_chips = 3"));
    project.run(&["describe", "./node.toml"]).fails(
        r"error: 8 chips do not fill hosts of 3
 --> ./node.toml:8:14
  |
8 | host_chips = 3
  |              ^ must divide the number of chips
",
    );
}

/// Once a misspelt op or algorithm was passed over in silence, and the library offered everything instead.
#[test]
fn an_algorithm_that_nobody_knows() {
    let library = std::fs::read_to_string("topologies/parts/libraries/generic.toml").unwrap();
    let broken = library.replacen("[library]\n", "[library]\nalgorithms = { all_redcue = [], all_gather = [\"rign\"] }\n", 1);
    let project = Project::new("algorithms").file("library.toml", &broken);
    project.run(&["check", "library.toml"]).fails(
        r#"error: unknown key `all_redcue`
 --> library.toml:6:16
  |
6 | algorithms = { all_redcue = [], all_gather = ["rign"] }
  |                ^^^^^^^^^^ did you mean `all_reduce`?
  |
  = help: algorithms takes: `all_reduce`, `all_gather`, `reduce_scatter`, `all_to_all`, `broadcast`, `send`

error: unknown `all_gather`: `rign`
 --> library.toml:6:47
  |
6 | algorithms = { all_redcue = [], all_gather = ["rign"] }
  |                                               ^^^^^^ not known here
  |
  = help: did you mean `ring`?
"#,
    );
}

#[test]
fn bits_must_be_spelt_out() {
    let project = Project::new("bits").file("link.toml", &LINK.replace("112 Gbit/s", "400 Gb/s"));
    project.run(&["check", "link.toml"]).fails(
        r#"error: `lane_rate` is not a bandwidth
 --> link.toml:7:13
  |
7 | lane_rate = "400 Gb/s"
  |             ^^^^^^^^^^ `b` is ambiguous: write "400 Gbit/s" for bits or "400 GB/s" for bytes
  |
  = help: bits are spelt out: bit; bytes are B
"#,
    );
}

#[test]
fn more_links_than_a_switch_has_lanes() {
    let project = Project::new("lanes").file("node.toml", &NODE.replace("size = 8", "size = 24"));
    project.run(&["describe", "./node.toml"]).fails(
        r"error: switch `ub-l1` has 72 lanes, its links need 96
  --> ./node.toml:14:1
   |
14 | [level.switch]
   | ^^^^^^^^^^^^^^ level `node` adds the links that do not fit
   |
   = help: fewer children, planes or parallel links, or a part with more ports
",
    );
}

/// Sixteen chips take 64 of 72 lanes; the spine of the level above asks for 16 more.
#[test]
fn a_level_above_finds_few_lanes_left() {
    let spines =
        "[[level]]\nname = \"pod\"\nsize = 2\nlinks = 8\nlink = \"ub-board-x2\"\n[level.clos]\nspine = \"ub-l1\"\nspines_per_plane = 1\n\n[supply]";
    let text = NODE.replace("size = 8", "size = 16").replacen("[supply]", spines, 1);
    let error = Project::new("lanes-below").file("node.toml", &text).run(&["describe", "./node.toml"]).error();
    assert!(error.contains("has 72 lanes, its links need") && error.contains("do not fit; links of levels below it take 64"), "{error}");
}

#[test]
fn a_chip_has_a_budget_too() {
    let project = Project::new("budget").file("node.toml", &NODE.replace("links = 2", "links = 3").replace("size = 8", "size = 4"));
    project.run(&["describe", "./node.toml"]).fails(
        r"error: chip `Ascend 910C` has 28 lanes, its links need 42
  --> ./node.toml:14:1
   |
14 | [level.switch]
   | ^^^^^^^^^^^^^^ level `node` adds the links that do not fit
   |
   = help: fewer children, planes or parallel links, or a part with more ports
",
    );
}

#[test]
fn a_level_needs_one_pattern() {
    let project = Project::new("pattern").file("node.toml", &NODE.replace("[level.switch]\npart = \"ub-l1\"\nplanes = 7\n", ""));
    project.run(&["describe", "./node.toml"]).fails(
        r"error: level `node` needs exactly one pattern, found 0
  --> ./node.toml:11:8
   |
11 | size = 8
   |        ^ these children are joined how?
   |
   = help: one of `[level.switch]`, `[level.clos]`, `[level.full-mesh]`, `[level.ring]`, `[level.mesh]`, `[level.torus]`, `[level.hyperx]`, `[level.dragonfly]`, `[level.rail]`, `[level.pcie-tree]`, `[level.custom]`, `[level.package]`
",
    );
}

#[test]
fn a_target_of_zero() {
    let target = r#"schema = 1

[target]
name = "nothing"
demand = "0 tokens/day"
peak_to_mean = 1.5
input_share = 0.75
cache_hit = 0.5
"#;
    let project = Project::new("zero").file("zero.toml", target);
    project.run(&["simulate", "cloudmatrix384", "--target", "zero.toml"]).fails(
        r#"error: must be more than zero
 --> zero.toml:5:10
  |
5 | demand = "0 tokens/day"
  |          ^^^^^^^^^^^^^^ a target of zero is met by anything
"#,
    );
}

#[test]
fn files_that_are_not_toml() {
    let project = Project::new("files").file("empty.toml", "").bytes("binary.toml", &[0x7f, b'E', b'L', b'F', 0xff, 0xfe]).folder("folder.toml");
    project.run(&["simulate", "./empty.toml"]).fails("error: `./empty.toml` is empty\n |\n = help: expected a [supernode] table\n");
    project
        .run(&["simulate", "./binary.toml"])
        .fails("error: `./binary.toml` is not text: byte 4 is not UTF-8\n |\n = help: expected a TOML file in UTF-8\n");
    project.run(&["simulate", "./folder.toml"]).fails("error: `./folder.toml` is a directory\n |\n = help: expected a TOML file\n");
    project
        .run(&["simulate", "cloudmatrix348"])
        .fails("error: no supernode is named `cloudmatrix348`\n |\n = help: did you mean `cloudmatrix384`?\n");
}

#[test]
fn syntax_errors_are_underlined() {
    let project = Project::new("syntax").file("node.toml", &NODE.replace("size = 8", "size = = 8"));
    project.run(&["describe", "./node.toml"]).fails(
        r"error: this is not valid TOML
  --> ./node.toml:11:8
   |
11 | size = = 8
   |        ^ extra `=`, expected nothing

error: this is not valid TOML
  --> ./node.toml:11:10
   |
11 | size = = 8
   |          ^ unexpected key or value, expected newline, `#`
",
    );
}

#[test]
fn a_model_that_does_not_fit_is_a_verdict() {
    let project = Project::new("heavy").file("node.toml", &NODE.replace("size = 8", "size = 4"));
    let output = project.run(&["simulate", "./node.toml", "--workload", "deepseek-r1-cloudmatrix"]).output();
    let verdict = output.lines().find(|line| line.contains("misses")).unwrap_or_default();
    assert_eq!(verdict.trim(), "verdict  misses: does not fit: the weights take 95.9 GB on each rank, 57.6 GB is usable (decode)");
}

#[test]
fn collectives_that_make_no_sense() {
    let project = Project::new("collectives");
    let run = |arguments: &[&str]| {
        let all: Vec<&str> = ["collective", "cloudmatrix384"].iter().chain(arguments).copied().collect();
        project.run(&all)
    };
    run(&["--op", "all_reduce", "--size", "0B"]).fails("error: --size: `0B` must be more than zero\n");
    run(&["--op", "all_reduce", "--size", "1MiB", "--ranks", "1"]).fails("error: collective: a collective needs at least 2 ranks\n");
    run(&["--op", "all_reduce", "--size", "1MiB", "--ranks", "385"]).fails("error: collective: 385 ranks asked for, the machine has 384 chips\n");
    run(&["--op", "all_to_all", "--size", "1MiB", "--algorithm", "ring"])
        .fails("error: collective: algorithm `ring` does not do all_to_all; here `direct`, `hierarchical`, `pairwise`, `bruck` and `auto` work\n");
}

/// What editors of other systems put into a text file.
#[test]
fn a_byte_order_mark_and_carriage_returns_are_no_mistakes() {
    let windows = format!("\u{feff}{}", NODE.replace('\n', "\r\n"));
    let project = Project::new("windows").file("node.toml", &windows).file("slip.toml", &windows.replace("library", "libary"));
    project.run(&["check", "node.toml"]).succeeds("node.toml: ok, supernode One node, 8 chips, 112 links\n");
    let slip = r#"error: missing key `library`
 --> ./slip.toml:3:1
  |
3 | [supernode]
  | ^^^^^^^^^^^ supernode needs `library`
  |
  = help: `library`: Communication library part

error: unknown key `libary`
 --> ./slip.toml:7:1
  |
7 | libary = "cann"
  | ^^^^^^ did you mean `library`?
  |
  = help: supernode takes: `name`, `vendor`, `origin`, `chip`, `library`, `host_chips`, `routing`, `workload`, `engine`, `published`, `standing`, `sources`
"#;
    project.run(&["check", "slip.toml"]).fails(slip);
}

#[test]
fn a_file_of_another_kind_has_one_thing_wrong() {
    let project = Project::new("another-kind").file("node.toml", NODE);
    project.run(&["simulate", "hgx-h100", "--workload", "./node.toml"]).fails(
        r"error: this file holds [supernode], not [workload]
 --> ./node.toml:3:2
  |
3 | [supernode]
  |  ^^^^^^^^^ another kind of file
",
    );
}

#[test]
fn a_missing_key_says_what_it_means_and_how_it_may_be_written() {
    let project =
        Project::new("meaning").file("node.toml", &NODE.replace("pue = 1.16\n", "")).file("link.toml", &LINK.replace("length = \"0.5 m\"\n", ""));
    project.run(&["check", "node.toml", "link.toml"]).fails(
        r#"error: missing key `pue`
  --> ./node.toml:18:1
   |
18 | [supply]
   | ^^^^^^^^ supply needs `pue`
   |
   = help: `pue`: Power of the hall over power of the racks; a ratio from 1 to 10

error: missing key `length`
 --> link.toml:3:1
  |
3 | [link]
  | ^^^^^^ link needs `length`
  |
  = help: `length`: Length of cable or trace; for example `length = "3 m"`
"#,
    );
}

#[test]
fn names_and_files_are_told_apart() {
    let project = Project::new("names").folder("nodes");
    project.run(&["describe", "nodes"]).fails("error: `nodes` is a directory\n |\n = help: expected a TOML file\n");
    project.run(&["check", "hgx-h100"]).fails(
        "error: cannot read `hgx-h100`: no such file\n |\n = help: `hgx-h100` ships with the program and is right: `supernode describe hgx-h100`\n",
    );
    project
        .run(&["collective", "hgx-h100", "--op", "send", "--size", "1MiB", "--library", "nvlink5"])
        .fails("error: no library is named `nvlink5`\n |\n = help: did you mean `nccl-2.27-torch-nvlink5` or `nccl-nvlink5`?\n");
}

/// A negative number is a value that is out of range, not an option of that name.
#[test]
fn negative_numbers_are_values() {
    let project = Project::new("negative");
    project
        .run(&["collective", "hgx-h100", "--op", "send", "--size", "1MiB", "--ranks", "-3"])
        .fails("error: invalid value '-3' for '--ranks <N>': -3 is not in 0..=4294967295\n\nFor more information, try '--help'.\n");
    project
        .run(&["collective", "hgx-h100", "--op", "send", "--size", "-1"])
        .fails("error: --size: `-1` has no unit; expected a size such as 64KiB or 1MB\n");
}

#[test]
fn a_degree_is_given_once() {
    let project = Project::new("twice");
    for command in ["simulate", "train"] {
        project.run(&[command, "hgx-h100", "--mapping", "tp=8,tp=4"]).fails("error: --mapping: tp is given twice\n");
    }
}

#[test]
fn a_name_can_be_printed() {
    let project = Project::new("control").file("node.toml", &NODE.replace("One node", "One\\u001b[31m node"));
    project.run(&["check", "node.toml"]).fails(
        r#"error: `name` holds a control character
 --> ./node.toml:4:8
  |
4 | name = "One\u001b[31m node"
  |        ^^^^^^^^^^^^^^^^^^^^ expected letters that can be printed
"#,
    );
}

/// What could not be written is not done; a reader that has seen enough is no mistake.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    use std::process::{Command, Stdio};
    let list = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_supernode"));
        command.arg("list");
        command
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = list().stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stderr), "error: cannot write standard output: No space left on device (os error 28)\n");
    assert_eq!(run.status.code(), Some(2));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let run = list().stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((run.status.code(), run.stderr), (Some(0), Vec::new()));
}

#[test]
fn standard_input_is_a_file() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let piped = |command: &str| {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_supernode")).args([command, "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(NODE.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    // Check reads a file twice: to see what it is, and as that.
    assert_eq!(piped("check"), "-: ok, supernode One node, 8 chips, 112 links\n");
    assert!(piped("describe").starts_with("One node (nobody)\n"));
}

/// A family's name leads to its members, not to a name that differs in a letter; what may have one value only says so.
#[test]
fn suggestions_and_ranges_are_of_use() {
    let project = Project::new("family").file("node.toml", &NODE.replace("\"cann\"", "\"nccl\""));
    let error = project.run(&["check", "node.toml"]).error();
    assert!(error.contains("`nccl-nvlink4`") && !error.contains("`rccl`"), "{error}");
    let project = Project::new("one-value").file("node.toml", &NODE.replace("schema = 1", "schema = 2"));
    let error = project.run(&["check", "node.toml"]).error();
    assert!(error.contains("expected a whole number, only 1"), "{error}");
}
