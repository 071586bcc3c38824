//! Which experts tokens choose, and what that leaves on the busiest rank of an expert-parallel group.

use std::cell::RefCell;

use super::kernel::{GroupedRows, padded_rows};

/// Tokens of a whole expert-parallel group on their way to experts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoutedTokens {
    /// Tokens of all ranks together.
    pub tokens: f64,
    /// Routed experts of the layer.
    pub experts: u32,
    /// Experts that a token chooses.
    pub top_k: f64,
    /// Ranks of the group.
    pub ranks: u32,
    /// Places for experts on all ranks together: the experts and, where some have copies, more.
    pub slots: u32,
}

impl RoutedTokens {
    fn local(&self) -> f64 {
        f64::from(self.slots / self.ranks)
    }

    /// Every expert is chosen as often as every other.
    #[must_use]
    pub fn balanced(&self) -> GroupedRows {
        let local = self.local();
        let copies = (self.tokens * self.top_k / f64::from(self.ranks)).max(1.0);
        GroupedRows::even(local, local.min(copies), copies, self.tokens)
    }

    /// Experts are chosen by a power law with exponent `alpha`; the busiest rank. With `copied`, the heaviest experts get copies until
    /// all slots are used, and copies share their expert's load.
    #[must_use]
    pub fn power_law(&self, alpha: f64, copied: bool) -> GroupedRows {
        if copied { self.replicated(alpha) } else { self.known_sampled(alpha) }
    }

    /// The busiest rank where copies of the heaviest experts fill the slots.
    fn replicated(&self, alpha: f64) -> GroupedRows {
        let local = self.local();
        let loads = with_copies(&self.power_law_loads(alpha), self.slots as usize);
        let hot = (largest(&loads) / (local * mean(&loads))).max(1.0);
        let on_busiest: Vec<f64> = loads.iter().map(|load| (hot * load).min(self.tokens)).collect();
        // An expert with less than half a token is more often idle than not.
        let is_active = |load: f64| load >= 0.5;
        let padded: Vec<f64> = on_busiest.iter().map(|&load| if is_active(load) { padded_rows(load) } else { 0.0 }).collect();
        let active = on_busiest.iter().filter(|&&load| is_active(load)).count() as f64 / on_busiest.len() as f64;
        GroupedRows {
            local,
            active: (local * active).max(1.0),
            copies: (local * mean(&on_busiest)).max(1.0),
            padded: (local * mean(&padded)).max(padded_rows(1.0)),
            tokens: self.tokens,
        }
    }

    /// [`RoutedTokens::sampled`], from the answers kept if it is there.
    fn known_sampled(&self, alpha: f64) -> GroupedRows {
        let question = (*self, alpha);
        let kept = SAMPLED.with_borrow(|answers| answers.iter().find(|(asked, _)| *asked == question).map(|(_, rows)| *rows));
        kept.unwrap_or_else(|| {
            let rows = self.sampled(alpha);
            SAMPLED.with_borrow_mut(|answers| answers.push((question, rows)));
            rows
        })
    }

    /// The first rank under the router of DeepSeek-V3, which chooses within half of eight groups of experts, on scores that prefer `rows`
    /// and are else equal: half of a token's experts lie in groups that it must leave, and the first experts of the first group, which
    /// win ties, take their place.
    #[must_use]
    pub fn group_limited(&self, rows: &GroupedRows) -> GroupedRows {
        let half = self.top_k / 2.0;
        if self.ranks > 1 {
            let filled = GroupedRows { active: (rows.active + half).min(rows.local), copies: rows.copies + half * self.tokens, ..*rows };
            return GroupedRows { padded: rows.padded + half * padded_rows(self.tokens), ..filled };
        }
        let even = rows.padded == GroupedRows::even(rows.local, rows.active, rows.copies, rows.tokens).padded;
        if !even {
            return *rows;
        }
        let active = (rows.local / 2.0).min(self.tokens * half).max(1.0);
        GroupedRows { active, padded: active * padded_rows(self.tokens * half / active) + half * padded_rows(self.tokens), ..*rows }
    }

    /// Mean over [`SAMPLES`] draws of what the busiest rank has: each expert's share of the copies is drawn from the bounded Pareto
    /// density, copies are rounded to whole ones, the heaviest experts get those that rounding lost, and the rank with most counts.
    fn sampled(&self, alpha: f64) -> GroupedRows {
        let local = (self.slots / self.ranks) as usize;
        let mut uniform = Uniform(SEED);
        let (mut active, mut copies, mut padded) = (0.0, 0.0, 0.0);
        for _ in 0..SAMPLES {
            let loads = self.drawn_copies(alpha, &mut uniform);
            let sum = |rank: &&[f64]| rank.iter().sum::<f64>();
            let Some(busiest) = loads.chunks(local).max_by(|a, b| sum(a).total_cmp(&sum(b))) else { continue };
            active += busiest.iter().filter(|&&load| load > 0.0).count() as f64;
            copies += sum(&busiest);
            padded += busiest.iter().map(|&load| padded_rows(load)).sum::<f64>();
        }
        let mean = |sum: f64, least: f64| (sum / f64::from(SAMPLES)).max(least);
        GroupedRows {
            local: self.local(),
            active: mean(active, 1.0),
            copies: mean(copies, 1.0),
            padded: mean(padded, padded_rows(1.0)),
            tokens: self.tokens,
        }
    }

    /// Whole copies for each expert, in one draw; no expert gets a token twice.
    fn drawn_copies(&self, alpha: f64, uniform: &mut Uniform) -> Vec<f64> {
        let weights: Vec<f64> = (0..self.experts).map(|_| self.pareto(alpha, uniform.next())).collect();
        let copies = self.tokens * self.top_k;
        let total: f64 = weights.iter().sum();
        let mut loads: Vec<f64> = weights.iter().map(|weight| (weight / total * copies).round()).collect();
        let mut heaviest: Vec<usize> = (0..loads.len()).collect();
        heaviest.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
        let lost = copies.round() - loads.iter().sum::<f64>();
        for turn in 0..lost.max(0.0) as usize {
            loads[heaviest[turn % heaviest.len()]] += 1.0;
        }
        let mut surplus = -lost;
        for &expert in heaviest.iter().rev() {
            let taken = surplus.clamp(0.0, loads[expert].min(1.0));
            loads[expert] -= taken;
            surplus -= taken;
        }
        loads.iter().map(|load| load.min(self.tokens)).collect()
    }

    /// The value of the bounded Pareto density `x^-alpha` below which a share of it lies.
    fn pareto(&self, alpha: f64, share: f64) -> f64 {
        let (low, high) = if self.tokens * self.top_k > f64::from(self.experts) { (1.0, 0.8 * self.tokens) } else { (0.01, 2.0) };
        let power = 1.0 - alpha;
        let (low, high) = (f64::powf(low, power), f64::powf(high, power));
        ((high - low) * share + low).powf(1.0 / power)
    }

    /// Expected copies for each expert, lightest first: the quantiles (i + 1/2) / E of the density, scaled to all copies; no expert gets a
    /// token twice.
    fn power_law_loads(&self, alpha: f64) -> Vec<f64> {
        let experts = f64::from(self.experts);
        let weights: Vec<f64> = (0..self.experts).map(|index| self.pareto(alpha, (f64::from(index) + 0.5) / experts)).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| (weight / total * self.tokens * self.top_k).min(self.tokens)).collect()
    }
}

/// Draws that a mean is taken of.
const SAMPLES: u32 = 64;
const SEED: u64 = 2024;

thread_local! {
    /// What was sampled. Answers depend on the question alone, so keeping them changes no result.
    static SAMPLED: RefCell<Vec<((RoutedTokens, f64), GroupedRows)>> = const { RefCell::new(Vec::new()) };
}

/// `SplitMix64` (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014): uniform numbers from 0 to 1.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (mixed ^ (mixed >> 31)) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

/// Different tokens among `copies` that arrive on one rank out of `tokens` in the group: `T (1 - exp(-copies / T))`.
#[must_use]
pub fn distinct_tokens(tokens: f64, copies: f64) -> f64 {
    if tokens > 0.0 { tokens * (1.0 - (-copies / tokens).exp()) } else { 0.0 }
}

/// Splits the heaviest copy until `slots` are used.
fn with_copies(loads: &[f64], slots: usize) -> Vec<f64> {
    let mut copies = vec![1.0; loads.len()];
    for _ in loads.len()..slots {
        let heaviest = (0..loads.len()).fold(0, |best, next| if loads[next] / copies[next] > loads[best] / copies[best] { next } else { best });
        copies[heaviest] += 1.0;
    }
    let shares = loads.iter().zip(&copies);
    shares.flat_map(|(load, &count)| std::iter::repeat_n(load / count, count as usize)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wide-EP benchmark on GB200 states how many tokens reached its busiest rank (`hot_rank_tokens` of its table: alpha 1.01, 256
    /// experts, top 8, 64 and 1 024 tokens a rank), of one draw each: they scatter by a third around the mean of draws.
    #[test]
    fn tokens_on_the_busiest_rank_as_the_benchmark_counted_them() {
        let counted = [
            (2, 64.0, 128.0),
            (4, 64.0, 238.0),
            (8, 64.0, 510.0),
            (16, 64.0, 597.0),
            (32, 64.0, 1293.0),
            (64, 64.0, 1651.0),
            (128, 64.0, 2035.0),
            (256, 64.0, 2375.0),
            (2, 1024.0, 2048.0),
            (4, 1024.0, 3876.0),
            (8, 1024.0, 6878.0),
            (16, 1024.0, 13328.0),
        ];
        let ratios = counted.map(|(ranks, tokens, counted)| {
            let routed = RoutedTokens { tokens: tokens * f64::from(ranks), experts: 256, top_k: 8.0, ranks, slots: 256 };
            distinct_tokens(routed.tokens, routed.power_law(1.01, false).copies) / counted
        });
        let mean = ratios.iter().sum::<f64>() / 12.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean} of {ratios:?}");
    }

    /// All eight copies of a token stay whole: 8 experts work on one rank, and one copy each.
    #[test]
    fn one_token_reaches_as_many_experts_as_it_chooses() {
        let rows = RoutedTokens { tokens: 1.0, experts: 256, top_k: 8.0, ranks: 1, slots: 256 }.power_law(1.2, false);
        assert_eq!((rows.active, rows.copies), (8.0, 8.0));
    }

    #[test]
    fn balanced_experts_share_alike() {
        let rows = RoutedTokens { tokens: 1024.0, experts: 256, top_k: 8.0, ranks: 64, slots: 256 }.balanced();
        assert_eq!((rows.copies, rows.active, rows.padded), (128.0, 4.0, 128.0));
    }
}
