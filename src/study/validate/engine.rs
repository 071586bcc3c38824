//! A serving benchmark replayed: a fixed number of requests in flight on an engine that reads prompts beside its decode steps.
//!
//! This is what public benchmarks of engines time. The client starts with all its requests at once and sends the next whenever one ends;
//! the engine adds to each pass as much of the waiting prompts as its token budget leaves room for, first come first served, as long as
//! their caches fit. What a request waits for follows: the first round queues behind itself, later rounds have drifted apart as far as
//! the lengths differ, and beyond what the caches hold a request waits for another one to end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::study::SplitMix64;
use crate::units::{Joules, Seconds, TokensPerSecond, Watts};

/// Requests as a benchmark's client sends them.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Requests in flight.
    pub concurrency: u32,
    /// All requests over those in flight.
    pub rounds: u32,
    /// Longest prompt.
    pub prompt: u32,
    /// Longest answer.
    pub output: u32,
    /// Shortest of either over the longest; lengths are spread evenly between.
    pub shortest: f64,
}

/// How an engine batches them.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// Attention groups. They pass each layer together, so the fullest sets the pace.
    pub groups: u32,
    /// Tokens that a group takes into one pass, those of its decoding sequences included.
    pub budget: u32,
    /// Tokens whose caches fit in a group.
    pub cached: f64,
}

/// Price of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pass {
    /// From start to end.
    pub time: Seconds,
    /// Of all chips.
    pub energy: Joules,
}

/// What the client sees, and the chips' watts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// Mean time to first token.
    pub first_token: Seconds,
    /// Mean over the requests of their mean time per output token after the first.
    pub per_token: Seconds,
    /// Median time between two tokens of a request.
    pub gap: Seconds,
    /// Output tokens a second while the client still has requests to send (until the end if it sends all at once).
    pub rate: TokensPerSecond,
    /// Of all chips, mean over the same time.
    pub power: Watts,
}

#[derive(Clone, Copy)]
struct Request {
    group: usize,
    arrived: Seconds,
    first: Seconds,
    prompt: u32,
    output: u32,
    /// Tokens of the prompt that are still to be read.
    unread: u32,
}

#[derive(Default)]
struct Group {
    waiting: VecDeque<usize>,
    running: u32,
    cached: f64,
}

struct Replay<'a> {
    traffic: &'a Traffic,
    lengths: SplitMix64,
    groups: Vec<Group>,
    requests: Vec<Request>,
    now: Seconds,
}

/// Replays `traffic` on `engine`; `pass` prices a pass of so many decoding sequences and so many tokens of prompts in the fullest group.
pub fn replay(traffic: &Traffic, engine: &Engine, mut pass: impl FnMut(u32, u32) -> Pass) -> Served {
    let mut replay = Replay {
        traffic,
        lengths: SplitMix64::new(1, 0),
        groups: (0..engine.groups.max(1)).map(|_| Group::default()).collect(),
        requests: Vec::new(),
        now: Seconds::ZERO,
    };
    for _ in 0..traffic.concurrency {
        replay.arrive();
    }
    // Passes done, and the requests that end with a later one.
    let (mut passes, mut ends): (u64, BinaryHeap<Reverse<(u64, usize)>>) = (0, BinaryHeap::new());
    let (mut first_token, mut per_token, mut ended) = (Seconds::ZERO, Seconds::ZERO, 0.0);
    let (mut emitted, mut energy, mut sending) = (0.0, Joules::ZERO, Seconds::ZERO);
    let mut gaps: Vec<(f64, f64)> = Vec::new();
    loop {
        let (chunk, read) = replay.read(engine);
        let fullest = replay.groups.iter().map(|group| group.running).max().unwrap_or(0);
        let running: f64 = replay.groups.iter().map(|group| f64::from(group.running)).sum();
        // Nothing to read: all passes until the next request ends are alike.
        let alike = match ends.peek() {
            Some(Reverse((end, _))) if chunk == 0 => end - passes,
            None if chunk == 0 => break,
            _ => 1,
        };
        let price = pass(fullest, chunk);
        let repeated = alike as f64;
        replay.now += price.time * repeated;
        passes += alike;
        if running > 0.0 {
            gaps.push((price.time.get(), running * repeated));
        }
        if traffic.rounds < 2 || replay.requests.len() < replay.total() {
            (emitted, energy, sending) = (emitted + running * repeated + read.len() as f64, energy + price.energy * repeated, replay.now);
        }
        for index in read {
            let request = &mut replay.requests[index];
            request.first = replay.now;
            first_token += replay.now - request.arrived;
            replay.groups[request.group].running += 1;
            ends.push(Reverse((passes + u64::from(request.output.saturating_sub(1)), index)));
        }
        while let Some(&Reverse((end, index))) = ends.peek() {
            if end > passes {
                break;
            }
            ends.pop();
            let request = replay.requests[index];
            let group = &mut replay.groups[request.group];
            group.running -= 1;
            group.cached -= f64::from(request.prompt + request.output);
            per_token += (replay.now - request.first) / f64::from(request.output.max(2) - 1);
            ended += 1.0;
            if replay.requests.len() < replay.total() {
                replay.arrive();
            }
        }
    }
    Served {
        first_token: first_token / ended,
        per_token: per_token / ended,
        gap: Seconds::new(median(gaps)),
        rate: TokensPerSecond::new(emitted / sending.get()),
        power: energy / sending,
    }
}

impl Replay<'_> {
    fn total(&self) -> usize {
        self.traffic.concurrency as usize * self.traffic.rounds as usize
    }

    fn length(&mut self, longest: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
        let least = (f64::from(longest) * self.traffic.shortest) as u32;
        let spread = self.lengths.below((longest - least) as usize + 1);
        (least + u32::try_from(spread).unwrap_or(0)).max(1)
    }

    /// The next request goes to the group with the fewest.
    fn arrive(&mut self) {
        let (prompt, output) = (self.length(self.traffic.prompt), self.length(self.traffic.output));
        let load = |group: &Group| group.waiting.len() + group.running as usize;
        let group = (0..self.groups.len()).min_by_key(|&index| load(&self.groups[index])).unwrap_or(0);
        self.groups[group].waiting.push_back(self.requests.len());
        self.requests.push(Request { group, arrived: self.now, first: self.now, prompt, output, unread: prompt });
    }

    /// Tokens of prompts that the next pass reads in the group with most of them, and the requests whose prompt it ends.
    fn read(&mut self, engine: &Engine) -> (u32, Vec<usize>) {
        let (mut most, mut done) = (0, Vec::new());
        for group in &mut self.groups {
            let mut room = engine.budget.saturating_sub(group.running).max(1);
            let mut read = 0;
            while let Some(&index) = group.waiting.front().filter(|_| room > 0) {
                let request = &mut self.requests[index];
                let whole = f64::from(request.prompt + request.output);
                if request.unread == request.prompt {
                    // A cache is reserved whole, so that none has to be thrown away; one alone is let in whatever its length.
                    if group.cached > 0.0 && group.cached + whole > engine.cached {
                        break;
                    }
                    group.cached += whole;
                }
                let taken = request.unread.min(room);
                (request.unread, room, read) = (request.unread - taken, room - taken, read + taken);
                if request.unread == 0 {
                    group.waiting.pop_front();
                    done.push(index);
                }
            }
            most = most.max(read);
        }
        (most, done)
    }
}

/// The value that half of the weight lies below.
fn median(mut weighted: Vec<(f64, f64)>) -> f64 {
    weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = weighted.iter().map(|entry| entry.1).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for (value, weight) in &weighted {
        below += weight;
        if below >= half {
            return *value;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pass takes 1 s, and 1 ms more for each token of a prompt.
    fn pass(_: u32, chunk: u32) -> Pass {
        Pass { time: Seconds::new(1.0 + f64::from(chunk) / 1e3), energy: Joules::new(10.0) }
    }

    fn traffic(concurrency: u32, rounds: u32) -> Traffic {
        Traffic { concurrency, rounds, prompt: 1000, output: 5, shortest: 1.0 }
    }

    /// One request at a time: each reads its prompt in 2 s and makes four more tokens in 4 s; nobody waits.
    #[test]
    fn alone_nobody_waits() {
        let served = replay(&traffic(1, 3), &Engine { groups: 1, budget: 8192, cached: 1e9 }, pass);
        assert_eq!((served.first_token, served.per_token, served.gap), (Seconds::new(2.0), Seconds::new(1.0), Seconds::new(1.0)));
        // Two requests of five tokens end in 12 s while a third is still to come.
        assert!((served.rate.get() - 10.0 / 12.0).abs() < 1e-12);
        // In that time two reads and eight decode steps of 10 J each.
        assert!((served.power.get() - 100.0 / 12.0).abs() < 1e-12);
    }

    /// Two at once and room for 1 000 tokens a pass: the second prompt starts in the second pass, where the first sequence takes one of
    /// the tokens, and ends in the third: first tokens after 2 s and 2 + 1.999 + 1.001 = 5 s, and as nothing follows that is all.
    #[test]
    fn prompts_wait_for_each_other_and_slow_decoding() {
        let served = replay(&traffic(2, 1), &Engine { groups: 1, budget: 1000, cached: 1e9 }, pass);
        assert!((served.first_token.get() - 3.5).abs() < 1e-12);
        // The first sequence's four gaps: 1.999 + 1.001 + 1 + 1; the second's four of 1.
        assert!((served.per_token.get() - f64::midpoint(5.0 / 4.0, 1.0)).abs() < 1e-12);
    }

    /// Two groups read one prompt each in the same pass.
    #[test]
    fn groups_read_side_by_side() {
        let served = replay(&traffic(2, 1), &Engine { groups: 2, budget: 1000, cached: 1e9 }, pass);
        assert_eq!(served.first_token, Seconds::new(2.0));
    }

    /// Room for one cache: the second request waits the 6 s of the first, then reads for 2.
    #[test]
    fn without_room_a_request_waits_for_another_to_end() {
        let served = replay(&traffic(2, 1), &Engine { groups: 1, budget: 8192, cached: 1500.0 }, pass);
        assert_eq!(served.first_token, Seconds::new((2.0 + 8.0) / 2.0));
    }
}
