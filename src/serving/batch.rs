//! The largest batch that keeps within limits.

/// Result of a search over batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<T> {
    /// Of all batches seen that keep within the limits, the one with the highest rate.
    pub best: u32,
    /// Whether the limits hold for the largest batch that was allowed.
    pub all: bool,
    /// Further result of the best batch.
    pub of_best: T,
}

/// Searches the batches `1..=most`, `most` at least 1. `at` gives the strain of a batch (its time over the allowed time: 1 is the limit), its
/// rate, and a further result. Strain grows with the batch, almost linearly.
///
/// The batch is quadrupled while the strain allows, then narrowed down to the last one, by where the line through both ends meets the
/// limit and by halving in turn, so that a bad line does not creep.
///
/// # Errors
/// The strain of batch 1 if that is too much already.
pub(super) fn largest_within<T>(most: u32, at: impl Fn(u32) -> (f64, f64, T)) -> Result<Found<T>, f64> {
    let (smallest, rate, mut of_best) = at(1);
    if smallest > 1.0 {
        return Err(smallest);
    }
    let (mut best, mut highest) = (1, rate);
    // The largest batch that holds and its strain; the smallest that does not and its.
    let (mut good, mut held, mut bad, mut missed) = (1, smallest, most.saturating_add(1), f64::INFINITY);
    let mut by_line = true;
    while bad - good > 1 {
        let next = if bad > most {
            good.saturating_mul(4).min(most)
        } else if by_line && missed.is_finite() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a whole number")]
            let step = ((1.0 - held) / (missed - held) * f64::from(bad - good)) as u32;
            (good + step).clamp(good + 1, bad - 1)
        } else {
            good.midpoint(bad)
        };
        by_line = bad > most || !by_line;
        let (strain, rate, more) = at(next);
        if strain > 1.0 {
            (bad, missed) = (next, strain);
            continue;
        }
        (good, held) = (next, strain);
        if rate > highest {
            (best, highest, of_best) = (next, rate, more);
        }
    }
    Ok(Found { best, all: bad > most, of_best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// With a rate that grows with the batch, the answer is the largest batch within the limit, which a scan finds too.
        #[test]
        fn finds_what_a_scan_finds(most in 1..3000_u32, start in 0.0..1.2_f64, slope in 1e-5..1.0_f64, bend in 0.5..2.0_f64) {
            let strain = |batch: u32| start + slope * f64::from(batch).powf(bend);
            let scan = (1..=most).take_while(|batch| strain(*batch) <= 1.0).last();
            let found = largest_within(most, |batch| (strain(batch), f64::from(batch), batch)).ok();
            prop_assert_eq!(found, scan.map(|best| Found { best, all: best == most, of_best: best }));
        }
    }
}
