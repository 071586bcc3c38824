//! `docs/topologies.md`: every file shown there is a file that works, and gives the numbers said there.

use supernode::fabric;
use supernode::input::spec::load_supernode;
use supernode::network::{Network, fabric_metrics};

use crate::topologies::machine::file;

const HANDBOOK: &str = include_str!("../../../docs/topologies.md");

/// The TOML blocks, each with the sentence in italics after it: `*64 chips, 8 switch chips, 2 links apart.*`
fn examples() -> Vec<(String, String)> {
    let mut examples = Vec::new();
    let mut rest = HANDBOOK;
    while let Some((_, after)) = rest.split_once("```toml\n") {
        let (block, after) = after.split_once("```\n").unwrap();
        let said = after.trim_start().strip_prefix('*').and_then(|text| text.split_once('*')).map_or("", |(said, _)| said);
        examples.push((block.to_owned(), said.to_owned()));
        rest = after;
    }
    examples
}

#[test]
fn examples_are_true() {
    let examples = examples();
    assert!(examples.len() >= 6, "{} examples", examples.len());
    let path = file("example.toml", b"");
    let mut last = String::new();
    for (block, said) in examples {
        // Levels alone grow the last whole file.
        let whole = if block.starts_with("schema") { block } else { format!("{last}\n{block}") };
        std::fs::write(&path, &whole).unwrap();
        let spec = load_supernode(&path.display().to_string()).unwrap_or_else(|problems| panic!("{problems}\n{whole}"));
        let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}\n{whole}"));
        let metrics = fabric_metrics(&Network::new(&fabric));
        let switches = supernode::footprint::inventory(&fabric).switch_count();
        let found = format!("{} chips, {switches} switch chips, at most {} links apart.", fabric.chips, metrics.diameter);
        assert_eq!(found, said, "{whole}");
        last = whole;
    }
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
