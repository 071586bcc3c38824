//! A version in all places that state it, and its notes.

use crate::shell::{self, Outcome};

/// Packages that have the version of the program.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "python/Cargo.toml"];
/// Lock files that name these packages.
const LOCKS: [&str; 4] = ["Cargo.lock", "python/Cargo.lock", "fuzz/Cargo.lock", "benches/instructions/Cargo.lock"];
/// Packages of this repository that have the version, as lock files name them.
const PACKAGES: [&str; 2] = ["supernode", "supernode-python"];

pub fn set_version(version: &str) -> Outcome {
    let parts: Vec<&str> = version.split('.').collect();
    if parts.len() != 3 || parts.iter().any(|part| part.parse::<u32>().is_err()) {
        return Err(format!("`{version}` is no version such as 0.2.0"));
    }
    let changelog = shell::read("CHANGELOG.md")?;
    notes(&changelog, version)?;
    if has_unreleased(&changelog) {
        return Err(format!("CHANGELOG.md has entries under `## Unreleased`: move them to `## {version}`"));
    }
    for path in MANIFESTS {
        shell::write(path, &in_manifest(&shell::read(path)?, version)?)?;
    }
    for path in LOCKS {
        shell::write(path, &in_lock(&shell::read(path)?, version))?;
    }
    eprintln!(
        "next: cargo xtask pages && cargo xtask bless, .ci/run, commit, then\n  cargo xtask notes {version} | git tag -a v{version} --cleanup=verbatim -F -"
    );
    Ok(())
}

pub fn print_notes(version: &str) -> Outcome {
    println!("supernode {version}\n\n{}", notes(&shell::read("CHANGELOG.md")?, version)?.trim());
    Ok(())
}

/// The section of a version, without its heading.
fn notes<'a>(changelog: &'a str, version: &str) -> Outcome<&'a str> {
    let missing = || format!("CHANGELOG.md has no section `## {version}`");
    let heading = format!("\n## {version}");
    let start = changelog.find(&heading).ok_or_else(missing)? + heading.len();
    let (_, body) = changelog[start..].split_once('\n').ok_or_else(missing)?;
    Ok(body.split("\n## ").next().unwrap_or(body))
}

/// Whether something would be released that the section of its version does not name.
fn has_unreleased(changelog: &str) -> bool {
    notes(changelog, "Unreleased").is_ok_and(|entries| !entries.trim().is_empty())
}

/// The version of a package is the first in its manifest.
fn in_manifest(manifest: &str, version: &str) -> Outcome<String> {
    let line = manifest.lines().find(|line| line.starts_with("version = ")).ok_or("a manifest states no version")?;
    Ok(manifest.replacen(line, &format!("version = \"{version}\""), 1))
}

fn in_lock(lock: &str, version: &str) -> String {
    let stated = format!("version = \"{version}\"\n");
    let mut ours = false;
    let mut set = String::new();
    for line in lock.split_inclusive('\n') {
        if let Some(name) = line.trim_end().strip_prefix("name = ") {
            ours = PACKAGES.contains(&name.trim_matches('"'));
        }
        set.push_str(if ours && line.starts_with("version = ") { &stated } else { line });
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_this_repository_take_the_version() {
        let lock = "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"supernode\"\nversion = \"0.1.0\"\n";
        assert_eq!(in_lock(lock, "0.2.0"), lock.replace("0.1.0", "0.2.0"));
        let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\n[dependencies]\nversion = \"1\"\n";
        assert_eq!(in_manifest(manifest, "0.2.0").unwrap(), manifest.replace("0.1.0", "0.2.0"));
    }

    #[test]
    fn entries_without_a_version_are_noticed() {
        assert!(has_unreleased("# Changelog\n\n## Unreleased\n\n- new\n\n## 0.2.0\n\n- old\n"));
        assert!(!has_unreleased("# Changelog\n\n## Unreleased\n\n## 0.2.0\n\n- old\n"));
        assert!(!has_unreleased("# Changelog\n\n## 0.2.0\n\n- old\n"));
    }

    #[test]
    fn notes_end_at_the_next_version() {
        let changelog = "# Changelog\n\n## 0.2.0 (today)\n\n- new\n\n## 0.1.0\n\n- old\n";
        assert_eq!(notes(changelog, "0.2.0").unwrap().trim(), "- new");
        assert_eq!(notes(changelog, "0.3.0").unwrap_err(), "CHANGELOG.md has no section `## 0.3.0`");
    }
}
