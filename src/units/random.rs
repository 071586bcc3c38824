//! SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014): one word of state, so that every draw
//! of a study has a generator of its own and the threads do not matter.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of draw number `draw` of a study with this seed.
    #[must_use]
    pub fn new(seed: u64, draw: u64) -> Self {
        let mut seeds = Self(seed);
        let start = seeds.next();
        Self(start ^ draw.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1, neither included.
    pub fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.next() >> 11) as f64;
        (bits + 0.5) / 9_007_199_254_740_992.0
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
        let found = (self.next() % bound as u64) as usize;
        found
    }

    /// How many trials fail before one succeeds, when each succeeds with chance `chance` (above 0, below 1): `ln u / ln (1 - chance)`.
    pub fn failures_before_success(&mut self, chance: f64) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; beyond usize it saturates")]
        let trials = (self.uniform().ln() / (-chance).ln_1p()) as usize;
        trials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_and_repeat() {
        let first: Vec<u64> = (0..4).map(|draw| SplitMix64::new(7, draw).next()).collect();
        let again: Vec<u64> = (0..4).map(|draw| SplitMix64::new(7, draw).next()).collect();
        assert_eq!(first, again);
        assert!(first.windows(2).all(|pair| pair[0] != pair[1]));
        assert_ne!(SplitMix64::new(8, 0).next(), first[0]);
    }

    /// The reference sequence of seed 0.
    #[test]
    fn the_published_sequence() {
        let mut stream = SplitMix64(0);
        assert_eq!([stream.next(), stream.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn waiting_times_have_the_right_mean() {
        let mut stream = SplitMix64::new(1, 0);
        let total: usize = (0..20_000).map(|_| stream.failures_before_success(0.1)).sum();
        // (1 - p) / p = 9.
        assert!((total as f64 / 20_000.0 - 9.0).abs() < 0.3);
    }
}
