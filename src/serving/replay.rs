//! Replay of a serving benchmark: a fixed number of requests in flight on an engine that reads prompts in the passes that decode.
//!
//! Public benchmarks of engines work like this. The client starts all requests at once and sends a new request whenever one ends. The engine adds
//! waiting prompts to each pass, first come first served, until its token budget is full, as long as their caches fit. Waiting times follow: the
//! first requests queue behind each other, later requests are spread by their different lengths, and if the caches are full a request waits until
//! another request ends.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::units::SplitMix64;
use crate::units::{Joules, Seconds, TokensPerSecond, Watts};

/// Requests as a benchmark's client sends them.
#[derive(Clone, Copy, Debug)]
pub struct ClientTraffic {
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

/// How an engine batches requests, as its launch script says.
#[derive(Clone, Copy, Debug)]
pub struct Batching {
    /// Attention groups. They pass each layer together, so the fullest sets the pace.
    pub groups: u32,
    /// Tokens that a group takes into one pass, those of its decoding sequences included.
    pub budget: u32,
    /// Sequences that run at once in a group.
    pub running: u32,
    /// Tokens whose caches fit in a group.
    pub cached: f64,
    /// Whether a sequence takes room as it grows, on average half of its answer, rather than all of it from the start.
    pub paged: bool,
    /// Whether a prompt is read in one pass, never in parts.
    pub whole: bool,
    /// Whether prompts are read in passes of their own, while decoding waits.
    pub separate: bool,
    /// Decode passes between two looks at what has arrived.
    pub poll: u32,
    /// Passes for which prompts wait for others, to be read together, while something is decoding.
    pub wait: u32,
    /// Share of the budget that waiting prompts of every group must fill for the wait to end early.
    pub wait_share: f64,
    /// Time from the end of a pass until the client sees its tokens. The next request is not held back for it.
    pub front_end: Seconds,
}

/// What one pass works on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayLoad {
    /// Decoding sequences of the group with most.
    pub decoding: u32,
    /// Prompt tokens of the group with most.
    pub reading: u32,
    /// Mean tokens of a group over the sum of both.
    pub evenness: f64,
}

/// Price of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplayPass {
    /// From start to end.
    pub time: Seconds,
    /// Of all chips.
    pub energy: Joules,
}

/// What the client sees, and the chips' watts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayedService {
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
struct ReplayRequest {
    group: usize,
    arrived: Seconds,
    first: Seconds,
    prompt: u32,
    output: u32,
    /// Tokens of the prompt that are still to be read.
    unread: u32,
}

#[derive(Default)]
struct ReplayGroup {
    waiting: VecDeque<usize>,
    running: u32,
    cached: f64,
}

struct PassReplay<'a> {
    traffic: &'a ClientTraffic,
    engine: &'a Batching,
    lengths: SplitMix64,
    groups: Vec<ReplayGroup>,
    requests: Vec<ReplayRequest>,
    /// Requests that the engine has not looked at yet, with the passes done when they arrived.
    unseen: Vec<(u64, usize)>,
    /// Passes done, of all kinds.
    done: u64,
    /// Decode passes since it looked.
    since_look: u32,
    /// Passes for which prompts have been held back.
    held: u32,
    now: Seconds,
}

/// What one pass reads.
#[derive(Default)]
struct PassReading {
    /// Tokens in the group with most of them.
    tokens: u32,
    /// Tokens in all groups.
    of_all_groups: f64,
    /// Requests whose prompt it ends.
    ended: Vec<usize>,
}

/// Replays `traffic` on `engine`; `pass` prices a pass.
pub fn replay(traffic: &ClientTraffic, engine: &Batching, mut pass: impl FnMut(&ReplayLoad) -> ReplayPass) -> ReplayedService {
    let mut replay = PassReplay {
        traffic,
        engine,
        lengths: SplitMix64::new(1, 0),
        groups: (0..engine.groups.max(1)).map(|_| ReplayGroup::default()).collect(),
        requests: Vec::new(),
        unseen: Vec::new(),
        done: 0,
        since_look: 0,
        held: 0,
        now: Seconds::ZERO,
    };
    for _ in 0..traffic.concurrency {
        replay.arrive();
    }
    // Decode passes done, and the requests that end with a later one.
    let (mut passes, mut ends): (u64, Ends) = (0, BinaryHeap::new());
    let mut seen = Seen::default();
    loop {
        let reading = replay.next_reading();
        let fullest = replay.groups.iter().map(|group| group.running).max().unwrap_or(0);
        let (decoding, alike) = match ends.peek() {
            _ if reading.tokens > 0 => (!engine.separate, 1),
            Some(Reverse((end, _))) => (true, (end - passes).min(replay.until_reading())),
            None => break,
        };
        let running: f64 = if decoding { replay.groups.iter().map(|group| f64::from(group.running)).sum() } else { 0.0 };
        let most = if decoding { fullest } else { 0 };
        let evenness = (running + reading.of_all_groups) / (replay.groups.len() as f64 * f64::from(most + reading.tokens)).max(1.0);
        let price = pass(&ReplayLoad { decoding: most, reading: reading.tokens, evenness });
        let repeated = alike as f64;
        replay.now += price.time * repeated;
        if decoding {
            passes += alike;
        }
        replay.count(alike, reading.tokens > 0);
        if running > 0.0 {
            seen.gaps.push((price.time.get(), running * repeated));
        }
        if traffic.rounds < 2 || replay.requests.len() < replay.total() {
            seen.emitted += running * repeated + reading.ended.len() as f64;
            seen.energy += price.energy * repeated;
            seen.sending = replay.now;
        }
        for index in reading.ended {
            let request = &mut replay.requests[index];
            request.first = replay.now;
            seen.first_token += replay.now - request.arrived + engine.front_end;
            replay.groups[request.group].running += 1;
            ends.push(Reverse((passes + u64::from(request.output.saturating_sub(1)), index)));
        }
        replay.end_requests(passes, &mut ends, &mut seen);
    }
    seen.served()
}

/// Requests by the decode pass that they end with.
type Ends = BinaryHeap<Reverse<(u64, usize)>>;

/// Sums over what the client has seen so far.
#[derive(Default)]
struct Seen {
    first_token: Seconds,
    per_token: Seconds,
    /// Requests that have ended.
    ended: f64,
    /// Output tokens and energy while the client sends, and how long that was.
    emitted: f64,
    energy: Joules,
    sending: Seconds,
    /// Times of passes, with the tokens that they made.
    gaps: Vec<(f64, f64)>,
}

impl Seen {
    fn served(self) -> ReplayedService {
        ReplayedService {
            first_token: self.first_token / self.ended,
            per_token: self.per_token / self.ended,
            gap: Seconds::new(median(self.gaps)),
            rate: TokensPerSecond::new(self.emitted / self.sending.get()),
            power: self.energy / self.sending,
        }
    }
}

impl Batching {
    /// Tokens that a request keeps in its group's cache.
    fn room(&self, request: &ReplayRequest) -> f64 {
        f64::from(request.prompt) + f64::from(request.output) * if self.paged { 0.5 } else { 1.0 }
    }
}

impl PassReplay<'_> {
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
        self.unseen.push((self.done, self.requests.len()));
        self.requests.push(ReplayRequest { group: 0, arrived: self.now, first: self.now, prompt, output, unread: prompt });
    }

    /// Ends the requests whose last pass is done; the client sends the next for each while it has some.
    fn end_requests(&mut self, passes: u64, ends: &mut Ends, seen: &mut Seen) {
        while let Some(&Reverse((_, index))) = ends.peek().filter(|Reverse((end, _))| *end <= passes) {
            ends.pop();
            let request = self.requests[index];
            let room = self.engine.room(&request);
            let group = &mut self.groups[request.group];
            group.running -= 1;
            group.cached -= room;
            seen.per_token += (self.now - request.first) / f64::from(request.output.max(2) - 1);
            seen.ended += 1.0;
            if self.requests.len() < self.total() {
                self.arrive();
            }
        }
    }

    fn idle(&self) -> bool {
        self.groups.iter().all(|group| group.running == 0)
    }

    /// Polls for arrivals, if it is time to, and decides which prompts the next pass reads.
    ///
    /// An engine launches a pass before it has handled the results of the previous pass, so a request that arrives meanwhile is seen one pass later.
    fn next_reading(&mut self) -> PassReading {
        let waiting = self.groups.iter().any(|group| !group.waiting.is_empty());
        let nothing_else = self.idle() && !waiting;
        if self.since_look >= self.engine.poll || nothing_else {
            let (seen, unseen) = std::mem::take(&mut self.unseen).into_iter().partition(|entry| nothing_else || entry.0 < self.done);
            self.unseen = unseen;
            let seen: Vec<(u64, usize)> = seen;
            for (_, index) in seen {
                let load = |group: &ReplayGroup| group.waiting.len() + group.running as usize;
                let group = (0..self.groups.len()).min_by_key(|&index| load(&self.groups[index])).unwrap_or(0);
                self.requests[index].group = group;
                self.groups[group].waiting.push_back(index);
            }
            self.since_look = 0;
        }
        if self.holds_back() { PassReading::default() } else { self.read() }
    }

    /// Whether prompts wait for others.
    fn holds_back(&self) -> bool {
        let unread = |group: &ReplayGroup| group.waiting.iter().map(|&index| f64::from(self.requests[index].unread)).sum::<f64>();
        let enough = f64::from(self.engine.budget) * self.engine.wait_share;
        let filled = |group: &ReplayGroup| unread(group) + f64::from(group.running) >= enough && !group.waiting.is_empty();
        self.held < self.engine.wait && !self.idle() && !self.groups.iter().all(filled)
    }

    /// Passes until something may be read that is not read now.
    fn until_reading(&self) -> u64 {
        let waiting = self.groups.iter().any(|group| !group.waiting.is_empty());
        let look = if self.unseen.is_empty() { u64::MAX } else { u64::from(self.engine.poll.saturating_sub(self.since_look)).max(1) };
        let hold = if waiting && self.held < self.engine.wait { u64::from(self.engine.wait - self.held) } else { u64::MAX };
        look.min(hold)
    }

    /// Counts passes that are done.
    fn count(&mut self, passes: u64, read: bool) {
        let waiting = self.groups.iter().any(|group| !group.waiting.is_empty());
        let more = u32::try_from(passes).unwrap_or(u32::MAX);
        self.done += passes;
        self.held = if read || !waiting { 0 } else { self.held.saturating_add(more) };
        // After prompts an engine looks at once.
        self.since_look = if read { self.engine.poll } else { self.since_look.saturating_add(more) };
    }

    fn read(&mut self) -> PassReading {
        let mut reading = PassReading::default();
        for group in &mut self.groups {
            let taken = if self.engine.separate { 0 } else { group.running };
            let mut room = self.engine.budget.saturating_sub(taken).max(1);
            let mut read = 0;
            let mut begun = group.running;
            while let Some(&index) = group.waiting.front().filter(|_| room > 0 && begun < self.engine.running) {
                let request = &mut self.requests[index];
                if self.engine.whole && read > 0 && request.unread > room {
                    break;
                }
                let cache = self.engine.room(request);
                if request.unread == request.prompt {
                    // One alone is let in whatever its length.
                    if group.cached > 0.0 && group.cached + cache > self.engine.cached {
                        break;
                    }
                    group.cached += cache;
                }
                let taken = if self.engine.whole { request.unread } else { request.unread.min(room) };
                (request.unread, room, read) = (request.unread - taken, room.saturating_sub(taken), read + taken);
                if request.unread == 0 {
                    group.waiting.pop_front();
                    reading.ended.push(index);
                    begun += 1;
                }
            }
            reading.tokens = reading.tokens.max(read);
            reading.of_all_groups += f64::from(read);
        }
        reading
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
    fn pass(load: &ReplayLoad) -> ReplayPass {
        ReplayPass { time: Seconds::new(1.0 + f64::from(load.reading) / 1e3), energy: Joules::new(10.0) }
    }

    fn traffic(concurrency: u32, rounds: u32) -> ClientTraffic {
        ClientTraffic { concurrency, rounds, prompt: 1000, output: 5, shortest: 1.0 }
    }

    fn engine() -> Batching {
        Batching {
            groups: 1,
            budget: 8192,
            running: 100,
            cached: 1e9,
            paged: false,
            whole: false,
            separate: false,
            poll: 1,
            wait: 0,
            wait_share: 0.0,
            front_end: Seconds::ZERO,
        }
    }

    /// One request at a time: each reads its prompt in 2 s and makes four more tokens in 4 s; nobody waits.
    #[test]
    fn alone_nobody_waits() {
        let served = replay(&traffic(1, 3), &engine(), pass);
        assert_eq!((served.first_token, served.per_token, served.gap), (Seconds::new(2.0), Seconds::new(1.0), Seconds::new(1.0)));
        // Two requests of five tokens end in 12 s while a third is still to come.
        assert!((served.rate.get() - 10.0 / 12.0).abs() < 1e-12);
        // In that time two reads and eight decode steps of 10 J each.
        assert!((served.power.get() - 100.0 / 12.0).abs() < 1e-12);
    }

    /// What the front end takes comes on top of the first token, and of nothing else.
    #[test]
    fn the_front_end_delays_the_first_token() {
        let [plain, later] = [0.0, 0.25].map(|front_end| replay(&traffic(2, 3), &Batching { front_end: Seconds::new(front_end), ..engine() }, pass));
        assert!((later.first_token - plain.first_token - Seconds::new(0.25)).get().abs() < 1e-12);
        assert_eq!((later.per_token, later.gap, later.rate), (plain.per_token, plain.gap, plain.rate));
    }

    /// Two at once and room for 1 000 tokens a pass: the second prompt starts in the second pass, where the first sequence takes one of
    /// the tokens, and ends in the third: first tokens after 2 s and 2 + 1.999 + 1.001 = 5 s, and as nothing follows that is all.
    #[test]
    fn prompts_wait_for_each_other_and_slow_decoding() {
        let served = replay(&traffic(2, 1), &Batching { budget: 1000, ..engine() }, pass);
        assert!((served.first_token.get() - 3.5).abs() < 1e-12);
        // The first sequence's four gaps: 1.999 + 1.001 + 1 + 1; the second's four of 1.
        assert!((served.per_token.get() - f64::midpoint(5.0 / 4.0, 1.0)).abs() < 1e-12);
        // Never in parts: the second prompt is read whole, in the second pass: after 2 + 2 s.
        let served = replay(&traffic(2, 1), &Batching { budget: 1000, whole: true, ..engine() }, pass);
        assert_eq!(served.first_token, Seconds::new(3.0));
        // In passes of their own: the first sequence makes nothing in that pass.
        let served = replay(&traffic(2, 1), &Batching { budget: 1000, separate: true, ..engine() }, pass);
        assert_eq!((served.first_token, served.per_token), (Seconds::new(3.0), Seconds::new(f64::midpoint(6.0 / 4.0, 1.0))));
    }

    /// Two groups read one prompt each in the same pass.
    #[test]
    fn groups_read_side_by_side() {
        let served = replay(&traffic(2, 1), &Batching { groups: 2, budget: 1000, ..engine() }, pass);
        assert_eq!(served.first_token, Seconds::new(2.0));
    }

    /// Room for one cache: the second request waits the 6 s of the first, then reads for 2.
    #[test]
    fn without_room_a_request_waits_for_another_to_end() {
        let served = replay(&traffic(2, 1), &Batching { cached: 1500.0, ..engine() }, pass);
        assert_eq!(served.first_token, Seconds::new(f64::midpoint(2.0, 8.0)));
        let served = replay(&traffic(2, 1), &Batching { running: 1, ..engine() }, pass);
        assert_eq!(served.first_token, Seconds::new(f64::midpoint(2.0, 8.0)));
    }

    /// Two prompts of 9 or 10 tokens are read together in 1.018 to 1.02 s. Of their answers one is a token longer: the successor of the first
    /// to end arrives as that last pass of 1 s starts, is not seen before it is over, and is then read together with the other successor.
    /// It waits longer where the engine looks only every 50th pass, or where prompts are collected for three.
    #[test]
    fn who_arrives_while_others_decode_is_seen_later() {
        let traffic = ClientTraffic { prompt: 10, output: 100, shortest: 0.9, ..traffic(2, 2) };
        let first = |engine: Batching| replay(&traffic, &engine, pass).first_token;
        let at_once = first(engine());
        assert!(at_once > Seconds::new((3.0 * 1.018 + 2.018) / 4.0) && at_once < Seconds::new((3.0 * 1.02 + 2.02) / 4.0), "{at_once:?}");
        let apart = ClientTraffic { shortest: 0.1, ..traffic };
        let first = |engine: Batching| replay(&apart, &engine, pass).first_token;
        assert!(first(Batching { poll: 50, ..engine() }) > first(engine()));
        assert!(first(Batching { wait: 3, wait_share: 0.9, ..engine() }) > first(engine()));
    }
}
