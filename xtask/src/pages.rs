//! Pages and tables that the program prints, written anew.

use crate::readme;
use crate::shell::{self, Outcome};

const ERRORS: &str = "docs/validation-errors.md";

type Write = fn() -> Outcome;

/// A page by its name, and what writes it. In this order: the README quotes the errors.
const PAGES: [(&str, Write); 6] =
    [("schemas", schemas), ("medians", medians), ("errors", errors), ("readme", readme_tables), ("studies", studies), ("frontier", frontier)];

pub fn write(names: &[&str]) -> Outcome {
    if let Some(unknown) = names.iter().find(|name| PAGES.iter().all(|(page, _)| page != *name)) {
        let known: Vec<&str> = PAGES.iter().map(|(page, _)| *page).collect();
        return Err(format!("no page `{unknown}`; there are {}", known.join(", ")));
    }
    for (page, write) in PAGES {
        if names.is_empty() || names.contains(&page) {
            write()?;
        }
    }
    Ok(())
}

fn supernode(arguments: &[&str]) -> Outcome<String> {
    shell::output("cargo", &[&["run", "--quiet", "--bin", "supernode", "--"], arguments].concat())
}

fn schemas() -> Outcome {
    supernode(&["schema", "--all", "schema"]).map(drop)
}

fn medians() -> Outcome {
    supernode(&["validate", "--summary", "--write-bounds", "validation/medians.csv"]).map(drop)
}

fn errors() -> Outcome {
    let page = supernode(&["validate", "--summary", "--format", "markdown", "--scatter", "docs/validation.svg"])?;
    shell::write(ERRORS, &page)
}

fn readme_tables() -> Outcome {
    let errors = shell::read(ERRORS)?;
    for path in ["README.md", "README.zh-CN.md"] {
        shell::write(path, &readme::quoting(&shell::read(path)?, &errors))?;
    }
    Ok(())
}

fn studies() -> Outcome {
    for study in shell::stems("studies", ".toml")? {
        supernode(&["sweep", &study, "--document", "docs/studies", "--strict"])?;
    }
    Ok(())
}

fn frontier() -> Outcome {
    let machines = ["cloudmatrix384", "gb200-nvl72", "hgx-h200"];
    let question = ["--workload", "deepseek-r1-fp8", "--shape", "1k1k", "--plot", "docs/frontier.svg"];
    supernode(&[&["frontier"], &machines[..], &question[..]].concat()).map(drop)
}
