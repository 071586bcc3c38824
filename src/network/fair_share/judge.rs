//! A slow, obvious solver to judge the fast ones by. It shares no code with them beyond the problem itself.

use super::sharing::Sharing;
use super::transfers::TransfersInput;

/// Bytes/s of every running flow, 0 for the others: find the lowest level at which anything holds a rising flow, hold the flows
/// it holds, and start over from the original inequalities.
pub fn rates(sharing: &Sharing, runs: &[bool]) -> Vec<f64> {
    let mut rate: Vec<Option<f64>> = runs.iter().map(|&runs| if runs { None } else { Some(0.0) }).collect();
    while rate.contains(&None) {
        let channels = (0..sharing.channels()).map(|channel| (saturation_level(sharing, &rate, channel), Some(channel)));
        let caps = (0..sharing.flows()).filter(|&flow| rate[flow].is_none()).map(|flow| (sharing.cap(flow), None));
        let (level, channel) = channels.chain(caps).min_by(|a, b| a.0.total_cmp(&b.0)).expect("something holds every flow");
        for (flow, rate) in rate.iter_mut().enumerate().filter(|(_, rate)| rate.is_none()) {
            if channel.map_or(sharing.cap(flow) == level, |channel| share(sharing, flow, channel) > 0.0) {
                *rate = Some(level);
            }
        }
    }
    rate.into_iter().flatten().collect()
}

pub fn share(sharing: &Sharing, flow: usize, channel: usize) -> f64 {
    let (row, shares) = sharing.row(flow);
    row.iter().zip(shares).filter(|(other, _)| **other as usize == channel).map(|(_, share)| share).sum()
}

fn saturation_level(sharing: &Sharing, rate: &[Option<f64>], channel: usize) -> f64 {
    let weight = |flow: usize| share(sharing, flow, channel) * f64::from(sharing.count(flow));
    let held: f64 = (0..rate.len()).filter_map(|flow| rate[flow].map(|rate| rate * weight(flow))).sum();
    let free: f64 = (0..rate.len()).filter(|&flow| rate[flow].is_none()).map(weight).sum();
    if free == 0.0 { f64::INFINITY } else { (sharing.capacity()[channel] - held).max(0.0) / free }
}

/// One stretch of time in which no flow starts or ends.
pub struct JudgedStretch {
    pub from_s: f64,
    pub to_s: f64,
    pub rate: Vec<f64>,
}

/// When each flow ends: solve everything, run to the next start or end, solve everything again.
pub fn ends(sharing: &Sharing, input: &TransfersInput) -> (Vec<f64>, Vec<JudgedStretch>) {
    let flows = sharing.flows();
    let mut left = input.bytes.clone();
    let mut end: Vec<Option<f64>> = vec![None; flows];
    let mut stretches = Vec::new();
    let mut now = 0.0;
    let nothing = vec![0.0; flows];
    while end.contains(&None) {
        let start = |flow: usize, end: &[Option<f64>]| {
            let release = input.release_s.as_ref().unwrap_or(&nothing)[flow];
            let waits = input.waits_for.iter().filter(|&&(waiter, _)| waiter as usize == flow);
            let ready = waits.map(|&(_, other)| end[other as usize]).try_fold(release, |ready, end| Some(f64::max(ready, end?)));
            ready.map(|ready| ready + input.delay_s.as_ref().unwrap_or(&nothing)[flow])
        };
        // Flows without bytes end as they start, which may start others: settle those first.
        let instant = (0..flows).find(|&flow| end[flow].is_none() && left[flow] == 0.0 && start(flow, &end).is_some_and(|start| start <= now));
        if let Some(flow) = instant {
            end[flow] = Some(if input.bytes[flow] == 0.0 { start(flow, &end).unwrap_or(now) } else { now });
            continue;
        }
        let runs: Vec<bool> = (0..flows).map(|flow| end[flow].is_none() && start(flow, &end).is_some_and(|start| start <= now)).collect();
        let rate = rates(sharing, &runs);
        let ending = |flow: usize| now + left[flow] / rate[flow];
        let next_end = (0..flows).filter(|&flow| runs[flow]).map(ending).fold(f64::INFINITY, f64::min);
        let starts = (0..flows).filter(|&flow| end[flow].is_none() && !runs[flow]).filter_map(|flow| start(flow, &end));
        let next = starts.fold(next_end, f64::min);
        assert!(next.is_finite(), "nothing runs and nothing is due");
        for flow in (0..flows).filter(|&flow| runs[flow]) {
            if now + left[flow] / rate[flow] <= next * (1.0 + 1e-13) {
                left[flow] = 0.0;
                end[flow] = Some(next);
            } else {
                left[flow] = (left[flow] - rate[flow] * (next - now)).max(0.0);
            }
        }
        stretches.push(JudgedStretch { from_s: now, to_s: next, rate });
        now = next;
    }
    (end.into_iter().flatten().collect(), stretches)
}
