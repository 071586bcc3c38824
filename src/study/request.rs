//! The user's own question: what a machine serves of the workload's requests, how fast for one user, and what a token takes.
//!
//! A machine that is split between prompts and answers spends `I (1 - h) / p + O / d` of a second on a request (`verdict.rs`). Of its cost and
//! energy, prompts take the first part and answers the second: for a token of a prompt, cached ones counted, `(1 - h) / p` of a second of the
//! machine, for a token of an answer `1 / d`.

use super::money::{Dollars, Money};
use super::verdict::{ServedMix, requests};
use crate::footprint::Power;
use crate::input::document::{PrefillPhase, Request};
use crate::input::spec::WorkloadSpec;
use crate::serving::{Infeasible, PhasePoint};
use crate::units::{Joules, Seconds, TokensPerSecond, Watts};

/// What a machine serves of the workload's requests.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestAnswer {
    /// Tokens of a prompt and of an answer, where the workload says what a request is.
    pub lengths: Option<[u32; 2]>,
    /// Share of a prompt that is found in a cache.
    pub hit: f64,
    /// Limits: time to first token, time per output token.
    pub limits: [Option<Seconds>; 2],
    /// Whether prompts and answers share chips, because more requests end that way.
    pub together: bool,
    /// Requests that end in a second.
    pub requests_per_s: Option<f64>,
    /// Requests that arrive in a second, where the workload says so.
    pub arrivals_per_s: Option<f64>,
    /// Tokens of prompts, cached ones counted; of all chips reading where the workload gives phases apart.
    pub input_tokens_per_s: Option<f64>,
    /// Tokens of answers; of all chips writing where the workload gives phases apart.
    pub output_tokens_per_s: Option<f64>,
    /// Time to first token, time per output token.
    pub latencies: [Option<Seconds>; 2],
    /// Of a machine's time, the share that prompts take.
    pub reading: f64,
    /// At the racks, while serving.
    pub power: Watts,
    /// Energy of the racks for a token, those of prompts and answers alike.
    pub energy_per_token: Option<Joules>,
    /// Energy of the racks for a token of an answer, with what its prompt takes.
    pub energy_per_output_token: Option<Joules>,
    /// Dollars for a million tokens of prompts, and of answers; `None` without prices.
    pub dollars: [Option<Dollars>; 2],
    /// Why nothing is served, where nothing is.
    pub refusal: Option<String>,
}

impl RequestAnswer {
    /// Tokens a second that one user sees.
    #[must_use]
    pub fn per_user(&self) -> Option<f64> {
        self.latencies[1].filter(|time| *time > Seconds::ZERO).map(|time| 1.0 / time.get())
    }

    /// Whether the workload is served within its limits, and as many requests as arrive.
    #[must_use]
    pub fn is_served(&self) -> bool {
        let enough = self.arrivals_per_s.zip(self.requests_per_s).is_none_or(|(arrive, end)| end >= arrive);
        self.refusal.is_none() && enough
    }

    /// Machines that the arrivals take; `None` where none are stated or nothing is served.
    #[must_use]
    pub fn machines(&self) -> Option<f64> {
        let (arrive, end) = self.arrivals_per_s.zip(self.requests_per_s)?;
        (end > 0.0).then(|| (arrive / end).ceil())
    }
}

/// The best point of a phase, as in a simulation.
type BestPoint = Option<Result<PhasePoint, Infeasible>>;

/// The best point of each phase.
pub(super) struct Phases<'a> {
    pub(super) decode: &'a BestPoint,
    pub(super) prefill: &'a BestPoint,
    pub(super) aggregated: &'a BestPoint,
}

fn found(phase: &BestPoint) -> Option<&PhasePoint> {
    phase.as_ref()?.as_ref().ok()
}

/// The split of a machine's time that serves whole requests; of one phase alone where there is only one.
fn service(request: Option<&Request>, prefill: Option<&PhasePoint>, decode: Option<&PhasePoint>) -> ServedMix {
    let rates = [prefill, decode].map(|phase| phase.map(|phase| phase.rate));
    let share = match (request, rates) {
        (Some(request), [Some(read), Some(_)]) => {
            let per_second = requests(request, rates[0], rates[1]);
            f64::from(request.input.mean) * (1.0 - request.cache_hit) / read.get() * per_second
        }
        (None, [_, Some(_)]) => 0.0,
        (_, [read, _]) => f64::from(u8::from(read.is_some())),
    };
    ServedMix { rate: TokensPerSecond::ZERO, prefill_share: share, video_share: 0.0 }
}

/// Answers the question; `draw` says what is drawn under a split of phases, or by chips that do both.
pub(super) fn answer(
    workload: &WorkloadSpec,
    phases: &Phases<'_>,
    draw: &dyn Fn(Option<ServedMix>) -> Power,
    money: Option<&dyn Fn(&Power) -> Money>,
) -> RequestAnswer {
    let request = workload.workload.request.as_ref();
    let (decode, prefill) = (found(phases.decode), found(phases.prefill));
    let apart = request.map(|request| requests(request, prefill.map(|phase| phase.rate), decode.map(|phase| phase.rate))).unwrap_or_default();
    let aggregated = found(phases.aggregated);
    let shared = aggregated.and_then(|phase| Some(phase.point.requests?.per_second * f64::from(phase.instances))).unwrap_or_default();
    let together = shared > apart;
    let split = service(request, prefill, decode);
    let power = draw(if together { None } else { Some(split) });
    let requests_per_s = request.map(|_| if together { shared } else { apart });
    let tokens = |of: fn(&Request) -> u32, phase: Option<&PhasePoint>| match request {
        Some(request) => requests_per_s.map(|rate| rate * f64::from(of(request))),
        None => phase.map(|phase| phase.rate.get()),
    };
    let input = tokens(|request| request.input.mean, prefill);
    let output = tokens(|request| request.output.mean, decode);
    let hit = workload.workload.prefill.as_ref().map_or(0.0, |phase: &PrefillPhase| phase.cache_hit);
    let latencies = match aggregated.filter(|_| together) {
        Some(phase) => [phase.point.ttft, phase.point.tpot],
        None => [prefill.and_then(|phase| phase.point.ttft), decode.and_then(|phase| phase.point.tpot)],
    };
    let per = |rate: Option<f64>| rate.filter(|rate| *rate > 0.0).map(|rate| Joules::new(power.total().get() / rate));
    let money = money.map(|money| money(&power));
    // Chips that do both spend their time as two halves would, and end `gain` times as many requests.
    let gain = if together && apart > 0.0 { shared / apart } else { 1.0 };
    let dollars = |phase: Option<&PhasePoint>, share: f64| {
        let rate = phase.map(|phase| phase.rate.get() * gain / share)?;
        money.as_ref()?.per_million(rate)
    };
    let refusal = [phases.decode, phases.prefill].into_iter().flatten().find_map(|phase| phase.as_ref().err()).map(ToString::to_string);
    let refusal = if together { None } else { refusal };
    RequestAnswer {
        lengths: request.map(|request| [request.input.mean, request.output.mean]),
        hit,
        limits: [
            workload.workload.prefill.as_ref().map(|phase| phase.ttft_limit.value),
            workload.workload.decode.as_ref().map(|phase| phase.tpot_limit.value),
        ],
        together,
        requests_per_s,
        arrivals_per_s: request.and_then(|request| request.arrivals_per_second),
        input_tokens_per_s: input,
        output_tokens_per_s: output,
        latencies,
        reading: split.prefill_share,
        power: power.total(),
        energy_per_token: request.and_then(|_| per(Some(input? + output?))),
        // Without requests the energy is that of chips that only write.
        energy_per_output_token: per(output),
        dollars: [dollars(prefill, 1.0 - hit), dollars(decode, 1.0)],
        refusal,
    }
}
