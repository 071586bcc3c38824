//! `extends`: what is said replaces, what is not said stays, and mistakes are shown in the file that makes them.

use supernode::fabric;
use supernode::input::spec::load_supernode;

use crate::topologies::machine::{file, text};

fn pair(derived: &str) -> Result<u32, String> {
    let base = text("[[level]]\nname = \"rack\"\nsize = 4\nlink = \"PART(link)\"\n[level.switch]\npart = \"PART(switch)\"\nplanes = 2\n");
    let path = file("base.toml", base.as_bytes());
    let derived_path = path.with_file_name("derived.toml");
    std::fs::write(&derived_path, derived).unwrap();
    let built = load_supernode(&derived_path.display().to_string()).and_then(|spec| fabric::build(&spec));
    let shown = |problems: supernode::input::problem::Problems| problems.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "");
    let result = built.map(|fabric| fabric.chips).map_err(shown);
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    result
}

#[test]
fn a_level_is_merged_by_name() {
    assert_eq!(pair("schema = 1\nextends = \"./base.toml\"\n[[level]]\nname = \"rack\"\nsize = 6\n"), Ok(6));
}

#[test]
fn a_new_level_is_added_outside() {
    let spine = crate::topologies::machine::part("switch");
    let link = crate::topologies::machine::part("link");
    let level = format!("[[level]]\nname = \"row\"\nsize = 3\nlink = \"{link}\"\n[level.clos]\nspine = \"{spine}\"\nspines_per_plane = 1\n");
    assert_eq!(pair(&format!("schema = 1\nextends = \"./base.toml\"\n{level}")), Ok(12));
}

#[test]
fn a_mistake_is_shown_where_it_stands() {
    let error = pair("schema = 1\nextends = \"./base.toml\"\n[[level]]\nname = \"rack\"\nsise = 6\n").unwrap_err();
    let wanted = "error: unknown key `sise`\n --> derived.toml:5:1\n  |\n5 | sise = 6\n  | ^^^^ did you mean `size`?\n";
    assert!(error.starts_with(wanted), "{error}");
}
