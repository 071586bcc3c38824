//! The same bytes out with any number of threads.

use crate::command::Project;

#[test]
fn one_and_two_threads_print_the_same() {
    let project = Project::new("determinism");
    for arguments in [
        vec!["simulate", "cloudmatrix384", "--format", "json"],
        vec!["simulate", "cloudmatrix384"],
        vec!["collective", "cloudmatrix384", "--op", "all_reduce", "--size", "1KiB..1GiB", "--ranks", "100"],
        vec!["describe", "cloudmatrix384", "--format", "json"],
    ] {
        let with = |threads: &'static str| {
            let all: Vec<&str> = arguments.iter().copied().chain(["--threads", threads]).collect();
            project.run(&all).output()
        };
        assert_eq!(with("1"), with("2"));
    }
}
