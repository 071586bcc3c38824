//! Which experts tokens choose, and what that leaves on the busiest rank of an expert-parallel group.

use super::kernel::{GroupedRows, padded_rows};

/// Tokens of a whole expert-parallel group on their way to experts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routed {
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

impl Routed {
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
        let local = self.local();
        let mut loads = self.power_law_loads(alpha);
        let hot = if copied {
            loads = with_copies(&loads, self.slots as usize);
            (largest(&loads) / (local * mean(&loads))).max(1.0)
        } else {
            hot_factor(&loads, f64::from(self.ranks), local)
        };
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

    /// Expected copies for each expert, lightest first: the quantiles (i + 1/2) / E of a bounded Pareto density `x^-alpha`, scaled to
    /// all copies; no expert gets a token twice.
    fn power_law_loads(&self, alpha: f64) -> Vec<f64> {
        let experts = f64::from(self.experts);
        let copies = self.tokens * self.top_k;
        let (low, high) = if copies > experts { (1.0, 0.8 * self.tokens) } else { (0.01, 2.0) };
        let power = 1.0 - alpha;
        let (low, high) = (f64::powf(low, power), f64::powf(high, power));
        let weight = |index: u32| ((high - low) * ((f64::from(index) + 0.5) / experts) + low).powf(1.0 / power);
        let weights: Vec<f64> = (0..self.experts).map(weight).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| (weight / total * copies).min(self.tokens)).collect()
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

/// Load of the busiest of `ranks` ranks over the mean when experts lie on ranks at random, `local` on each.
///
/// The larger of two views: the largest of `ranks` sums of `local` draws without replacement, each sum nearly Gaussian (its median is at
/// the quantile 0.5264^(1/ranks)); and the rank that holds the most loaded expert, whose companions are half a deviation above average. No
/// rank has more than the heaviest `local` experts together. Statistics of the routing: nothing here is fitted.
fn hot_factor(loads: &[f64], ranks: f64, local: f64) -> f64 {
    if ranks <= 1.0 {
        return 1.0;
    }
    let experts = loads.len() as f64;
    let average = mean(loads);
    let (heaviest, others) = loads.split_last().map_or((0.0, loads), |(last, rest)| (*last, rest));
    let companions = local - 1.0;
    let spread = deviation(loads) / average / local.sqrt() * (1.0 - companions / (experts - 1.0)).sqrt();
    let any = 1.0 + spread * normal_quantile(0.5264_f64.powf(1.0 / ranks));
    let with_heaviest = (heaviest + companions * mean(others) + 0.5 * deviation(others) * companions.sqrt()) / (local * average);
    let most: f64 = loads.iter().rev().take(local as usize).sum::<f64>() / (local * average);
    any.max(with_heaviest).min(most)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn deviation(values: &[f64]) -> f64 {
    let average = mean(values);
    (values.iter().map(|value| (value - average).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The x below which a standard normal variable falls with `probability`, by bisection of the distribution's Taylor series
/// `1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...)`.
fn normal_quantile(probability: f64) -> f64 {
    let below = |x: f64| {
        let (mut term, mut sum) = (x, x);
        for odd in (3..200).step_by(2) {
            term *= x * x / f64::from(odd);
            sum += term;
        }
        0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
    };
    let (mut low, mut high) = (-6.0, 6.0);
    for _ in 0..60 {
        let middle: f64 = f64::midpoint(low, high);
        if below(middle) < probability { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} is not {expected}");
    }

    #[test]
    fn quantiles_of_the_normal_distribution() {
        close(normal_quantile(0.975), 1.959_964);
        close(normal_quantile(0.998_650_1), 3.0);
    }

    #[test]
    fn busiest_rank_of_a_power_law() {
        // 256 experts, top 8, alpha 1.2, 16 384 tokens: the busiest of 32 ranks has 3.94 times the mean of 4 096 copies, less what the
        // cap of one copy a token and expert cuts off.
        let routed = Routed { tokens: 16384.0, experts: 256, top_k: 8.0, ranks: 32, slots: 256 };
        let loads = routed.power_law_loads(1.2);
        close(hot_factor(&loads, 32.0, 8.0), 3.9375);
        let rows = routed.power_law(1.2, false);
        close(rows.copies, 12370.20);
        close(rows.padded, 12508.0);
    }

    #[test]
    fn balanced_experts_share_alike() {
        let rows = Routed { tokens: 1024.0, experts: 256, top_k: 8.0, ranks: 64, slots: 256 }.balanced();
        assert_eq!((rows.copies, rows.active, rows.padded), (128.0, 4.0, 128.0));
    }
}
