//! Changes of an input that keep most of its structure: figures, words, lines, values and stretches of bytes.

use supernode::units::SplitMix64;

/// Numbers at which readers and arithmetic break.
const NUMBERS: [&str; 24] = [
    "0",
    "-0.0",
    "-1",
    "1",
    "2",
    "3",
    "7",
    "0.5",
    "1e-300",
    "1e300",
    "1e18",
    "1e19",
    "-1e18",
    "255",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "nan",
    "inf",
    "0.9999999999999999",
    "1.0000000000000002",
];

/// Values that a TOML or JSON reader may not expect where a figure or a name stands.
const VALUES: [&str; 12] =
    ["[]", "{}", "true", "\"\"", "1979-05-27", "[[]]", "\"0 B\"", "\"1e300 GB/s\"", "\"-1 us\"", "null", "\"\\u0000\"", "[1, 2, 3]"];

/// Units, of which one is put where another stood.
const UNITS: [&str; 16] = ["B", "KiB", "GB", "TB/s", "Gbit/s", "us", "ns", "s", "W", "MW", "pJ/bit", "GHz", "TFLOP/s", "m", "%", "tokens/s"];

/// Bytes up to which an input grows.
const LARGEST: usize = 64 << 10;

/// An input made from `input` by one to four changes; `others` lend lines, values and ends.
pub fn mutated(input: &[u8], others: &[Vec<u8>], stream: &mut SplitMix64) -> Vec<u8> {
    let mut made = input.to_vec();
    for _ in 0..=stream.below(4) {
        made = changed(&made, others, stream);
    }
    made.truncate(LARGEST);
    made
}

fn changed(input: &[u8], others: &[Vec<u8>], stream: &mut SplitMix64) -> Vec<u8> {
    let other = if others.is_empty() { input } else { &others[stream.below(others.len())] };
    match stream.below(16) {
        0..=3 => number(input, stream),
        4 => replaced(input, &spans(input, |byte| byte.is_ascii_alphabetic()), UNITS[stream.below(UNITS.len())].as_bytes(), stream),
        5 => word(input, other, stream),
        6 => value(input, VALUES[stream.below(VALUES.len())].as_bytes(), stream),
        7 => {
            let values = values(other);
            if values.is_empty() { input.to_vec() } else { value(input, &other[values[stream.below(values.len())].clone()], stream) }
        }
        8..=11 => lines(input, other, stream),
        12 => input[..stream.below(input.len() + 1)].to_vec(),
        13 => spliced(input, other, stream),
        _ => bytes(input, stream),
    }
}

/// Longest stretches whose bytes are all `inside`.
fn spans(input: &[u8], inside: impl Fn(u8) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (position, byte) in input.iter().copied().chain([b'\n']).enumerate() {
        match (inside(byte), start) {
            (true, None) => start = Some(position),
            (false, Some(from)) => {
                found.push(from..position);
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn put(input: &[u8], span: std::ops::Range<usize>, text: &[u8]) -> Vec<u8> {
    [&input[..span.start], text, &input[span.end..]].concat()
}

fn replaced(input: &[u8], spans: &[std::ops::Range<usize>], text: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    if spans.is_empty() { input.to_vec() } else { put(input, spans[stream.below(spans.len())].clone(), text) }
}

/// Another number in place of one: an extreme one, or a near one.
fn number(input: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    let found = spans(input, |byte| byte.is_ascii_digit() || byte == b'.');
    if found.is_empty() {
        return bytes(input, stream);
    }
    let span = found[stream.below(found.len())].clone();
    let known = std::str::from_utf8(&input[span.clone()]).ok().and_then(|text| text.parse::<f64>().ok());
    let text = match (stream.below(3), known) {
        (0, Some(known)) => {
            let near = [known * 2.0, known / 2.0, known + 1.0, known - 1.0, known * 10.0, known * 1000.0][stream.below(6)];
            format!("{near}")
        }
        _ => NUMBERS[stream.below(NUMBERS.len())].to_owned(),
    };
    put(input, span, text.as_bytes())
}

/// A word of another input, or a strange one, in place of a word.
fn word(input: &[u8], other: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let lent = spans(other, is_word);
    let text: &[u8] = match stream.below(8) {
        0 => "机柜".as_bytes(),
        1 => b"",
        _ if lent.is_empty() => b"x",
        _ => &other[lent[stream.below(lent.len())].clone()],
    };
    replaced(input, &spans(input, is_word), text, stream)
}

/// What stands behind `=` or `:` up to the end of the line.
fn values(input: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for line in line_spans(input) {
        if let Some(at) = input[line.clone()].iter().position(|byte| matches!(byte, b'=' | b':')) {
            let end = if input[line.clone()].ends_with(b"\n") { line.end - 1 } else { line.end };
            found.push((line.start + at + 1).min(end)..end);
        }
    }
    found
}

fn value(input: &[u8], text: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    replaced(input, &values(input), text, stream)
}

fn line_spans(input: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    let lines = input.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| {
            start += line.len();
            start - line.len()..start
        })
        .collect()
}

/// A line that goes, comes twice, changes its place or comes from elsewhere.
fn lines(input: &[u8], other: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    let own = line_spans(input);
    if own.is_empty() {
        return other.to_vec();
    }
    let one = own[stream.below(own.len())].clone();
    match stream.below(4) {
        0 => put(input, one, b""),
        1 => put(input, one.end..one.end, &input[one.clone()]),
        2 => {
            let line = input[one.clone()].to_vec();
            let rest = put(input, one, b"");
            let places = line_spans(&rest);
            let at = if places.is_empty() { 0 } else { places[stream.below(places.len())].start };
            put(&rest, at..at, &line)
        }
        _ => {
            let lent = line_spans(other);
            let text = if lent.is_empty() { &[][..] } else { &other[lent[stream.below(lent.len())].clone()] };
            put(input, one.start..one.start, text)
        }
    }
}

/// The beginning of one and the end of another.
fn spliced(input: &[u8], other: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    let (from, to) = (stream.below(input.len() + 1), stream.below(other.len() + 1));
    [&input[..from], &other[to..]].concat()
}

/// Bytes that flip, go, come or repeat.
fn bytes(input: &[u8], stream: &mut SplitMix64) -> Vec<u8> {
    let byte = stream.below(256) as u8;
    if input.is_empty() {
        return vec![byte];
    }
    let at = stream.below(input.len());
    let next = at + 1;
    let end = (next + stream.below(16)).min(input.len());
    match stream.below(5) {
        0 => put(input, at..next, &[input[at] ^ (1 << stream.below(8))]),
        1 => put(input, at..end, b""),
        2 => put(input, at..at, &[byte]),
        3 => put(input, at..at, &input[at..end]),
        // The longest varint, and the shortest that is not whole.
        _ => put(input, at..next, if stream.below(2) == 0 { &[0xff; 10] } else { &[0xff] }),
    }
}
