//! Every shipped study says what its page in docs/studies says, and each of its findings is still true.

use std::fs;
use std::path::Path;

use crate::command::Project;

#[test]
fn pages_and_pictures_are_what_the_studies_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> =
        fs::read_dir(root.join("studies")).unwrap().map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() >= 6);
    let mut expected = Vec::new();
    for name in &names {
        let project = Project::new(&format!("study-{name}"));
        // Exit code 1, and so a failure here, if a finding is no longer true.
        project.run(&["sweep", name, "--document", ".", "--strict"]).output();
        for entry in fs::read_dir(project.path()).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let (made, kept) = (project.text(&file), fs::read_to_string(root.join("docs/studies").join(&file)).unwrap_or_default());
            assert_eq!(made, kept, "docs/studies/{file} is not what `supernode sweep {name} --document docs/studies` writes");
            expected.push(file);
        }
    }
    let kept: Vec<String> = fs::read_dir(root.join("docs/studies")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(kept.iter().all(|file| expected.contains(file)), "{kept:?}");
}
