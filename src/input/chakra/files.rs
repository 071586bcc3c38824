//! Which files are a trace: `NAME.RANK.et` or `NAME.RANK.json`, and the groups in `NAME.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::{ChakraTrace, RankTrace, TraceNode, binary, json};
use crate::input::catalog::{read_foreign, read_foreign_bytes};
use crate::input::problem::{Problem, Problems, Source};

/// Longest list of names in a message.
const SHOWN: usize = 8;

/// Reads the trace that a folder holds, that begins with a path (`FOLDER/NAME` for `FOLDER/NAME.0.et`), or a single file of one rank.
///
/// # Errors
/// No trace or several; every file that cannot be read.
pub fn load_traces(place: &Path) -> Result<ChakraTrace, Problems> {
    let (files, groups) = find(place)?;
    let mut trace = ChakraTrace::default();
    let mut problems = Vec::new();
    for (rank, path) in files {
        match load_one(&path) {
            Ok(nodes) => trace.ranks.push(RankTrace { rank, file: path.display().to_string(), nodes }),
            Err(more) => problems.extend(more.into_list()),
        }
    }
    if let Some(path) = groups {
        match load_groups(&path) {
            Ok(groups) => trace.groups = groups,
            Err(more) => problems.extend(more.into_list()),
        }
    }
    Problems::check(problems, trace)
}

fn load_one(path: &Path) -> Result<Vec<TraceNode>, Problems> {
    let shown = path.display().to_string();
    if is_json(path) {
        return parse_json(&read_foreign(path, "a Chakra trace as JSON")?);
    }
    parse_binary(&shown, &read_foreign_bytes(path, "a Chakra trace")?)
}

fn wrong(shown: &str, reason: &str) -> Problem {
    Problem::new(format!("`{shown}` is not a Chakra trace: {reason}"))
}

/// The nodes of one rank in a JSON form.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_json(source: &Source) -> Result<Vec<TraceNode>, Problems> {
    let nodes = json::nodes(&source.text).map_err(|reason| wrong(&source.name, &reason))?;
    Ok(nodes.ok_or_else(|| wrong(&source.name, "it has neither `nodes` nor `workload_graph`"))?)
}

/// The nodes of one rank in the binary form; messages call the bytes `shown`.
///
/// # Errors
/// What is wrong and at which byte.
pub fn parse_binary(shown: &str, bytes: &[u8]) -> Result<Vec<TraceNode>, Problems> {
    Ok(binary::nodes(bytes).map_err(|reason| {
        wrong(shown, &reason).help("expected a GlobalMetadata and Nodes, each behind its length (schema/protobuf/et_def.proto of mlcommons/chakra)")
    })?)
}

/// Reads `{"NAME": [RANK, ...], ...}`.
///
/// # Errors
/// What is not of that form.
pub fn load_groups(path: &Path) -> Result<BTreeMap<String, Vec<u32>>, Problems> {
    parse_groups(&read_foreign(path, "a JSON file of process groups")?)
}

/// As [`load_groups`], from a text.
///
/// # Errors
/// What is not of that form.
pub fn parse_groups(source: &Source) -> Result<BTreeMap<String, Vec<u32>>, Problems> {
    let wrong = |reason: String| {
        Problem::new(format!("`{}` is not a file of process groups: {reason}", source.name)).help("expected {\"0\": [0, 1], \"1\": [2, 3]}")
    };
    let value: Json = serde_json::from_str(&source.text).map_err(|error| wrong(error.to_string()))?;
    let object = value.as_object().ok_or_else(|| wrong("it is not an object".to_owned()))?;
    let ranks = |(name, ranks): (&String, &Json)| {
        let listed = ranks.as_array().and_then(|list| list.iter().map(|rank| u32::try_from(rank.as_u64()?).ok()).collect::<Option<Vec<u32>>>());
        let listed = listed.ok_or_else(|| wrong(format!("group `{name}` is not a list of ranks")))?;
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(wrong(format!("group `{name}` names a rank twice")));
        }
        Ok((name.clone(), listed))
    };
    Ok(object.iter().map(ranks).collect::<Result<_, Problem>>()?)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Name and rank of `NAME.RANK.et` and `NAME.RANK.json`.
fn parts(path: &Path) -> Option<(String, u32)> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_suffix(".et").or_else(|| file.strip_suffix(".json"))?;
    let (name, rank) = stem.rsplit_once('.')?;
    Some((name.to_owned(), rank.parse().ok()?))
}

type FoundFiles = (Vec<(u32, PathBuf)>, Option<PathBuf>);

fn find(place: &Path) -> Result<FoundFiles, Problems> {
    if place.is_file() {
        let rank = parts(place).map_or(0, |(_, rank)| rank);
        let folder = place.parent().unwrap_or(Path::new(""));
        let groups = parts(place).map(|(name, _)| folder.join(format!("{name}.json"))).filter(|path| path.is_file());
        return Ok((vec![(rank, place.to_owned())], groups));
    }
    let (folder, wanted) = if place.is_dir() {
        (place.to_owned(), None)
    } else {
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned());
        (place.parent().unwrap_or(Path::new("")).to_owned(), name)
    };
    let listed = std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { &folder });
    let listed = listed.map_err(|_| Problem::new(format!("cannot read `{}`: no such folder", place.display())))?;
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(folder.join(entry.ok()?.file_name()))).collect();
    paths.sort();
    let mut of_name: BTreeMap<String, BTreeMap<u32, PathBuf>> = BTreeMap::new();
    for path in &paths {
        if let Some((name, rank)) = parts(path).filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name) && !name.starts_with("._")) {
            let known = of_name.entry(name).or_default().entry(rank).or_insert_with(|| path.clone());
            if known != path {
                let message = format!("rank {rank} stands in two files: `{}` and `{}`", known.display(), path.display());
                return Err(Problem::new(message).help("take one of them away").into());
            }
        }
    }
    let names: Vec<String> = of_name.keys().take(SHOWN).map(|name| format!("`{}`", folder.join(name).display())).collect();
    let mut found = of_name.into_iter();
    match (found.next(), found.next()) {
        (None, _) => {
            let problem = Problem::new(format!("`{}` holds no Chakra trace", place.display()));
            Err(problem.help("expected files NAME.RANK.et or NAME.RANK.json, such as trace.0.et").into())
        }
        (Some(_), Some(_)) => {
            let problem = Problem::new(format!("`{}` holds several traces", place.display()));
            Err(problem.help(format!("name one: {}", names.join(", "))).into())
        }
        (Some((name, ranks)), None) => {
            let groups = folder.join(format!("{name}.json"));
            Ok((ranks.into_iter().collect(), groups.is_file().then_some(groups)))
        }
    }
}
