//! Latencies in buckets whose width is at most 1/1024 of their value, so that memory does not grow with the number of packets.

use super::model::PicosecondTime;

/// Buckets of one power of two.
const PARTS_BITS: u32 = 10;

/// Counts of times, picoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
}

fn bucket(time: PicosecondTime) -> usize {
    let excess = (64 - time.leading_zeros()).saturating_sub(PARTS_BITS + 1);
    ((u64::from(excess) << PARTS_BITS) + (time >> excess)) as usize
}

/// Middle of a bucket.
fn value(bucket: usize) -> f64 {
    let excess = (bucket >> PARTS_BITS).saturating_sub(1);
    let low = ((bucket - (excess << PARTS_BITS)) as u64) << excess;
    low as f64 + ((1_u64 << excess) - 1) as f64 / 2.0
}

impl LatencyHistogram {
    /// Counts one.
    pub(super) fn add(&mut self, time: PicosecondTime) {
        let bucket = bucket(time);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum += u128::from(time);
    }

    /// Adds what another run counted.
    pub fn merge(&mut self, other: &Self) {
        self.buckets.resize(self.buckets.len().max(other.buckets.len()), 0);
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += more;
        }
        self.count += other.count;
        self.sum += other.sum;
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Exact mean, picoseconds; 0 for none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// Time that `share` (0 to 1) of the packets do not exceed, picoseconds, within 0.1 %; 0 for none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (number, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return value(number);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let mut histogram = LatencyHistogram::default();
        let times: Vec<u64> = (0..50_000_u64).map(|k| k * k).collect();
        times.iter().for_each(|&time| histogram.add(time));
        for share in [0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact = times[((share * 50_000.0_f64).ceil() as usize).max(1) - 1] as f64;
            assert!((histogram.percentile(share) - exact).abs() <= exact / 1024.0 + 0.5, "{share}: {} for {exact}", histogram.percentile(share));
        }
        let sum: u128 = times.iter().map(|&time| u128::from(time)).sum();
        assert_eq!(histogram.mean(), sum as f64 / 50_000.0);
    }
}
