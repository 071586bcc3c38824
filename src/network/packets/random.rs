//! Random draws of the packet engine: `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014), one seeded stream a run.

/// A stream of random numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random {
    state: u64,
}

/// Mixes the bits of a number (the finaliser of `SplitMix64`).
pub fn mix(number: u64) -> u64 {
    let mut state = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    fn next(&mut self) -> u64 {
        let drawn = mix(self.state);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        drawn
    }

    /// Evenly from 0 to 1, never 0.
    pub(super) fn fraction(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Evenly from `0..bound` (the high half of a product, Lemire 2019; the bias is below `bound` / 2^64).
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -self.fraction().ln()
    }

    /// How often an event of chance `chance` happens before it first does not.
    pub(super) fn repeats(&mut self, chance: f64) -> u64 {
        if chance <= 0.0 { 0 } else { (self.fraction().ln() / chance.ln()).floor() as u64 }
    }
}
