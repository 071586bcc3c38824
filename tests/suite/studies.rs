//! Every shipped study says what its page in docs/studies says, and each of its findings is still true.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::Project;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names() -> Vec<String> {
    let files = fs::read_dir(root().join("studies")).unwrap();
    let mut names: Vec<String> = files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The small form: only the designs that findings name. A finding that is no longer true ends the command with exit code 1; one whose figure
/// moved is not on its page.
#[test]
fn findings_are_true_and_on_their_pages() {
    let names = names();
    assert!(names.len() >= 12, "{names:?}");
    for name in &names {
        let project = Project::new(&format!("study-quick-{name}"));
        let told: Value = serde_json::from_str(&project.run(&["sweep", name, "--quick", "--strict", "--format", "json"]).output()).unwrap();
        let page = fs::read_to_string(root().join(format!("docs/studies/{name}.md"))).unwrap();
        let study: toml::Table = fs::read_to_string(root().join(format!("studies/{name}.toml"))).unwrap().parse().unwrap();
        let written = study["finding"].as_array().unwrap().iter().filter_map(|finding| finding["say"].as_str());
        let ranged: Vec<&str> = written.filter(|say| say.contains("{range}")).collect();
        for finding in told["findings"].as_array().unwrap() {
            let says = finding["says"].as_str().unwrap().trim_end_matches(['.', ',', ';', ':']);
            let again = format!("supernode sweep {name} --document docs/studies");
            // Designs along an axis are not all tried here: of a range the page has more than this form knows.
            if let Some(written) =
                ranged.iter().find(|written| written.split("{range}").all(|part| says.contains(part.trim_end_matches(['.', ',', ';', ':']))))
            {
                let on_page = |part: &str| page.contains(part.trim_end_matches(['.', ',', ';', ':']));
                assert!(written.split("{range}").all(on_page), "docs/studies/{name}.md does not say \"{written}\"; `{again}` writes it anew");
                continue;
            }
            assert!(page.contains(says), "docs/studies/{name}.md does not say \"{says}\"; `{again}` writes it anew");
        }
        assert!(told["findings"].as_array().unwrap().iter().any(|finding| finding["answer"] == true), "{name} has no answer");
    }
}

/// The whole: every design, every draw, every page and picture, byte by byte. Processor time in docs/studies.md.
#[test]
#[ignore = "minutes of processor time; .ci/run runs it"]
fn pages_and_pictures_are_what_the_studies_give() {
    let mut expected = Vec::new();
    for name in &names() {
        let project = Project::new(&format!("study-{name}"));
        project.run(&["sweep", name, "--document", ".", "--strict"]).output();
        for entry in fs::read_dir(project.path()).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let (made, kept) = (project.text(&file), fs::read_to_string(root().join("docs/studies").join(&file)).unwrap_or_default());
            assert_eq!(made, kept, "docs/studies/{file} is not what `supernode sweep {name} --document docs/studies` writes");
            expected.push(file);
        }
    }
    let kept: Vec<String> =
        fs::read_dir(root().join("docs/studies")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(kept.iter().all(|file| expected.contains(file)), "{kept:?}");
}

/// No answer rests on figures marked `assumed` without saying so, and every answer has its probability or is a plain count.
#[test]
fn answers_name_what_they_rest_on() {
    for name in names() {
        let page = fs::read_to_string(root().join(format!("docs/studies/{name}.md"))).unwrap();
        let answer = page.split("## Answer").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
        let sure = page.split("## How sure").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
        for line in sure.lines().filter(|line| line.contains("assumed figures make")) {
            let sentence = line.trim_start_matches("- ").split(" (probability").next().unwrap();
            let said = answer.split(sentence).nth(1).unwrap_or_else(|| panic!("{name} does not answer \"{sentence}\""));
            assert!(said.split(')').next().unwrap().contains("on assumed figures"), "{name}: \"{sentence}\"");
        }
        assert!(page.contains("## How to reproduce"), "{name}");
        assert!(page.contains("## Sources"), "{name}");
        assert!(page.contains("!["), "{name} has no picture");
    }
}
