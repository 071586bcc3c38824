//! Words of a command line: quantities, sizes, mappings, layouts, placements, paths of values, dates, and whole commands.

use supernode::execution::MappingRequest;
use supernode::fabric::RoutingPolicy;
use supernode::input::edit::ValuePath;
use supernode::network::Placement;
use supernode::study::promises;
use supernode::training::TrainingRequest;
use supernode::units::{Date, Dimension, parse_dimension, si, split};

use super::oracle;

/// Kinds of words.
pub const NAMES: [&str; 3] = ["quantity", "word", "command"];

/// A run, and its first inputs.
type Made = (Vec<Vec<u8>>, Box<dyn Fn(&[u8], bool) -> bool>);

const QUANTITIES: [&str; 12] =
    ["450 GB/s", "64KiB", "1.5e3 us", "12", "0.94", "700 W", "3.35 TB/s", "4.5 pJ/bit", "1980 MHz", "989 TFLOP/s", "5 ns/m", "100 tokens/s"];

const WORDS: [&str; 14] = [
    "tp=4,ep=32,micro_batches=1",
    "tp=8,dp=4,pp=2,cp=1,ep=8",
    "dp=2,ffn=16",
    "by-level",
    "strided:8+3",
    "chips:0,9,18",
    "ecmp:7",
    "dimension-order",
    "chip.memory.bandwidth",
    "link[ualink-x4].lane_rate",
    "level[rack].size",
    "2026-04-01",
    "ttft:p90:2s,tpot:p99:50ms",
    "p99_ttft=2s",
];

/// Commands that answer at once and write nothing.
const COMMANDS: [&str; 11] = [
    "describe hgx-h100",
    "collective hgx-h100 --op all_reduce --size 1KiB..1GiB --ranks 8",
    "collective hgx-h100 --op all_to_all --size 1MiB --ranks 4 --placement strided:2",
    "experts hgx-h100 --size 7KiB",
    "fan-in hgx-h100",
    "simulate hgx-h100 --workload gpt-oss-120b-mxfp4 --mapping tp=4 --ttft 2s --tpot 50ms",
    "train hgx-h100 --workload qwen3-32b-bf16 --model qwen3-0.6b",
    "model qwen3-32b",
    "experts hgx-h100 --size 7KiB,8KiB --tokens 64 --experts-per-token 4",
    "explain no-hosts",
    "schema chip",
];

/// Words that make a command write or wait: those are left out.
const WRITING: [&str; 8] = ["out", "plot", "html", "trace", "all", "scatter", "write", "document"];

/// What becomes of words of a kind; `None` where the kind is none of these.
pub fn run(name: &str) -> Option<Made> {
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match name {
        "quantity" => Some((bytes(&QUANTITIES), Box::new(|input, _| std::str::from_utf8(input).is_ok_and(quantity)))),
        "word" => Some((bytes(&WORDS), Box::new(|input, _| std::str::from_utf8(input).is_ok_and(word)))),
        "command" => Some((bytes(&COMMANDS), Box::new(|input, _| std::str::from_utf8(input).is_ok_and(command)))),
        _ => None,
    }
}

fn quantity(text: &str) -> bool {
    let mut taken = false;
    for (dimension, ..) in Dimension::ALL {
        if let Ok(value) = parse_dimension(text, dimension) {
            oracle::amount(text, value);
            taken = true;
        }
    }
    let _ = (split(text), si(text));
    taken
}

fn word(text: &str) -> bool {
    let placement = text.parse::<Placement>();
    let taken = [
        text.parse::<MappingRequest>().is_ok(),
        text.parse::<TrainingRequest>().is_ok(),
        placement.is_ok(),
        text.parse::<RoutingPolicy>().is_ok(),
        ValuePath::parse(text).is_ok(),
        Date::parse(text).is_ok(),
        promises(text).is_ok(),
    ];
    taken.contains(&true)
}

/// A command, in process; its answer holds no figure that is none.
fn command(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let writes = |word: &&str| {
        let is_option = word.starts_with('-') && WRITING.iter().any(|name| word.contains(name));
        is_option || word.contains(['/', '\\']) || word.ends_with(".toml") || **word == *"-"
    };
    let slow = ["sensitivity", "uncertainty", "optimize", "sweep", "validate", "calibrate", "compare", "serve", "capacity", "fail", "load", "new"];
    if words.iter().any(writes) || words.iter().any(|word| slow.contains(word)) {
        return false;
    }
    let Ok(answer) = supernode::ask(&words) else { return false };
    for word in answer.text().split(|letter: char| letter.is_whitespace() || letter == ',') {
        assert!(!["NaN", "inf", "-inf"].contains(&word), "`{text}` says {word}");
    }
    true
}
