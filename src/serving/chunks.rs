//! Number of passes that read prompts, and tokens per pass, if prompts are read in chunks in the same passes that decode.
//!
//! A prompt alone takes as many passes as it has chunks, the last one seldom full. With `F` fresh tokens a prompt, chunks of `C`, and `m`
//! prompts that arrive during a pass at random (Poisson):
//!
//! ```text
//! alone  A = E ceil(F / C)                            passes of a prompt that nobody follows
//! load   r = m F / C                                  chunks that a pass must read on average
//! share  f = r + m (A - F / C) h                      passes that read
//! apart  h = (1 - r - (f - r) min(1, F / C)) (1 - exp(-m)) / m
//! tokens g = m F / f                                  tokens that a pass reads if it reads
//! ```
//!
//! `h` is the fraction of last chunks that no other prompt fills: no prompt waits behind (for prompts of at least one chunk, as behind a customer
//! of a queue that is busy a fraction `f` of the time; short prompts leave together), and no other prompt arrives in the same pass. Without load
//! every prompt has passes of its own (`f = m A`), short prompts of one pass share it (`f = 1 - exp(-m)`), and near saturation every pass reads a
//! whole chunk (`f = r`, `g = C`). The host time of a pass that reads does not depend on the number of tokens, so the number of passes counts.

/// Prompts as they are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunks {
    /// Passes that a prompt takes alone.
    pub alone: f64,
    /// Chunks that a pass must read on average: beyond one, prompts come faster than they are read.
    pub load: f64,
    /// Share of the passes that read.
    pub share: f64,
    /// Prompt tokens of a pass that reads.
    pub tokens: f64,
}

impl Chunks {
    /// For `arriving` prompts a pass with `fresh` tokens each (standard deviation over the mean: `spread`), in chunks of `chunk`, with `sequences`
    /// decoding sequences on average. The token budget leaves a chunk more or less room as the number of sequences changes.
    pub fn new(arriving: f64, fresh: f64, spread: f64, chunk: f64, sequences: f64) -> Self {
        let mean = fresh / chunk;
        let spread = spread.hypot(sequences.sqrt() / chunk);
        let alone = mean_ceiling(mean, spread);
        let load = arriving * mean;
        // Last chunks of a pass's prompts, those that arrive in one counted once.
        let ends = (alone - mean).max(0.0) * -(-arriving).exp_m1();
        let share = (load + ends * (1.0 - load).max(0.0) / (1.0 + ends * mean.min(1.0))).min(1.0);
        let tokens = if share > 0.0 { (arriving * fresh / share).min(chunk) } else { fresh.min(chunk) };
        Self { alone, load, share, tokens }
    }
}

/// Mean of `x` rounded up, of a log-normal `x` with this mean and standard deviation over the mean.
fn mean_ceiling(mean: f64, spread: f64) -> f64 {
    if spread * mean > 1.0 && mean > 1.0 {
        // Spread over several whole numbers: half of one is added on average.
        return mean + 0.5;
    }
    let variance = spread.mul_add(spread, 1.0).ln();
    let (centre, deviation) = (mean.ln() - variance / 2.0, variance.sqrt().max(1e-9));
    // The sum over whole numbers n of the chance that x is above n; below `first` it is one, beyond `last` none.
    let first = (mean * (1.0 - 5.0 * spread)).floor().max(1.0);
    let mut sum = first;
    let mut number = first;
    loop {
        let above = above((number.ln() - centre) / deviation);
        sum += above;
        number += 1.0;
        if above < 1e-4 || number > first + 100.0 {
            return sum;
        }
    }
}

/// The chance that a standard normal number is above `x` (Abramowitz and Stegun 26.2.17, to 7.5e-8).
fn above(x: f64) -> f64 {
    let t = 1.0 / x.abs().mul_add(0.231_641_9, 1.0);
    let series = t * (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt() * series;
    if x >= 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-3
    }

    /// 1.5 is two whether it varies a little or not; exactly 2 varying a little is two or three; 4 varying by its own size is 4.5; of 0.2 with
    /// deviation 0.2 (log-normal: median 0.1414, sigma 0.8326) 0.0094 lie above one, 0.00073 above two.
    #[test]
    fn chunks_of_a_prompt_alone() {
        assert!(close(mean_ceiling(1.5, 0.0), 2.0) && close(mean_ceiling(1.5, 0.02), 2.0));
        assert!((mean_ceiling(2.0, 0.01) - 2.5).abs() < 0.01, "{}", mean_ceiling(2.0, 0.01));
        assert!(close(mean_ceiling(4.0, 1.0), 4.5));
        assert!((mean_ceiling(0.2, 1.0) - 1.0102).abs() < 3e-4, "{}", mean_ceiling(0.2, 1.0));
    }

    /// Rare prompts of 700 tokens take two passes of 350 tokens on average; at saturation every pass reads 512; many short prompts share
    /// theirs: of 2 a pass on average one pass in e^2 has none.
    #[test]
    fn passes_that_read() {
        let rare = Chunks::new(1e-4, 700.0, 0.0, 512.0, 1.0);
        assert!(close(rare.share, 2e-4) && close(rare.tokens, 350.0), "{rare:?}");
        let full = Chunks::new(512.0 / 700.0, 700.0, 0.5, 512.0, 8.0);
        assert!(close(full.share, 1.0) && close(full.tokens, 512.0), "{full:?}");
        let short = Chunks::new(2.0, 1.0, 0.0, 8192.0, 1.0);
        assert!(close(short.share, 1.0 - (-2.0_f64).exp()), "{short:?}");
    }
}
