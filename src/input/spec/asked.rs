//! What a user asks for in place of what a workload says: lengths, limits, rate, formats.

use std::sync::Arc;

use super::WorkloadSpec;
use super::load::{drafting, too_long};
use crate::input::document::{At, Length, Objective, Precision, Request};
use crate::units::{Figure, Seconds};

/// Values in place of a workload's own; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Tokens of every prompt.
    pub input: Option<u32>,
    /// Tokens of every answer.
    pub output: Option<u32>,
    /// Share of a prompt's tokens that the prefix cache finds.
    pub hit: Option<f64>,
    /// Longest time to first token.
    pub ttft: Option<Seconds>,
    /// Longest mean time per output token.
    pub tpot: Option<Seconds>,
    /// Requests that arrive in a second.
    pub rate: Option<f64>,
    /// Format of the weights, experts included.
    pub weights: Option<Precision>,
    /// Format of the KV cache and of attention over it.
    pub cache: Option<Precision>,
    /// What makes one mapping better than another.
    pub objective: Option<Objective>,
}

impl Asked {
    /// Whether the requests differ from the workload's.
    fn changes_requests(&self) -> bool {
        self.input.is_some() || self.output.is_some() || self.rate.is_some()
    }
}

impl WorkloadSpec {
    /// The workload with what was asked for in it. A workload that gives its two phases apart becomes one of requests once lengths or a rate
    /// are asked for.
    ///
    /// # Errors
    /// In one line, what the workload does not say and was not asked for either.
    pub fn asked(mut self, asked: &Asked) -> Result<Self, String> {
        if self.workload.request.is_none() && asked.changes_requests() {
            self.workload.request = Some(self.request_of_phases(asked)?);
        }
        let workload = &mut self.workload;
        if let Some(request) = &mut workload.request {
            let alike = |length: &mut At<Length>, tokens: Option<u32>| {
                tokens.into_iter().for_each(|mean| length.set(Length { mean, variation: 0.0 }));
            };
            alike(&mut request.input, asked.input);
            alike(&mut request.output, asked.output);
            request.cache_hit = asked.hit.unwrap_or(request.cache_hit);
            request.arrivals_per_second = asked.rate.or(request.arrivals_per_second);
            asked.ttft.into_iter().for_each(|limit| request.ttft_limit.set(Figure::plain(limit)));
            asked.tpot.into_iter().for_each(|limit| request.tpot_limit.set(Figure::plain(limit)));
            workload.decode = Some(request.decode());
            workload.prefill = Some(request.prefill());
        } else {
            if let (Some(decode), Some(limit)) = (&mut workload.decode, asked.tpot) {
                decode.tpot_limit.set(Figure::plain(limit));
            }
            if let Some(prefill) = &mut workload.prefill {
                prefill.cache_hit = asked.hit.unwrap_or(prefill.cache_hit);
                asked.ttft.into_iter().for_each(|limit| prefill.ttft_limit.set(Figure::plain(limit)));
            }
        }
        let precision = &mut workload.precision;
        if let Some(weights) = asked.weights {
            (precision.weights, precision.experts) = (weights, None);
        }
        if let Some(cache) = asked.cache {
            (precision.kv_cache, precision.attention) = (cache, cache);
        }
        workload.objective = asked.objective.or(workload.objective);
        self.draft = self.draft.map(|draft| Arc::new(Self { workload: drafting(&self.workload), ..Self::clone(&draft) }));
        if asked.input.is_some() || asked.output.is_some() {
            self.notes.retain(|note| !note.starts_with("sequences of"));
            self.notes.extend(too_long(&self.workload, &self.model));
        }
        Ok(self)
    }

    /// A request within the limits of the two phases.
    fn request_of_phases(&self, asked: &Asked) -> Result<Request, String> {
        let phases = self.workload.decode.as_ref().zip(self.workload.prefill.as_ref());
        let (decode, prefill) = phases.ok_or("the workload has one phase only, so it has no requests")?;
        let missing = "the workload does not say how long answers are; give --output (tokens) as well";
        let output = asked.output.ok_or(missing)?;
        let request = Request::of_phases(decode, prefill, [asked.input.unwrap_or(*prefill.prompt), output]);
        Ok(Request { cache_hit: prefill.cache_hit, prefix_cache: prefill.prefix_cache.clone(), ..request })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::spec::load_workload;

    #[test]
    fn what_is_asked_for_stands_in_both_phases() {
        let asked = Asked {
            input: Some(8000),
            output: Some(500),
            hit: Some(0.6),
            ttft: Some(Seconds::new(2.0)),
            tpot: Some(Seconds::new(0.03)),
            rate: Some(12.0),
            weights: Some(Precision::Fp8),
            cache: Some(Precision::Fp8),
            objective: None,
        };
        for name in ["deepseek-r1-cloudmatrix", "chat"] {
            let spec = load_workload(name).unwrap().asked(&asked).unwrap();
            let (decode, prefill) = (spec.workload.decode.as_ref().unwrap(), spec.workload.prefill.as_ref().unwrap());
            // 8000 tokens of prompt and, on average, half of the answer.
            assert_eq!((*decode.context, *prefill.prompt, prefill.cache_hit), (8250, 8000, 0.6), "{name}");
            assert_eq!((decode.tpot_limit.value, prefill.ttft_limit.value), (Seconds::new(0.03), Seconds::new(2.0)), "{name}");
            assert_eq!(spec.workload.request.as_ref().unwrap().arrivals_per_second, Some(12.0), "{name}");
            assert_eq!((spec.workload.precision.weights, spec.workload.precision.attention), (Precision::Fp8, Precision::Fp8), "{name}");
        }
        let no_answers = load_workload("deepseek-r1-cloudmatrix").unwrap().asked(&Asked { input: Some(100), ..Asked::default() });
        assert!(no_answers.unwrap_err().contains("--output"));
        // A limit alone leaves phases as they are.
        let limited = load_workload("deepseek-r1-cloudmatrix").unwrap().asked(&Asked { tpot: Some(Seconds::new(0.03)), ..Asked::default() }).unwrap();
        assert!(limited.workload.request.is_none());
        assert_eq!(limited.workload.decode.unwrap().tpot_limit.value, Seconds::new(0.03));
    }
}
