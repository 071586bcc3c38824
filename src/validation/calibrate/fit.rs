//! Least squares on the logarithm of predicted over measured.

/// Residuals beyond this share (10 %) count by their size, no longer by its square, so that a few disturbed measurements do not bend the
/// fit: the soft L1 loss `2 c^2 (sqrt(1 + (r / c)^2) - 1)`.
const SOFT: f64 = 0.1;

/// No constant moves by more than e^3 (20 times) from where it starts.
const LARGEST_MOVE: f64 = 3.0;

const MOST_STEPS: usize = 40;

/// Constants that fit best, and how well the measurements fix them.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Values.
    pub values: Vec<f64>,
    /// Relative standard error of each: what is left of the residuals, through the inverse of the normal matrix. Infinite where the
    /// measurements say nothing.
    pub relative_errors: Vec<f64>,
}

/// Levenberg and Marquardt's way downhill, on the logarithms of positive constants.
///
/// `predict` gives a prediction for each of `measured`, both above zero; `highest` bounds each constant from above. A measurement counts as often
/// as its `share` says.
pub fn fit(start: &[f64], highest: &[f64], measured: &[f64], shares: &[f64], mut predict: impl FnMut(&[f64]) -> Vec<f64>) -> Fitted {
    let first: Vec<f64> = start.iter().map(|value| value.ln()).collect();
    let inside = |logs: Vec<f64>| -> Vec<f64> {
        logs.iter()
            .zip(&first)
            .zip(highest)
            .map(|((log, first), high)| log.clamp(first - LARGEST_MOVE, first + LARGEST_MOVE).min(high.ln()))
            .collect()
    };
    let mut residuals = |logs: &[f64]| -> Vec<f64> {
        let values: Vec<f64> = logs.iter().map(|log| log.exp()).collect();
        predict(&values).iter().zip(measured).map(|(predicted, measured)| (predicted / measured).ln()).collect()
    };
    let mut at = inside(first.clone());
    let mut now = residuals(&at);
    let mut damping = 1e-2;
    let mut normal = Vec::new();
    for _ in 0..MOST_STEPS {
        let slopes = slopes(&at, &now, &mut residuals);
        let gradient;
        (normal, gradient) = normal_equations(&slopes, &now, shares);
        let mut improved = false;
        for _ in 0..8 {
            let Some(step) = solve(&damped(&normal, damping), &gradient) else { break };
            let next = inside(at.iter().zip(&step).map(|(log, step)| log - step).collect());
            let then = residuals(&next);
            let gain = loss(&now, shares) - loss(&then, shares);
            if gain > 0.0 {
                improved = gain > 1e-7 * loss(&now, shares);
                (at, now) = (next, then);
                damping *= 0.2;
                break;
            }
            damping *= 5.0;
        }
        if !improved {
            break;
        }
    }
    let freedom = now.len().saturating_sub(at.len()).max(1) as f64;
    let variance = now.iter().zip(shares).map(|(residual, share)| share * weight(*residual) * residual * residual).sum::<f64>() / freedom;
    // What no measurement depends on has no error to state, and says nothing about the others'.
    let known: Vec<usize> = (0..normal.len()).filter(|&index| normal[index][index] > 1e-9).collect();
    let normal: Vec<Vec<f64>> = known.iter().map(|&row| known.iter().map(|&column| normal[row][column]).collect()).collect();
    let relative_errors = (0..at.len())
        .map(|index| {
            let Some(place) = known.iter().position(|&other| other == index) else { return f64::INFINITY };
            let unit: Vec<f64> = (0..known.len()).map(|other| f64::from(u8::from(other == place))).collect();
            solve(&normal, &unit).map_or(f64::INFINITY, |column| (variance * column[place].max(0.0)).sqrt())
        })
        .collect();
    Fitted { values: at.iter().map(|log| log.exp()).collect(), relative_errors }
}

fn weight(residual: f64) -> f64 {
    1.0 / (1.0 + (residual / SOFT).powi(2)).sqrt()
}

fn loss(residuals: &[f64], shares: &[f64]) -> f64 {
    residuals.iter().zip(shares).map(|(residual, share)| share * 2.0 * SOFT * SOFT * ((1.0 + (residual / SOFT).powi(2)).sqrt() - 1.0)).sum()
}

/// Change of every residual with each logarithm, by a small step: one list a constant.
fn slopes(at: &[f64], now: &[f64], residuals: &mut impl FnMut(&[f64]) -> Vec<f64>) -> Vec<Vec<f64>> {
    const STEP: f64 = 1e-3;
    (0..at.len())
        .map(|index| {
            let mut aside = at.to_vec();
            // Downwards, so that a constant at its upper bound has a slope too.
            aside[index] -= STEP;
            residuals(&aside).iter().zip(now).map(|(aside, now)| (now - aside) / STEP).collect()
        })
        .collect()
}

/// `J^T W J` and `J^T W r`.
fn normal_equations(slopes: &[Vec<f64>], residuals: &[f64], shares: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let weights: Vec<f64> = residuals.iter().zip(shares).map(|(residual, share)| share * weight(*residual)).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).zip(&weights).map(|((a, b), weight)| a * b * weight).sum::<f64>();
    let normal = slopes.iter().map(|row| slopes.iter().map(|column| product(row, column)).collect()).collect();
    (normal, slopes.iter().map(|row| product(row, residuals)).collect())
}

fn damped(normal: &[Vec<f64>], damping: f64) -> Vec<Vec<f64>> {
    let mut matrix = normal.to_vec();
    for (index, row) in matrix.iter_mut().enumerate() {
        // A constant that nothing depends on keeps its value.
        row[index] = row[index] * (1.0 + damping) + 1e-12;
    }
    matrix
}

/// Gaussian elimination with the largest pivot; `None` if the matrix is singular.
fn solve(matrix: &[Vec<f64>], right: &[f64]) -> Option<Vec<f64>> {
    let size = right.len();
    let mut rows: Vec<Vec<f64>> = matrix.iter().zip(right).map(|(row, right)| row.iter().copied().chain([*right]).collect()).collect();
    for column in 0..size {
        let pivot = (column..size).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-14 {
            return None;
        }
        rows.swap(column, pivot);
        let chosen = rows[column].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column] / chosen[column];
                row.iter_mut().zip(&chosen).for_each(|(value, chosen)| *value -= factor * chosen);
            }
        }
    }
    Some((0..size).map(|index| rows[index][size] / rows[index][index]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_constants_of_a_known_law_despite_an_outlier() {
        // t = 5 + x / 3, measured at ten sizes without error, one of them disturbed by a factor of four.
        let sizes: Vec<f64> = (0..10).map(|power| 2.0_f64.powi(power)).collect();
        let law = |constants: &[f64]| sizes.iter().map(|size| constants[0] + size / constants[1]).collect::<Vec<f64>>();
        let mut measured = law(&[5.0, 3.0]);
        measured[4] *= 4.0;
        let fitted = fit(&[1.0, 1.0], &[100.0, 100.0], &measured, &[1.0; 10], law);
        assert!((fitted.values[0] / 5.0 - 1.0).abs() < 0.1, "{fitted:?}");
        assert!((fitted.values[1] / 3.0 - 1.0).abs() < 0.1, "{fitted:?}");
        assert!(fitted.relative_errors.iter().all(|error| *error > 0.0 && *error < 0.2), "{fitted:?}");
    }

    #[test]
    fn a_bound_holds() {
        let fitted = fit(&[0.5], &[1.0], &[2.0, 2.0], &[1.0; 2], |constants| vec![constants[0]; 2]);
        assert!((fitted.values[0] - 1.0).abs() < 1e-9);
    }

    /// Three measurements of 1 and one of 1.1 that counts three times: the geometric mean.
    #[test]
    fn shares_count() {
        let fitted = fit(&[0.9], &[9.0], &[1.0, 1.0, 1.0, 1.1], &[1.0, 1.0, 1.0, 3.0], |constants| vec![constants[0]; 4]);
        assert!((fitted.values[0] / 1.1_f64.sqrt() - 1.0).abs() < 1e-4, "{fitted:?}");
    }
}
