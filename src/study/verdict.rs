//! A capacity held against a demand.

use crate::input::document::{Request, Target};
use crate::units::TokensPerSecond;

/// What a supernode serves of a target's mix of prompts, answers and clips, when its chips are split between them so that none waits for
/// another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServedMix {
    /// Input and output tokens together, cached input counted, and those of clips: what the target counts.
    pub rate: TokensPerSecond,
    /// Share of the chips that prefill; what neither prefills nor makes clips decodes.
    pub prefill_share: f64,
    /// Share of the chips that make clips.
    pub video_share: f64,
}

/// Splits a supernode that could prefill `prefill`, decode `decode`, or make clips of `video` tokens per second with all its chips.
///
/// A served token is one of a clip with chance `v`, an uncached prompt token with chance `(1 - v) i (1 - h)` and a generated one with
/// chance `(1 - v) (1 - i)`, so it takes `v / c + (1 - v) (i (1 - h) / p + (1 - i) / d)` of the supernode for a second. A phase that is
/// not needed costs nothing; one that is needed and impossible makes the rate zero.
#[must_use]
pub fn service(target: &Target, prefill: Option<TokensPerSecond>, decode: Option<TokensPerSecond>, video: Option<TokensPerSecond>) -> ServedMix {
    let input = target.input_share.value.get();
    let fresh = input * (1.0 - target.cache_hit.value.get());
    let clips = target.video.as_ref().map_or(0.0, |video| video.share.value.get());
    let take = |share: f64, rate: Option<TokensPerSecond>| match rate {
        _ if share == 0.0 => 0.0,
        Some(rate) if rate > TokensPerSecond::ZERO => share / rate.get(),
        _ => f64::INFINITY,
    };
    let (prefill, decode) = (take((1.0 - clips) * fresh, prefill), take((1.0 - clips) * (1.0 - input), decode));
    let video = take(clips, video);
    let all = prefill + decode + video;
    if !all.is_finite() || all == 0.0 {
        return ServedMix { rate: TokensPerSecond::ZERO, prefill_share: 0.0, video_share: 0.0 };
    }
    ServedMix { rate: TokensPerSecond::new(1.0 / all), prefill_share: prefill / all, video_share: video / all }
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
    pub service: ServedMix,
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
}

/// Holds a service against the target's peak: mean demand times peak over mean.
#[must_use]
pub fn verdict(target: &Target, service: ServedMix) -> Verdict {
    Verdict { demand: target.demand.value * target.peak_to_mean.value.get(), service }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::spec::load_target;
    use crate::units::{Figure, Ratio};

    /// Half of the tokens are a clip's, a quarter of the others are written, of the read ones half are cached. All chips together prefill
    /// 1000, decode 100 or make clips of 10 tokens a second. Of a thousand tokens 500 are clips', 50 s; 500 x 0.75 x 0.5 = 187.5 are
    /// prefilled, 0.1875 s; 500 x 0.25 = 125 are decoded, 1.25 s: 51.4375 s in all.
    #[test]
    fn chips_are_split_between_prompts_answers_and_clips() {
        let mut target = load_target("china-2026-03-video").unwrap().target;
        target.input_share = Figure::plain(Ratio::new(0.75));
        target.cache_hit = Figure::plain(Ratio::new(0.5));
        target.video.as_mut().unwrap().share = Figure::plain(Ratio::new(0.5));
        let rate = |rate| Some(TokensPerSecond::new(rate));
        let split = service(&target, rate(1000.0), rate(100.0), rate(10.0));
        assert!((split.rate.get() - 1000.0 / 51.4375).abs() < 1e-9, "{split:?}");
        assert!((split.prefill_share - 0.1875 / 51.4375).abs() < 1e-12, "{split:?}");
        assert!((split.video_share - 50.0 / 51.4375).abs() < 1e-12, "{split:?}");
        // What is asked for and cannot be done stops all of it; what is not asked for does not.
        assert_eq!(service(&target, rate(1000.0), rate(100.0), None).rate, TokensPerSecond::ZERO);
        target.video = None;
        let split = service(&target, rate(1000.0), rate(100.0), None);
        assert!((split.rate.get() - 1000.0 / (0.375 + 2.5)).abs() < 1e-9, "{split:?}");
        assert_eq!(split.video_share, 0.0);
    }
}
