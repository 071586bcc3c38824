//! `docs/verdicts.md` repeats the answers of the pages of all studies; its translation repeats their figures.

use std::fs;

use super::{cells, figures, read, root};

/// The page that the last cell of a row links to.
fn linked<'a>(row: &[&'a str]) -> Option<&'a str> {
    Some(row.last()?.split_once("](")?.1.trim_end_matches(')'))
}

/// The paragraph under the heading `Answer`; a page without one is not made from a study.
fn answer(page: &str) -> Option<&str> {
    Some(page.split_once("\n## Answer\n\n")?.1.split_once("\n\n")?.0)
}

/// Runs of digits and points, in their order.
fn in_order(text: &str) -> Vec<&str> {
    let runs = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    runs.map(|figure| figure.trim_matches('.')).filter(|figure| !figure.is_empty()).collect()
}

/// A translated answer with the figures of the new one in the places of the old one's; unchanged where the number of figures differs.
fn renewed(translated: &str, old: &str, new: &str) -> String {
    let (old, new) = (in_order(old), in_order(new));
    if old.len() != new.len() {
        return translated.to_owned();
    }
    let mut used = vec![false; old.len()];
    let (mut out, mut rest) = (String::new(), translated);
    for figure in in_order(translated) {
        let at = rest.find(figure).unwrap();
        let known = (0..old.len()).find(|number| !used[*number] && old[*number] == figure);
        out += &rest[..at];
        out += known.map_or(figure, |number| new[number]);
        known.into_iter().for_each(|number| used[number] = true);
        rest = &rest[at + figure.len()..];
    }
    out + rest
}

/// The table of all answers says what the pages answer, word by word; pages that are not made from studies lend their figures.
#[test]
fn verdicts_quote_their_pages() {
    let blessed = std::env::var_os("SUPERNODE_BLESS").is_some();
    let (table, mut translated) = (read("docs/verdicts.md"), read("docs/verdicts.zh-CN.md"));
    let (mut rows, mut renewed_table) = (Vec::new(), table.clone());
    for row in table.lines().map(cells) {
        let Some(link) = linked(&row) else { continue };
        rows.push(link);
        let page = read(&format!("docs/{link}"));
        let Some(answer) = answer(&page) else {
            let (said, known) = (figures(row[1]), figures(&page));
            let missing: Vec<_> = said.keys().filter(|figure| !known.contains_key(*figure)).collect();
            assert!(missing.is_empty(), "{}: {missing:?} are not on the page", row[0]);
            continue;
        };
        if blessed && row[1] != answer {
            renewed_table = renewed_table.replace(row[1], answer);
            let lines: Vec<String> = translated.lines().map(str::to_owned).collect();
            let other = lines.iter().map(|line| cells(line)).find(|other| linked(other) == Some(link)).map(|other| other[1].to_owned());
            translated = other.map_or(translated.clone(), |other| translated.replace(&other, &renewed(&other, row[1], answer)));
            continue;
        }
        assert_eq!(row[1], answer, "docs/verdicts.md against docs/{link}; SUPERNODE_BLESS=1 copies the answer");
    }
    if blessed {
        fs::write(root().join("docs/verdicts.md"), renewed_table).unwrap();
        fs::write(root().join("docs/verdicts.zh-CN.md"), translated).unwrap();
    }
    for entry in fs::read_dir(root().join("studies")).unwrap() {
        let page = format!("studies/{}.md", entry.unwrap().path().file_stem().unwrap().to_str().unwrap());
        assert!(rows.contains(&page.as_str()), "docs/verdicts.md has no row for {page}");
    }
}

#[test]
fn a_translation_gets_the_new_figures_in_the_old_places() {
    let (old, new) = ("from 8 to 64 chips 4.22, flips at 24.0 ms", "from 8 to 64 chips 4.31, flips at 23.0 ms");
    assert_eq!(renewed("64 and 8: 24.0, 4.22", old, new), "64 and 8: 23.0, 4.31");
    assert_eq!(renewed("4.22", old, "one 1"), "4.22");
}
