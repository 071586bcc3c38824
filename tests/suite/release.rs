//! A release has one version, and notes.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `cargo xtask release` writes it everywhere.
#[test]
fn manifests_and_lock_files_state_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(read("python/Cargo.toml").contains(&format!("\nversion = \"{version}\"\n")), "python/Cargo.toml");
    for path in ["Cargo.lock", "python/Cargo.lock", "fuzz/Cargo.lock", "benches/instructions/Cargo.lock"] {
        assert!(read(path).contains(&format!("\nname = \"supernode\"\nversion = \"{version}\"\n")), "{path}");
    }
}

#[test]
fn the_changelog_has_the_version() {
    let heading = format!("\n## {} ", env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").contains(&heading), "no section `{}`", heading.trim());
}
