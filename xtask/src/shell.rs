//! Starts other programs in the root of the repository.

use std::path::Path;
use std::process::{Command, Stdio};

/// The error is the sentence that the user reads.
pub type Outcome<T = ()> = Result<T, String>;

/// Paths below are relative to the root, wherever the chore was started.
pub fn at_root() -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no folder above it")?;
    std::env::set_current_dir(root).map_err(|error| format!("{}: {error}", root.display()))
}

/// Runs a program to its end. The user sees its output.
pub fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    eprintln!("$ {program} {}", arguments.join(" "));
    let status = Command::new(program).args(arguments).envs(variables.iter().copied()).status();
    ended_well(program, status)
}

/// What a program prints; its messages go to the user.
pub fn output(program: &str, arguments: &[&str]) -> Outcome<String> {
    eprintln!("$ {program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    ended_well(program, Ok(output.status))?;
    String::from_utf8(output.stdout).map_err(|error| format!("{program} printed no text: {error}"))
}

fn ended_well(program: &str, status: std::io::Result<std::process::ExitStatus>) -> Outcome {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// Text of a file.
pub fn read(path: &str) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// Writes a file, and says so if the text is another than before.
pub fn write(path: &str, text: &str) -> Outcome {
    if std::fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    eprintln!("writes {path}");
    std::fs::write(path, text).map_err(|error| format!("{path}: {error}"))
}

/// Names of the files of a folder that end in `ending`, without it, in order.
pub fn stems(folder: &str, ending: &str) -> Outcome<Vec<String>> {
    let files = std::fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let mut stems: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(ending)?.to_owned())).collect();
    stems.sort();
    Ok(stems)
}
