//! The picture and the table of `docs/bench-history.md` state what `benches/history.csv` holds.

use std::fs;

use supernode::report::{ChartLine, LineChart};

use super::{read, root};

const PAGE: &str = "docs/bench-history.md";
const PICTURE: &str = "docs/bench-history.svg";
const TABLE: &str = "| case |";

/// States of the program in the order of the file, as `date commit`, and the counts of each case over them.
struct History {
    states: Vec<String>,
    cases: Vec<(String, Vec<(usize, f64)>)>,
}

fn history() -> History {
    let mut history = History { states: Vec::new(), cases: Vec::new() };
    for line in read("benches/history.csv").lines().skip(1) {
        let [date, commit, case, count] = line.split(',').collect::<Vec<_>>()[..] else { panic!("four cells, not `{line}`") };
        let state = format!("{date} {commit}");
        if history.states.last() != Some(&state) {
            assert!(!history.states.contains(&state), "lines of {state} stand apart");
            history.states.push(state);
        }
        let point = (history.states.len() - 1, count.parse().unwrap());
        match history.cases.iter_mut().find(|(name, _)| name == case) {
            Some((_, points)) => points.push(point),
            None => history.cases.push((case.to_owned(), vec![point])),
        }
    }
    history
}

fn picture(history: &History) -> String {
    let share = |points: &[(usize, f64)]| points.iter().map(|(state, count)| (*state as f64, 100.0 * count / points[0].1)).collect();
    let lines = history.cases.iter().map(|(case, points)| ChartLine { name: case.clone(), points: share(points) }).collect();
    let ticks = history.states.iter().enumerate().map(|(index, state)| (index as f64, state.clone())).collect();
    let (title, x, y) = ("Instructions of the hot paths", "state of the program", "instructions, % of the first count");
    LineChart { title: title.into(), x: x.into(), y: y.into(), ticks, lines, log: true }.svg()
}

fn table(history: &History) -> String {
    let mut table = format!("{TABLE} first count, millions | last count, millions | last of first |\n| --- | --: | --: | --: |\n");
    for (case, points) in &history.cases {
        let (first, last) = (points[0].1, points[points.len() - 1].1);
        table += &format!("| `{case}` | {:.1} | {:.1} | {:.0} % |\n", first / 1e6, last / 1e6, 100.0 * last / first);
    }
    table
}

#[test]
fn the_bench_history_is_drawn_and_tabled() {
    let history = history();
    let page = read(PAGE);
    let prose = &page[..page.find(TABLE).unwrap_or(page.len())];
    let whole = format!("{prose}{}", table(&history));
    if std::env::var_os("SUPERNODE_BLESS").is_some() {
        fs::write(root().join(PAGE), &whole).unwrap();
        fs::write(root().join(PICTURE), picture(&history)).unwrap();
    }
    assert!(read(PAGE) == whole && read(PICTURE) == picture(&history), "SUPERNODE_BLESS=1 states {PAGE} anew from benches/history.csv");
}
