//! Files of requests: when they came, how long they were, and what their prompts share.
//!
//! | format | how it is known |
//! | --- | --- |
//! | Mooncake, JSON lines | `timestamp` in ms, `input_length`, `output_length`, `hash_ids` of blocks of 512 tokens |
//! | LLMServingSim workload, JSON lines | `arrival_time_ns`, `input_toks`, `output_toks`, `input_tok_ids`; equal tokens from the start on are shared in blocks of 16 |
//! | LLMServingSim measurement, JSON lines | `arrival_time` in s, `input_toks`, `output_toks` and the engine's time stamps |
//! | Azure, CSV | `TIMESTAMP,ContextTokens,GeneratedTokens` |
//! | plain, CSV | `arrival_s,input_tokens,output_tokens`, then `prefix_blocks` (numbers of blocks, between spaces) or `session`, then `priority` |
//!
//! Times count from the first request.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::catalog::read_foreign;
use super::problem::{Place, Problem, Problems, Source};
use crate::units::Date;

/// Tokens of a block in Mooncake's traces.
const MOONCAKE_BLOCK: u32 = 512;
/// Tokens of a block where a trace has tokens, sessions or numbers of blocks.
const BLOCK: u32 = 16;
/// Longest prompt or answer: more is a slip of the finger.
const LONGEST: u64 = 100_000_000;
/// Most blocks of all prompts: beyond them the prefixes take gigabytes.
const MOST_BLOCKS: usize = 30_000_000;
/// Longest time after the first request, seconds: 115 days.
const LAST: f64 = 1e7;
/// Characters of a wrong field that are shown.
const FIELD: usize = 40;
/// Characters of a wrong line that are underlined.
const WIDTH: usize = 100;
/// Wrong lines that are shown.
const SHOWN: usize = 10;

/// Requests of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceFile {
    /// In the order of their arrival.
    pub rows: Vec<TraceRow>,
    /// Blocks of all prompts, numbered without gaps from 0.
    pub blocks: Vec<u32>,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// Blocks that differ.
    pub distinct: u32,
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceRow {
    /// Seconds after the first request.
    pub arrival: f64,
    /// Tokens of the prompt.
    pub input: u32,
    /// Tokens of the answer.
    pub output: u32,
    /// Its blocks in [`TraceFile::blocks`].
    pub prefix: Range<u32>,
    /// Whom to serve first under a priority policy: the lowest number.
    pub priority: i32,
    /// What an engine did with it, where the file says.
    pub measured: Option<Measurement>,
}

/// Time stamps of an engine, in seconds of its own clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// When it took the request in.
    pub queued: f64,
    /// When the first token came.
    pub first: f64,
    /// When the last token came.
    pub last: f64,
}

/// What one line says.
#[derive(Debug, Default)]
struct TraceLine {
    arrival: f64,
    input: f64,
    output: f64,
    blocks: Vec<BlockKey>,
    priority: i32,
    measured: Option<Measurement>,
}

/// What a block is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum BlockKey {
    Number(u64),
    /// A block after another one.
    Tokens(u32, Vec<u64>),
    Session(Arc<str>, u32),
}

#[derive(Deserialize)]
struct Mooncake {
    timestamp: f64,
    input_length: f64,
    output_length: f64,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

#[derive(Deserialize)]
struct TraceWorkload {
    arrival_time_ns: f64,
    input_toks: f64,
    output_toks: f64,
    #[serde(default)]
    input_tok_ids: Vec<u64>,
}

#[derive(Deserialize)]
struct Measured {
    arrival_time: f64,
    input_toks: f64,
    output_toks: f64,
    queued_ts: f64,
    first_token_ts: f64,
    last_token_ts: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TraceFormat {
    Mooncake,
    Workload,
    Measured,
    Azure,
    Plain { prefix: Prefix, priority: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    Blocks,
    Session,
}

/// Reads the file of requests at `path`.
///
/// # Errors
/// That it cannot be read, or every line that is wrong.
pub fn load_trace(path: &str) -> Result<TraceFile, Problems> {
    parse_trace(&Arc::new(read_foreign(Path::new(path), "a trace of requests")?))
}

/// Reads requests.
///
/// # Errors
/// Every line that is wrong.
pub fn parse_trace(source: &Arc<Source>) -> Result<TraceFile, Problems> {
    let mut lines = lines(&source.text).peekable();
    let Some(first) = lines.peek().cloned() else {
        return Err(Problem::new(format!("`{}` has no requests", source.name)).help("one request a line").into());
    };
    let format = format(source, &first)?;
    if matches!(format, TraceFormat::Azure | TraceFormat::Plain { .. }) {
        lines.next();
    }
    let mut file = TraceFile { block_tokens: if format == TraceFormat::Mooncake { MOONCAKE_BLOCK } else { BLOCK }, ..TraceFile::default() };
    let (mut problems, mut wrong) = (Vec::new(), 0);
    let (mut known, mut start, mut before) = (BTreeMap::new(), None, f64::NEG_INFINITY);
    for span in lines {
        let read = line(format, &source.text[span.clone()])
            .and_then(|line| checked(&line, [start.unwrap_or(line.arrival), before], file.block_tokens).map(|()| line))
            .and_then(|line| room(&file, line));
        match read {
            Ok(line) => {
                before = line.arrival;
                let start = *start.get_or_insert(line.arrival);
                file.add(&line, start, &mut known);
            }
            Err(message) => {
                wrong += 1;
                if problems.len() < SHOWN {
                    // Of a long line the start.
                    let end = source.text[span.clone()].char_indices().nth(WIDTH).map_or(span.end, |(end, _)| span.start + end);
                    let span = span.start..end;
                    problems.push(Problem::new(message).at(Place { source: Arc::clone(source), span }, "in this line"));
                }
            }
        }
    }
    if wrong > SHOWN {
        problems.push(Problem::new(format!("{} more lines of `{}` are wrong", wrong - SHOWN, source.name)));
    }
    if file.rows.is_empty() && wrong == 0 {
        problems.push(Problem::new(format!("`{}` has no requests", source.name)).help("one request a line after the first"));
    }
    Problems::check(problems, file)
}

/// Lines that hold something, without their ends.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at + (line.len() - line.trim_start_matches(['\u{feff}', ' ']).len());
        at += line.len();
        let end = start + text[start..at].trim_end().len();
        (end > start && !text[start..end].starts_with('#')).then_some(start..end)
    })
}

fn format(source: &Arc<Source>, first: &Range<usize>) -> Result<TraceFormat, Problems> {
    let text = &source.text[first.clone()];
    if text.starts_with('{') {
        let has = |key: &str| text.contains(&format!("\"{key}\""));
        if has("input_length") {
            return Ok(TraceFormat::Mooncake);
        }
        if has("arrival_time_ns") {
            return Ok(TraceFormat::Workload);
        }
        if has("queued_ts") {
            return Ok(TraceFormat::Measured);
        }
    } else {
        match text.split(',').map(str::trim).collect::<Vec<_>>()[..] {
            ["TIMESTAMP", "ContextTokens", "GeneratedTokens"] => return Ok(TraceFormat::Azure),
            ["arrival_s", "input_tokens", "output_tokens", ref more @ ..] => {
                let (prefix, more) = match more {
                    ["prefix_blocks", more @ ..] => (Prefix::Blocks, more),
                    ["session", more @ ..] => (Prefix::Session, more),
                    more => (Prefix::None, more),
                };
                if let [] | ["priority"] = more {
                    return Ok(TraceFormat::Plain { prefix, priority: !more.is_empty() });
                }
            }
            _ => {}
        }
    }
    let problem = Problem::new("this is not a trace of requests").at(Place { source: Arc::clone(source), span: first.clone() }, "no known format");
    Err(problem
        .help(
            "expected JSON lines of Mooncake or LLMServingSim, or a CSV that starts with `arrival_s,input_tokens,output_tokens` or \
             `TIMESTAMP,ContextTokens,GeneratedTokens`",
        )
        .into())
}

fn line(format: TraceFormat, text: &str) -> Result<TraceLine, String> {
    let json = |error: serde_json::Error| format!("this is not a request: {error}");
    match format {
        TraceFormat::Mooncake => {
            let row: Mooncake = serde_json::from_str(text).map_err(json)?;
            let blocks = row.hash_ids.into_iter().map(BlockKey::Number).collect();
            Ok(TraceLine { arrival: row.timestamp / 1e3, input: row.input_length, output: row.output_length, blocks, ..TraceLine::default() })
        }
        TraceFormat::Workload => {
            let row: TraceWorkload = serde_json::from_str(text).map_err(json)?;
            // Only whole blocks are shared; what they are after is told when they are numbered.
            let blocks = row.input_tok_ids.chunks_exact(BLOCK as usize).map(|tokens| BlockKey::Tokens(0, tokens.to_vec())).collect();
            Ok(TraceLine { arrival: row.arrival_time_ns / 1e9, input: row.input_toks, output: row.output_toks, blocks, ..TraceLine::default() })
        }
        TraceFormat::Measured => {
            let row: Measured = serde_json::from_str(text).map_err(json)?;
            let measured = Some(Measurement { queued: row.queued_ts, first: row.first_token_ts, last: row.last_token_ts });
            Ok(TraceLine { arrival: row.arrival_time, input: row.input_toks, output: row.output_toks, measured, ..TraceLine::default() })
        }
        TraceFormat::Azure => {
            let [time, input, output] = fields(text)?;
            Ok(TraceLine { arrival: clock(time)?, input: number(input)?, output: number(output)?, ..TraceLine::default() })
        }
        TraceFormat::Plain { prefix, priority } => plain(text, prefix, priority),
    }
}

fn plain(text: &str, prefix: Prefix, priority: bool) -> Result<TraceLine, String> {
    let found: Vec<&str> = text.split(',').map(str::trim).collect();
    let expected = 3 + usize::from(prefix != Prefix::None) + usize::from(priority);
    if found.len() != expected {
        return Err(format!("a request has {expected} fields, this line has {}", found.len()));
    }
    let (arrival, input, output) = (number(found[0])?, number(found[1])?, number(found[2])?);
    let block = |text: &str| text.parse().map(BlockKey::Number).map_err(|_| format!("`{}` is not the number of a block", short(text)));
    let blocks = match prefix {
        Prefix::None => Vec::new(),
        Prefix::Blocks => found[3].split_whitespace().map(block).collect::<Result<_, _>>()?,
        Prefix::Session => session(found[3], input)?,
    };
    let priority = if priority {
        let text = found[expected - 1];
        text.parse().map_err(|_| format!("`{}` is not a priority: a whole number, the lowest first", short(text)))?
    } else {
        0
    };
    Ok(TraceLine { arrival, input, output, blocks, priority, measured: None })
}

/// Blocks of a prompt that starts with the earlier prompts of its session; only whole blocks are shared.
fn session(name: &str, input: f64) -> Result<Vec<BlockKey>, String> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    // Before anything is laid out for so many blocks.
    length("prompt", input)?;
    let whole = (input / f64::from(BLOCK)) as u32;
    let name: Arc<str> = name.into();
    Ok((0..whole).map(|index| BlockKey::Session(Arc::clone(&name), index)).collect())
}

/// Whether a prompt or an answer can have so many tokens.
fn length(name: &str, tokens: f64) -> Result<(), String> {
    if tokens < 1.0 || tokens.fract() != 0.0 || tokens > LONGEST as f64 {
        return Err(format!("the {name} has {tokens} tokens: expected a whole number from 1 to {LONGEST}"));
    }
    Ok(())
}

fn fields<const N: usize>(text: &str) -> Result<[&str; N], String> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let found = fields.len();
    fields.try_into().map_err(|_| format!("a request has {N} fields, this line has {found}"))
}

fn number(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| format!("`{}` is not a number", short(text)))
}

/// The start of a field, if it is long.
fn short(text: &str) -> String {
    match text.char_indices().nth(FIELD) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Seconds since the year 2000 of `2023-11-16 18:15:46.6805900`; only differences count.
fn clock(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{}` is not a time such as 2023-11-16 18:15:46.68", short(text));
    let (day, time) = text.split_once(' ').ok_or_else(wrong)?;
    let time = time.trim_end_matches("+00:00").trim_end_matches('Z');
    let day = Date::parse(day).map_err(|_| wrong())?;
    let [hours, minutes, seconds] = time.split(':').map(number).collect::<Result<Vec<_>, _>>()?.try_into().map_err(|_| wrong())?;
    Ok(day.days_since(Date::parse("2000-01-01")?) * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds)
}

/// What is wrong with a line.
fn checked(line: &TraceLine, [start, before]: [f64; 2], block: u32) -> Result<(), String> {
    if !line.arrival.is_finite() {
        return Err("the time is not a finite number".to_owned());
    }
    if line.arrival < before {
        return Err("the request comes before the one above it: sort the file by time".to_owned());
    }
    if line.arrival - start > LAST {
        return Err(format!("the request comes {:.0} s after the first one: at most {LAST:.0} s", line.arrival - start));
    }
    for (name, tokens) in [("prompt", line.input), ("answer", line.output)] {
        length(name, tokens)?;
    }
    let most = (line.input / f64::from(block)).ceil();
    if line.blocks.len() as f64 > most {
        return Err(format!("{} blocks of {block} tokens for a prompt of {} tokens: at most {most}", line.blocks.len(), line.input));
    }
    Ok(())
}

/// The line, if the blocks of its prompt can be kept beside those before it.
fn room(file: &TraceFile, line: TraceLine) -> Result<TraceLine, String> {
    if file.blocks.len() + line.blocks.len() > MOST_BLOCKS {
        return Err(format!("up to here prompts have more than {MOST_BLOCKS} blocks of {} tokens: cut the file", file.block_tokens));
    }
    Ok(line)
}

impl TraceFile {
    fn add(&mut self, line: &TraceLine, start: f64, known: &mut BTreeMap<BlockKey, u32>) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let from = count(self.blocks.len());
        let mut last = u32::MAX;
        for block in &line.blocks {
            let named = match block {
                BlockKey::Tokens(_, tokens) => BlockKey::Tokens(last, tokens.clone()),
                block => block.clone(),
            };
            let next = count(known.len());
            last = *known.entry(named).or_insert(next);
            self.blocks.push(last);
        }
        self.distinct = count(known.len());
        let arrival = line.arrival - start;
        let [input, output] = [line.input, line.output].map(|tokens| tokens as u32);
        self.rows.push(TraceRow { arrival, input, output, prefix: from..count(self.blocks.len()), priority: line.priority, measured: line.measured });
    }
}
