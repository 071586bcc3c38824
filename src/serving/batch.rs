//! The largest batch that keeps within limits, and the batches below it at which a rate can be higher.

use crate::units::TokensPerSecond;

/// Result of a search over batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BestBatch<T> {
    /// Of all batches seen that keep within the limits, the one with the highest rate.
    pub best: u32,
    /// The largest batch that keeps within the limits.
    pub largest: u32,
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
pub(super) fn largest_within<T>(most: u32, at: impl Fn(u32) -> (f64, f64, T)) -> Result<BestBatch<T>, f64> {
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
    Ok(BestBatch { best, largest: good, all: bad > most, of_best })
}

/// Points whose rate is less than this share of the best one's are not looked at more closely: another batch gains less.
pub(super) const NEAR_BEST: f64 = 0.9;

/// What a mapping must reach to be searched to the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    /// Tokens per second of the instance.
    pub rate: TokensPerSecond,
    /// Whether a mapping that stays below must say if it works at all.
    pub must_tell: bool,
}

impl Floor {
    /// Every mapping is searched to the end.
    pub const NONE: Self = Self { rate: TokensPerSecond::ZERO, must_tell: true };
}

/// What keeps every batch of a mapping below a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BelowFloor {
    /// A batch that reached it would take too long. Whether any batch works is not known.
    TooSlow,
    /// The largest batch that memory holds keeps within the limits and does not reach it.
    FillsMemory,
}

/// What keeps every batch within the limits below `floor`; `None` if that is not sure. `at_floor` is the batch that would make it just at the
/// limit, `most` the largest that memory holds, and `at` gives strain and rate: if the smaller of the two makes less than the floor, so do all
/// smaller ones, since a rate grows with the batch but for jumps that [`NEAR_BEST`] allows for.
pub(super) fn below_floor(floor: f64, at_floor: f64, most: u32, at: impl FnOnce(u32) -> (f64, f64)) -> Option<BelowFloor> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most `most`")]
    let number = at_floor.min(f64::from(most)) as u32;
    if number < 2 {
        return None;
    }
    let (strain, rate) = at(number);
    if rate >= floor {
        None
    } else if strain > 1.0 {
        Some(BelowFloor::TooSlow)
    } else {
        (number == most).then_some(BelowFloor::FillsMemory)
    }
}

/// By how much the rate that is found may be below the highest, as a share.
const TOLERANCE: f64 = 5e-4;

/// Batches that are looked at before the search gives up its tolerance.
const MOST_LOOKS: u32 = 256;

/// The batch in `1..=largest` with the highest rate, and that rate. `rate` gives the rate of a batch and whether it keeps within the limits. The
/// search may end as soon as no rate can exceed `least`: the rate is then at most that.
///
/// A rate is a batch over its time, and more sequences never take less time. So between two batches `a < b` no rate exceeds `rate(a) (b - 1) / a`.
/// The interval with the highest such bound is halved until no bound exceeds the best rate (branch and bound; Land and Doig, Econometrica 28,
/// 1960). Times jump where another tile of a matrix product begins, so the largest batch is often not the best one.
pub(super) fn highest_rate(largest: u32, least: f64, mut rate: impl FnMut(u32) -> (f64, bool)) -> (u32, f64) {
    let mut best = (1, 0.0);
    let mut look = |batch: u32, best: &mut (u32, f64)| {
        let (rate, holds) = rate(batch);
        if holds && rate > best.1 {
            *best = (batch, rate);
        }
        rate
    };
    // Of equals the largest batch, as a search that only looks for the largest has it.
    look(largest, &mut best);
    let mut open = vec![(1, look(1, &mut best), largest)];
    let bound = |(low, rate, high): (u32, f64, u32)| if high - low < 2 { 0.0 } else { rate * f64::from(high - 1) / f64::from(low) };
    for _ in 2..MOST_LOOKS {
        let widest = (0..open.len()).max_by(|a, b| bound(open[*a]).total_cmp(&bound(open[*b])));
        let enough = least.max(best.1 * (1.0 + TOLERANCE));
        let Some(interval) = widest.map(|place| open.swap_remove(place)).filter(|interval| bound(*interval) > enough) else {
            break;
        };
        let (low, rate, high) = interval;
        let middle = low.midpoint(high);
        open.extend([(low, rate, middle), (middle, look(middle, &mut best), high)]);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A rate of 10 a batch, a limit at batch 40: of a floor at batch 50 the limit keeps all below, and so does room for 20 or 30.
    #[test]
    fn what_keeps_batches_below_a_floor() {
        let at = |batch: u32| (f64::from(batch) / 40.0, f64::from(batch) * 10.0);
        assert_eq!(below_floor(500.0, 49.0, 100, at), Some(BelowFloor::TooSlow));
        assert_eq!(below_floor(500.0, 49.0, 30, at), Some(BelowFloor::FillsMemory));
        assert_eq!(below_floor(500.0, 25.0, 30, at), None, "larger batches keep within the limit");
        assert_eq!(below_floor(250.0, 49.0, 30, at), None, "the largest batch makes more");
        assert_eq!(below_floor(500.0, 49.0, 1, at), None, "one batch alone is no bound");
    }

    proptest! {
        /// With a rate that grows with the batch, the answer is the largest batch within the limit, which a scan finds too.
        #[test]
        fn finds_what_a_scan_finds(most in 1..3000_u32, start in 0.0..1.2_f64, slope in 1e-5..1.0_f64, bend in 0.5..2.0_f64) {
            let strain = |batch: u32| start + slope * f64::from(batch).powf(bend);
            let scan = (1..=most).take_while(|batch| strain(*batch) <= 1.0).last();
            let found = largest_within(most, |batch| (strain(batch), f64::from(batch), batch)).ok();
            prop_assert_eq!(found, scan.map(|best| BestBatch { best, largest: best, all: best == most, of_best: best }));
        }

        /// Times with jumps of two sizes, as tiles and waves of tiles make them, against a scan.
        #[test]
        fn no_batch_has_a_rate_much_above_the_highest(
            largest in 1..2000_u32, start in 0.0..50.0_f64, slope in 0.01..1.0_f64, jumps in [(1..200_u32, 0.0..20.0_f64), (1..500_u32, 0.0..80.0_f64)],
        ) {
            let time = |batch: u32| start + slope * f64::from(batch) + jumps.iter().map(|(every, jump)| f64::from(batch.div_ceil(*every)) * jump).sum::<f64>();
            let rate = |batch: u32| f64::from(batch) / time(batch);
            let scan = (1..=largest).map(rate).fold(0.0, f64::max);
            let mut looks = 0;
            let (batch, found) = highest_rate(largest, 0.0, |batch| { looks += 1; (rate(batch), true) });
            prop_assert_eq!(found, rate(batch));
            prop_assert!(looks == MOST_LOOKS || found >= scan / (1.0 + TOLERANCE), "{found} {scan} after {looks}");
            prop_assert!(found >= 0.99 * scan, "{found} {scan} after {looks}");
            // A rate that must be exceeded ends the search only where it is not.
            for least in [0.5 * found, 0.999 * scan, 1.001 * scan] {
                let (_, other) = highest_rate(largest, least, |batch| (rate(batch), true));
                prop_assert!(other == found || other <= least, "{other} {found} {least}");
            }
        }
    }
}
