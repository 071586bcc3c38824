//! Files that nobody writes by hand end in a clear message, at once, in little memory.

use std::process::{Command, Stdio};

use crate::topologies::machine::{file, text};

/// What `supernode describe` says of a file, with an address space of 1 GiB and 5 s of processor time: a build without optimisation
/// takes that much where a release takes less than one.
fn refused(name: &str, content: &[u8]) -> String {
    let path = file(name, content);
    let program = env!("CARGO_BIN_EXE_supernode");
    let limited = format!("ulimit -v 1048576 -t 5; exec '{program}' --threads 2 describe '{}'", path.display());
    let output = Command::new("bash").args(["-c", &limited]).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).replace(&format!("{}/", path.parent().unwrap().display()), "");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    error
}

fn level(size: &str, rest: &str) -> String {
    text(&format!("[[level]]\nname = \"l\"\nsize = {size}\nlink = \"PART(link)\"\n{rest}\n"))
}

#[test]
fn a_size_of_a_quintillion() {
    let error = refused("big.toml", level("1_000_000_000_000_000_000", "[level.full-mesh]").as_bytes());
    assert!(error.contains("`size` is out of range") && error.contains("from 1 to 1000000"), "{error}");
}

#[test]
fn sizes_that_multiply_beyond_counting() {
    let one = "[[level]]\nname = \"l\"\nsize = 1000000\nlink = \"PART(link)\"\n[level.ring]\n";
    let error = refused("product.toml", text(&one.repeat(16)).as_bytes());
    assert!(error.contains("more than 1000000 chips"), "{error}");
}

#[test]
fn more_links_than_memory() {
    let error = refused("mesh.toml", level("1000000", "[level.full-mesh]").as_bytes());
    assert!(error.contains("the machine is too large"), "{error}");
    let planes = "[level.switch]\npart = \"PART(switch)\"\nplanes = 1024\nswitches_per_plane = 1024";
    let error = refused("planes.toml", level("1000000", planes).as_bytes());
    assert!(error.contains("the machine is too large"), "{error}");
}

#[test]
fn ten_thousand_levels() {
    let one = "[[level]]\nname = \"l\"\nsize = 1\nlink = \"PART(link)\"\n[level.ring]\n";
    let error = refused("deep.toml", text(&one.repeat(10_000)).as_bytes());
    assert!(error.contains("`level` has 10000 entries") && error.contains("expected 1 to 16"), "{error}");
}

#[test]
fn a_circle_of_extends() {
    let error = refused("circle.toml", b"schema = 1\nextends = \"./circle.toml\"\n");
    assert!(error.contains("extends itself") && error.contains("circle.toml -> "), "{error}");
}

#[test]
fn a_chain_of_extends_without_end() {
    let last = file("chain-0.toml", b"schema = 1\n");
    let folder = last.parent().unwrap();
    for number in 1..=20 {
        std::fs::write(folder.join(format!("chain-{number}.toml")), format!("schema = 1\nextends = \"./chain-{}.toml\"\n", number - 1)).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_supernode")).arg("check").arg(folder.join("chain-20.toml")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("more than 8 files extend each other"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn bytes_that_are_not_text() {
    let error = refused("latin.toml", b"schema = 1\n[supernode]\nname = \"caf\xe9\"\n");
    assert_eq!(error.lines().next(), Some("error: `latin.toml` is not text: byte 34 is not UTF-8"));
}

#[test]
fn a_hundred_megabytes() {
    let error = refused("huge.toml", &b"# nothing\n".repeat(10_000_000));
    assert!(error.contains("`huge.toml` is too long") && error.contains("up to 4 MiB"), "{error}");
}

#[test]
fn a_file_of_mistakes() {
    let error = refused("mistakes.toml", "x = 1 2\n".repeat(100_000).as_bytes());
    assert!(error.contains("this is not valid TOML") && error.contains("further errors are not looked for"));
    assert!(error.len() < 100_000, "{} bytes", error.len());
}

#[test]
fn brackets_without_end() {
    let error = refused("nested.toml", format!("x = {}", "[".repeat(1_000_000)).as_bytes());
    assert!(error.contains("`nested.toml` holds too many values"), "{}", &error[..error.len().min(400)]);
}

#[test]
fn a_device_without_end() {
    let output = Command::new(env!("CARGO_BIN_EXE_supernode")).args(["check", "/dev/zero"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("`/dev/zero` is too long"), "{error}");
}
