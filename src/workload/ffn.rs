//! Feed-forward blocks, experts and the language-model head as operators.

use super::attention::norm;
use super::kernel::{ExpertWork, GemmWork, StreamWork, Work};
use super::operator::Operator;
use crate::input::document::{Dense, ExpertPlacement, Experts, Model, Precision, Precisions, ffn_matrices};
use crate::units::Bytes;

/// A block: up projection (beside it the gate, if there is one), activation, down projection.
fn block(names: [&'static str; 3], gated: bool, tokens: f64, [hidden, width]: [f64; 2], precision: Precision) -> [Operator; 3] {
    let gemm = |name, columns, depth| Operator::new(name, Work::Gemm(GemmWork { batch: 1.0, rows: tokens, columns, depth, precision }));
    let into = if gated { 2.0 } else { 1.0 };
    // Reads up and gate in 16 bit, writes what goes down.
    let activation = Work::Stream(StreamWork { bytes: Bytes::new(tokens * width * (2.0 * into + precision.activation_bytes())) });
    [gemm(names[0], into * width, hidden), Operator::new(names[1], activation), gemm(names[2], hidden, width)]
}

/// The dense block of one layer on one rank of a TP group, norm first; the all-reduce is not in it.
#[must_use]
pub fn dense_block(model: &Model, dense: &Dense, precisions: &Precisions, tensor_parallel: u32, tokens: f64) -> Vec<Operator> {
    let hidden = f64::from(model.hidden);
    let width = f64::from(dense.width) / f64::from(tensor_parallel);
    let up = if dense.gated { "dense gate and up" } else { "dense up" };
    let [up, activation, down] = block([up, "activation", "dense down"], dense.gated, tokens, [hidden, width], precisions.weights);
    vec![norm(hidden, tokens), up, activation, down]
}

/// Norm and router of an expert layer: BF16 scores for every routed expert. Where experts work on a narrower stream, the projections
/// into and out of it too.
#[must_use]
pub fn gate(model: &Model, experts: &Experts, precisions: &Precisions, tokens: f64) -> Vec<Operator> {
    let hidden = f64::from(model.hidden);
    let columns = f64::from(experts.routed);
    let scores = Work::Gemm(GemmWork { batch: 1.0, rows: tokens, columns, depth: hidden, precision: Precision::Bf16 });
    // Room for projections and shared experts.
    let mut operators = Vec::with_capacity(7);
    operators.extend([norm(hidden, tokens), Operator::new("gate", scores)]);
    if let Some(latent) = experts.latent.map(f64::from) {
        let project = |name, columns, depth| {
            Operator::new(name, Work::Gemm(GemmWork { batch: 1.0, rows: tokens, columns, depth, precision: precisions.weights }))
        };
        operators.extend([project("narrow for experts", latent, hidden), project("widen after experts", hidden, latent)]);
    }
    operators
}

/// Shared experts beside the routed ones of a rank, for its own tokens, divided over `shares` ranks.
#[must_use]
pub fn shared_block(model: &Model, experts: &Experts, precisions: &Precisions, shares: u32, tokens: f64) -> [Operator; 3] {
    let size = [f64::from(model.hidden), f64::from(experts.shared_width()) / f64::from(shares)];
    let up = if experts.gated { "shared gate and up" } else { "shared up" };
    block([up, "activation", "shared down"], experts.gated, tokens, size, precisions.weights)
}

/// Experts on each rank of an expert-parallel group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertSlots {
    /// Experts on a rank.
    pub per_rank: f64,
    /// Whether ranks of their own hold the shared experts, so that every token is sent to one of them too.
    pub shared_on_own_ranks: bool,
}

/// Spreads experts and their copies over `ranks`.
#[must_use]
pub fn expert_slots(experts: &Experts, placement: &ExpertPlacement, ranks: u32) -> ExpertSlots {
    let routed = experts.routed + placement.redundant;
    let shared_on_own_ranks = experts.shared > 0 && ranks > routed;
    ExpertSlots { per_rank: f64::from(routed.div_ceil(ranks)), shared_on_own_ranks }
}

/// What the busiest rank of an expert-parallel group has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertLoad {
    /// Ranks of the group.
    pub ranks: u32,
    /// Tokens that each rank sends.
    pub tokens_per_rank: f64,
    /// Experts that a token is sent to.
    pub copies: f64,
    /// Token copies at the busiest rank over the mean.
    pub imbalance: f64,
}

impl ExpertLoad {
    /// The load when every rank sends `tokens`.
    ///
    /// The busiest of n ranks, each with Poisson-distributed copies of mean m, has about `m + sqrt(2 m ln n)` (the expected maximum of n
    /// Gaussians); the placement's own imbalance multiplies that. One rank with all experts is as busy as the mean.
    #[must_use]
    pub fn new(experts: &Experts, placement: &ExpertPlacement, ranks: u32, tokens: f64) -> Self {
        let slots = expert_slots(experts, placement, ranks);
        let shared = if slots.shared_on_own_ranks { experts.shared } else { 0 };
        let copies = f64::from(experts.top_k + shared);
        let mean = tokens * copies;
        let scatter = if mean > 0.0 { (2.0 * f64::from(ranks).ln() / mean).sqrt() } else { 0.0 };
        let imbalance = if ranks > 1 { placement.imbalance.value.get() * (1.0 + scatter) } else { 1.0 };
        Self { ranks, tokens_per_rank: tokens, copies, imbalance }
    }
}

/// Chance that none of `tokens` tokens chooses an expert that one chooses with `chance` on average: `E[(1 - q)^T]` where the chance q of an expert has a
/// beta distribution with that mean and the variance `skew` times its square, `G(b + T) G(a + b) / (G(b) G(a + b + T))` with the gamma function G.
/// `(1 - chance)^tokens` if all experts are alike.
fn unchosen(chance: f64, tokens: f64, skew: f64) -> f64 {
    // No distribution on 0 to 1 has a larger variance than that of chances of 0 and 1 alone.
    let skew = skew.min(0.99 * (1.0 - chance) / chance);
    if chance <= 0.0 || skew < 1e-6 {
        return (1.0 - chance).powf(tokens);
    }
    let both = (1.0 - chance) / (skew * chance) - 1.0;
    let other = both * (1.0 - chance);
    (libm::lgamma(other + tokens) - libm::lgamma(other) + libm::lgamma(both) - libm::lgamma(both + tokens)).exp()
}

/// The routed experts of the busiest rank, each divided over `shares` ranks.
#[must_use]
pub fn expert_block(
    model: &Model,
    experts: &Experts,
    placement: &ExpertPlacement,
    precisions: &Precisions,
    load: &ExpertLoad,
    shares: u32,
) -> Operator {
    let local = expert_slots(experts, placement, load.ranks).per_rank;
    let group_tokens = load.tokens_per_rank * f64::from(load.ranks);
    let copies = (load.tokens_per_rank * load.copies * load.imbalance).min(group_tokens * local);
    // A token chooses an expert of the busiest rank with this chance on average (k/E where all are equally busy).
    let chosen = if group_tokens > 0.0 { (copies / (group_tokens * local)).min(1.0) } else { 0.0 };
    let active = (local * (1.0 - unchosen(chosen, group_tokens, experts.skew()))).max(copies.min(1.0));
    // Different tokens among the copies: choices of one token for experts on one rank are few, T (1 - exp(-copies / T)).
    let tokens = if group_tokens > 0.0 { group_tokens * (1.0 - (-copies / group_tokens).exp()) } else { 0.0 };
    let work = Work::Experts(ExpertWork {
        local,
        active,
        copies,
        tokens,
        hidden: f64::from(experts.stream(model.hidden)),
        // The operator has three matrices. Experts of two matrices are priced as gated ones of 2/3 the width, which have as many weights
        // and operations.
        width: f64::from(experts.width * experts.matrices()) / f64::from(ffn_matrices(true) * shares),
        precision: precisions.experts(),
        spread: load.ranks > 1,
    });
    Operator::new("experts", work)
}

/// Final norm and language-model head for `tokens` whose next token is wanted, in BF16.
#[must_use]
pub fn head(model: &Model, tensor_parallel: u32, tokens: f64) -> Vec<Operator> {
    let hidden = f64::from(model.hidden);
    let columns = f64::from(model.vocabulary) / f64::from(tensor_parallel);
    let scores = Work::Gemm(GemmWork { batch: 1.0, rows: tokens, columns, depth: hidden, precision: Precision::Bf16 });
    vec![norm(hidden, tokens), Operator::new("head", scores)]
}

#[cfg(test)]
mod tests {
    use super::unchosen;

    /// Chances spread evenly over 0 to 1 have the mean 1/2 and the variance 1/12, a third of its square: E[(1 - q)^T] = 1 / (T + 1).
    #[test]
    fn few_tokens_choose_few_experts() {
        for tokens in [1.0_f64, 2.0, 7.0, 100.0] {
            assert!((unchosen(0.5, tokens, 1.0 / 3.0) * (tokens + 1.0) - 1.0).abs() < 1e-12);
            assert!((unchosen(0.25, tokens, 0.0) - 0.75_f64.powf(tokens)).abs() < 1e-15);
        }
        // One token leaves every expert out with one less its chance, however chances are spread; many leave out more the more they are.
        assert!((unchosen(0.03125, 1.0, 1.3) - 0.96875).abs() < 1e-12);
        let unchosen_by_64: Vec<f64> = [0.0, 0.5, 1.0, 2.0].iter().map(|skew| unchosen(0.03125, 64.0, *skew)).collect();
        assert!(unchosen_by_64.is_sorted() && unchosen_by_64[0] < 0.14 && unchosen_by_64[2] > 0.3, "{unchosen_by_64:?}");
        assert_eq!([unchosen(0.0, 5.0, 1.0), unchosen(1.0, 5.0, 1.0)], [1.0, 0.0]);
    }
}
