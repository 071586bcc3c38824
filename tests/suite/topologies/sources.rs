//! Which kind of source may carry which confidence: the rule of docs/topologies.md, held against every figure of what ships.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Who speaks at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A body that writes standards.
    Standards,
    /// The maker of the part, or of the library that was measured.
    Maker,
    /// A paper with its method.
    Paper,
    /// A public repository with data or code.
    Repository,
    /// Everyone else: press, brokers, analysts, resellers, blogs, boards.
    Account,
}

/// Hosts, or hosts with the start of a path.
const STANDARDS: &[&str] = &["ieee802.org", "opencompute.org", "ualinkconsortium.org", "ietf.org", "infinibandta.org", "computeexpresslink.org"];
const MAKERS: &[&str] = &[
    "nvidia.com",
    "amd.com",
    "habana.ai",
    "intel.com",
    "huawei.com",
    "hiascend.com",
    "public-download.obs.cn-east-2.myhuaweicloud.com",
    "sugon.com",
    "metax-tech.com",
    "zte.com.cn",
    "montage-tech.com",
    "investors.broadcom.com",
    "cloud.google.com",
    "blog.google",
    "datacenters.google",
    "awsdocs-neuron.readthedocs-hosted.com",
    "github.com/NVIDIA/",
    "github.com/NVIDIA-NeMo/",
    "github.com/ai-dynamo/",
    "github.com/ROCm/",
    "github.com/aws-neuron/",
    "github.com/jax-ml/",
    "github.com/deepseek-ai/",
    "github.com/oracle-quickstart/",
    "huggingface.co/deepseek-ai/",
    "huggingface.co/google/",
    "huggingface.co/nvidia/",
    "huggingface.co/zai-org/",
    "huggingface.co/openai/",
    "huggingface.co/tencent/",
    "huggingface.co/moonshotai/",
    "huggingface.co/meta-llama/",
    "huggingface.co/XiaomiMiMo/",
    "huggingface.co/MiniMaxAI/",
    "huggingface.co/Qwen/",
    "huggingface.co/stepfun-ai/",
    "github.com/Tencent-Hunyuan/",
    "github.com/Wan-Video/",
    "github.com/stepfun-ai/",
    "github.com/alibaba/",
];
const PAPERS: &[&str] = &["arxiv.org", "doi.org", "ennanzhai.github.io"];
const REPOSITORIES: &[&str] = &["github.com", "modelscope.cn", "huggingface.co"];

fn kind(address: &str) -> Kind {
    let bare = address.trim_start_matches("https://").trim_start_matches("http://");
    let host = bare.split('/').next().unwrap_or_default();
    let among = |known: &[&str]| {
        known.iter().any(|known| if known.contains('/') { bare.starts_with(known) } else { host == *known || host.ends_with(&format!(".{known}")) })
    };
    match () {
        () if among(STANDARDS) => Kind::Standards,
        () if among(MAKERS) => Kind::Maker,
        () if among(PAPERS) => Kind::Paper,
        () if among(REPOSITORIES) || bare.contains("logs published in public GitHub repositories") => Kind::Repository,
        () => Kind::Account,
    }
}

/// The kinds that may carry a confidence; `None` where any may.
fn carriers(confidence: &str) -> Option<&'static [Kind]> {
    match confidence {
        // A maker's manual or code may restate a standard.
        "standard" => Some(&[Kind::Standards, Kind::Maker, Kind::Repository]),
        "vendor" => Some(&[Kind::Maker, Kind::Standards, Kind::Paper]),
        "measured" => Some(&[Kind::Maker, Kind::Paper, Kind::Repository]),
        "calibrated" => Some(&[Kind::Maker, Kind::Paper, Kind::Repository]),
        _ => None,
    }
}

/// A file's sources with those of the files below it.
fn sources(path: &Path, file: &Table) -> BTreeMap<String, String> {
    let base = file.get("extends").and_then(Value::as_str).map(|name| path.with_file_name(format!("{name}.toml")));
    let mut found = base.map_or_else(BTreeMap::new, |base| sources(&base, &read(&base)));
    let own = file.get("sources").and_then(Value::as_table);
    found.extend(own.into_iter().flatten().filter_map(|(key, address)| Some((key.clone(), address.as_str()?.to_owned()))));
    found
}

fn read(path: &Path) -> Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Confidence and source key of every figure and origin below a value, with where each stands.
fn walk(value: &Value, place: &str, origin: Option<&Table>, found: &mut Vec<(String, Option<String>, Option<String>)>) {
    let word = |table: &Table, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    match value {
        Value::Table(figure) if figure.contains_key("value") => {
            let own = word(figure, "confidence");
            let inherits = own.as_deref() != Some("assumed");
            let of_origin = |key: &str| origin.and_then(|origin| word(origin, key));
            let source = word(figure, "source").or_else(|| of_origin("source").filter(|_| inherits));
            found.push((place.to_owned(), own.or_else(|| of_origin("confidence")), source));
        }
        Value::Table(table) => {
            for (key, value) in table {
                match (key.as_str(), value) {
                    ("origin", Value::Table(origin)) => found.push((format!("{place}.origin"), word(origin, "confidence"), word(origin, "source"))),
                    _ => walk(value, &format!("{place}.{key}"), origin, found),
                }
            }
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| walk(item, &format!("{place}[{at}]"), origin, found)),
        _ => {}
    }
}

fn shipped_files() -> Vec<PathBuf> {
    let mut folders = ["topologies", "workloads"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

#[test]
fn a_confidence_is_carried_by_a_source_that_may_carry_it() {
    let mut wrong = Vec::new();
    let mut figures = 0;
    for path in shipped_files() {
        let file = read(&path);
        let addresses = sources(&path, &file);
        let origin = file.values().find_map(|head| head.as_table()?.get("origin")?.as_table());
        let mut found = Vec::new();
        for (key, value) in file.iter().filter(|(key, _)| !["sources", "schema", "extends"].contains(&key.as_str())) {
            walk(value, key, origin, &mut found);
        }
        figures += found.len();
        for (place, confidence, source) in found {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some(allowed) = confidence.as_deref().and_then(carriers) else { continue };
            match source.as_ref().and_then(|key| addresses.get(key)) {
                None => wrong.push(format!("{file}: {place} is {confidence:?} without a source")),
                Some(address) if !allowed.contains(&kind(address)) => {
                    wrong.push(format!("{file}: {place} is {confidence:?}, which {:?} may not carry: {address}", kind(address)));
                }
                Some(_) => {}
            }
        }
    }
    assert!(figures > 2000, "only {figures} figures were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn kinds_of_addresses() {
    let cases = [
        ("https://www.ieee802.org/3/dj/public/", Kind::Standards),
        ("https://docs.nvidia.com/dgx/dgxgb200-user-guide/hardware.html", Kind::Maker),
        ("https://github.com/NVIDIA/nccl", Kind::Maker),
        ("https://github.com/stas00/ml-engineering/blob/master/network/README.md", Kind::Repository),
        ("https://arxiv.org/abs/2506.12708", Kind::Paper),
        ("https://notnvidia.com/", Kind::Account),
        ("https://www.philisun.com/technical-analysis/", Kind::Account),
    ];
    for (address, expected) in cases {
        assert_eq!(kind(address), expected, "{address}");
    }
}
