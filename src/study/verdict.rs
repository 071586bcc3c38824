//! A capacity held against a demand.

use crate::input::document::{Request, Target};
use crate::units::TokensPerSecond;

/// What a supernode serves of a target's mix of prompts and answers, when its chips are split between prefill and decode so that
/// neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    /// Input and output tokens together, cached input counted: what the target counts.
    pub rate: TokensPerSecond,
    /// Share of the chips that prefill; the rest decodes.
    pub prefill_share: f64,
}

/// Splits a supernode that could prefill `prefill` or decode `decode` tokens per second with all its chips.
///
/// A served token is an uncached prompt token with chance `i (1 - h)` and a generated one with chance `1 - i`, so it takes
/// `i (1 - h) / p + (1 - i) / d` of the supernode for a second. A phase that is not needed costs nothing; one that is needed and
/// impossible makes the rate zero.
#[must_use]
pub fn service(target: &Target, prefill: Option<TokensPerSecond>, decode: Option<TokensPerSecond>) -> Service {
    let input = target.input_share.value.get();
    let fresh = input * (1.0 - target.cache_hit.value.get());
    let take = |share: f64, rate: Option<TokensPerSecond>| match rate {
        _ if share == 0.0 => 0.0,
        Some(rate) if rate > TokensPerSecond::ZERO => share / rate.get(),
        _ => f64::INFINITY,
    };
    let (prefill, decode) = (take(fresh, prefill), take(1.0 - input, decode));
    let both = prefill + decode;
    if !both.is_finite() || both == 0.0 {
        return Service { rate: TokensPerSecond::ZERO, prefill_share: 0.0 };
    }
    Service { rate: TokensPerSecond::new(1.0 / both), prefill_share: prefill / both }
}

/// Requests that end in a second when the chips are split as [`service`] splits them: one takes `I (1 - h) / p + O / d` of the supernode
/// for a second, with `I` prompt tokens, a share `h` of them cached, and `O` answer tokens.
#[must_use]
pub fn requests(request: &Request, prefill: Option<TokensPerSecond>, decode: Option<TokensPerSecond>) -> f64 {
    let fresh = f64::from(request.input.mean) * (1.0 - request.cache_hit);
    let take = |tokens: f64, rate: Option<TokensPerSecond>| rate.map_or(f64::INFINITY, |rate| tokens / rate.get());
    1.0 / (take(fresh, prefill) + take(f64::from(request.output.mean), decode))
}

/// Met or missed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Tokens per second at the target's busiest moment.
    pub demand: TokensPerSecond,
    /// What is served.
    pub service: Service,
}

impl Verdict {
    /// Served over demanded.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.service.rate / self.demand
    }

    /// Whether one supernode is enough.
    #[must_use]
    pub fn meets(&self) -> bool {
        self.ratio() >= 1.0
    }

    /// Supernodes that the demand takes; `None` if no number is enough.
    #[must_use]
    pub fn supernodes(&self) -> Option<f64> {
        (self.service.rate > TokensPerSecond::ZERO).then(|| (1.0 / self.ratio()).ceil())
    }
}

/// Holds a service against the target's peak: mean demand times peak over mean.
#[must_use]
pub fn verdict(target: &Target, service: Service) -> Verdict {
    Verdict { demand: target.demand.value * target.peak_to_mean.value.get(), service }
}
