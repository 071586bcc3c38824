//! The rows of README.md and its translations that quote the tables of errors.

use std::collections::BTreeMap;

/// A page whose rows that name a quantity in backticks end in the three figures that the tables of errors have for all systems:
/// measurements, median and p90, outside the fit where the tables know both.
pub fn quoting(page: &str, errors: &str) -> String {
    let figures = figures(errors);
    let mut quoted = String::new();
    for line in page.split_inclusive('\n') {
        match row(line, &figures) {
            Some(row) => quoted.push_str(&row),
            None => quoted.push_str(line),
        }
    }
    quoted
}

/// Figures of all systems by quantity.
fn figures(errors: &str) -> BTreeMap<&str, [&str; 3]> {
    let mut figures = BTreeMap::new();
    for cells in errors.lines().map(cells).filter(|cells| cells.get(1) == Some(&"all")) {
        // Ten columns are the errors outside the fit, which stand below those inside it and replace them.
        match cells.len() {
            6 => figures.insert(cells[0], [cells[2], cells[3], cells[4]]),
            10 => figures.insert(cells[0], [cells[2], cells[5], cells[6]]),
            _ => None,
        };
    }
    figures
}

fn row(line: &str, figures: &BTreeMap<&str, [&str; 3]>) -> Option<String> {
    let cells = cells(line.trim_end());
    let quantity = cells.first()?.split('`').nth(1)?;
    let [measurements, median, p90] = figures.get(quantity)?;
    let kept = cells.get(..cells.len().checked_sub(3)?)?;
    Some(format!("| {} | {} | {median} | {p90} |\n", kept.join(" | "), thousands(measurements)))
}

/// The cells of a line of a table; empty for other lines.
fn cells(line: &str) -> Vec<&str> {
    let inner = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    inner.map_or(Vec::new(), |inner| inner.split('|').map(str::trim).collect())
}

/// `26106` as `26 106`.
fn thousands(number: &str) -> String {
    let mut spaced = String::new();
    for (index, digit) in number.chars().enumerate() {
        if index > 0 && (number.len() - index).is_multiple_of(3) {
            spaced.push(' ');
        }
        spaced.push(digit);
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_name_a_quantity_take_its_figures() {
        let errors = "| gemm | all | 4156 | 4.4 % | 15.2 % | +0.1 % |\n| power | all | 8 | 5.7 % | 16.6 % | -1.6 % |\n\
                      | gemm | all | 4144 | 4.4 % | 15.2 % | 4.9 % | 16.2 % | +0.2 % | 6.1 % | 22.2 % |\n";
        let page = "| products (`gemm`) | the matrix | 1 | 2 | 3 |\n| a (`b`) | c |\n| watts (`power`) | all | 1 | 2 | 3 |\n`gemm`\n";
        let expected =
            "| products (`gemm`) | the matrix | 4 144 | 4.9 % | 16.2 % |\n| a (`b`) | c |\n| watts (`power`) | all | 8 | 5.7 % | 16.6 % |\n`gemm`\n";
        assert_eq!(quoting(page, errors), expected);
    }

    #[test]
    fn digits_stand_in_threes() {
        assert_eq!(["8", "848", "4144", "26106"].map(thousands), ["8", "848", "4 144", "26 106"]);
    }
}
