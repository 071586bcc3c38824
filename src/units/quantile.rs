//! Quantiles of measured or simulated values.

/// The value below which `share` of the sorted values lie: the one at position `(n - 1) share`, between neighbours in proportion (type 7 of
/// Hyndman and Fan, The American Statistician 50(4), 1996). Zero for no values.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = share * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let below = position as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!([0.0, 0.5, 1.0].map(|share| quantile(&[1.0, 2.0, 4.0], share)), [1.0, 2.0, 4.0]);
        // Position 1.8: four fifths of the way from 2 to 4.
        assert!((quantile(&[1.0, 2.0, 4.0], 0.9) - 3.6).abs() < 1e-12);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
