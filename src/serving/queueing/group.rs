//! The scheduler of one attention group: which sequences take part in its next pass, with how many tokens.
//!
//! The rules are those of vLLM's engine core (`vllm/v1/core/sched/scheduler.py`). There are no phases: a sequence has a number of tokens and a
//! number of tokens whose cache is computed. Running sequences go first, in the order of their admission. When blocks run out, a victim gives up
//! all of its blocks and waits at the front of the queue to be read again, but for what a prefix cache still has of it. If nothing was preempted,
//! waiting requests follow in their order; the first one that does not fit blocks those behind it. Engines that read prompts in separate passes
//! (SGLang) admit requests first, and decode only if there is no prompt to read.

use std::collections::VecDeque;

use super::clock::Picoseconds;
use super::decoders::Decoders;
use super::memory::{CacheHits, GroupMemory};
use super::pass::{Context, PassLoad, PassPart};
use super::sequence::{Record, RequestProgress, RequestStage};
use crate::input::document::{Admission, Victim};

/// Estimated fraction of the remaining tokens of running sequences that they will ask for: start, end and rate of decrease (SGLang).
const ESTIMATE: [f64; 3] = [0.7, 0.7 * 0.14, 600.0];
/// Most tokens of an answer that an estimate counts.
const FORESEEN: u32 = 4096;

/// One attention group.
#[derive(Debug)]
pub struct AttentionGroup {
    /// Its cache and that of its hosts.
    pub memory: GroupMemory,
    /// In the order of admission.
    pub running: Vec<u32>,
    /// Running sequences that make a token in every pass. Empty while a pass must handle each sequence by itself.
    decoders: Decoders,
    /// The next one first.
    pub waiting: VecDeque<u32>,
    /// Requests that have arrived and that the scheduler has not seen yet.
    inbox: VecDeque<(Picoseconds, u32)>,
    /// The pass that runs.
    pub parts: Vec<PassPart>,
    load: PassLoad,
    /// Sequences that ended in the last pass and still occupy seats and blocks.
    ended: Vec<u32>,
    /// Prompt tokens of waiting requests, and those that running requests still have to read.
    pub unread: u64,
    /// Preemptions so far.
    pub preemptions: u64,
    estimate: f64,
}

impl AttentionGroup {
    /// An empty group with this memory.
    #[must_use]
    pub fn new(memory: GroupMemory) -> Self {
        Self {
            memory,
            running: Vec::new(),
            decoders: Decoders::default(),
            waiting: VecDeque::new(),
            inbox: VecDeque::new(),
            parts: Vec::new(),
            load: PassLoad::default(),
            ended: Vec::new(),
            unread: 0,
            preemptions: 0,
            estimate: ESTIMATE[0],
        }
    }

    /// Requests that wait.
    #[must_use]
    pub fn queue(&self) -> usize {
        self.waiting.len() + self.inbox.len()
    }

    /// A request arrives.
    pub fn enqueue(&mut self, now: Picoseconds, request: u32, sequence: &RequestProgress) {
        self.unread += u64::from(sequence.unread());
        self.inbox.push_back((now, request));
    }

    /// Plans the pass that starts at `now`, with the requests that arrived until `seen`.
    pub fn schedule(&mut self, context: &mut Context<'_>, now: Picoseconds, seen: Picoseconds) -> PassLoad {
        self.look(context, seen);
        self.parts.clear();
        self.load = PassLoad::default();
        let mut budget = context.rules.budget;
        if context.rules.mixed {
            if self.decode(context, &mut budget) {
                // Whoever is still reading was admitted last.
                let reading = self.running.last().filter(|request| context.sequences[**request as usize].unread() > 0).copied();
                if reading.is_none_or(|request| self.read_on(context, &mut budget, request)) {
                    self.admit(context, &mut budget, now);
                }
            } else if self.run(context, &mut budget, |_| true) {
                self.admit(context, &mut budget, now);
            }
        } else {
            if self.run(context, &mut budget, |sequence| !sequence.decoding()) {
                self.admit(context, &mut budget, now);
            }
            if self.parts.is_empty() {
                self.run(context, &mut budget, RequestProgress::decoding);
            }
        }
        self.load
    }

    /// Whether there is a pass to run.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.parts.is_empty() || self.decoders.count() > 0
    }

    /// Whether decoding sequences may be counted down together: one token each, and no event of a single sequence.
    fn together(context: &Context<'_>) -> bool {
        let rules = context.rules;
        context.drafts == 0
            && rules.mixed
            && rules.longest_chunk.is_none()
            && rules.budget >= rules.sequences
            && rules.victim == Victim::LastAdmitted
            && matches!(rules.admission, Admission::FirstChunk | Admission::Prompt)
    }

    /// Gives one token to every sequence that is counted down together. False if there is none, or if blocks run out, so that each sequence must
    /// be handled by itself.
    fn decode(&mut self, context: &mut Context<'_>, budget: &mut u32) -> bool {
        if self.decoders.count() == 0 {
            return false;
        }
        let short = self.decoders.short();
        if short > self.memory.pool.available() {
            self.decoders.sync(context.sequences);
            return false;
        }
        if short > 0 {
            self.memory.take(short, context.pooled);
            self.decoders.grow(context.sequences, context.rules.block);
        }
        self.load.decoding = self.decoders.count();
        self.load.context = self.decoders.context();
        *budget -= self.load.decoding;
        true
    }

    /// Gives tokens to the prompt that is read in the same pass. False if the prompt had to give up its blocks.
    fn read_on(&mut self, context: &mut Context<'_>, budget: &mut u32, request: u32) -> bool {
        let sequence = &context.sequences[request as usize];
        let tokens = sequence.pending().min(*budget);
        let cached = sequence.computed + tokens;
        if tokens == 0 {
            return true;
        }
        if !sequence.has_blocks_for(cached, context.rules.block) && !self.room_for(context, request, cached) {
            return false;
        }
        self.part(context, request, tokens, cached, false);
        *budget -= tokens;
        true
    }

    /// Moves requests that arrived until `seen` into the queue.
    fn look(&mut self, context: &Context<'_>, seen: Picoseconds) {
        while let Some((_, request)) = self.inbox.pop_front_if(|(arrived, _)| *arrived <= seen) {
            if context.rules.by_priority {
                let rank = |request: u32| (context.trace.requests[request as usize].priority, request);
                let place = self.waiting.partition_point(|other| rank(*other) <= rank(request));
                self.waiting.insert(place, request);
            } else {
                self.waiting.push_back(request);
            }
        }
    }

    /// Gives tokens to running sequences for which `of` holds; false if one was preempted.
    fn run(&mut self, context: &mut Context<'_>, budget: &mut u32, of: impl Fn(&RequestProgress) -> bool) -> bool {
        let before = self.preemptions;
        if context.rules.victim == Victim::FewestMade {
            self.retract(context);
        }
        let mut index = 0;
        while index < self.running.len() && *budget > 0 {
            let request = self.running[index];
            let sequence = &context.sequences[request as usize];
            index += 1;
            if sequence.ended() || !of(sequence) {
                continue;
            }
            let decoding = sequence.decoding();
            let wanted = if decoding { 1 + context.drafts } else { sequence.pending().min(context.rules.longest_chunk.unwrap_or(u32::MAX)) };
            let tokens = wanted.min(*budget);
            // Drafts may overshoot the answer: no block is taken for what lies beyond it.
            let cached = (sequence.computed + tokens).min(sequence.longest().max(sequence.known()));
            if !sequence.has_blocks_for(cached, context.rules.block) && !self.room_for(context, request, cached) {
                break;
            }
            self.part(context, request, tokens, cached, decoding);
            *budget -= tokens;
        }
        self.preemptions == before
    }

    /// Takes the blocks of `tokens` tokens, preempting those admitted last while there are none; false if the request itself had to go.
    fn room_for(&mut self, context: &mut Context<'_>, request: u32, tokens: u32) -> bool {
        loop {
            if self.memory.grow(&mut context.sequences[request as usize], tokens, context.rules.block, context.pooled) {
                return true;
            }
            let Some(victim) = self.running.pop() else { return false };
            self.preempt(context, victim);
            if victim == request {
                return false;
            }
        }
    }

    /// Before a pass: while there are not enough blocks for all running sequences, the one with the fewest made tokens gives up its blocks. At
    /// least one sequence stays.
    fn retract(&mut self, context: &mut Context<'_>) {
        let (block, drafts) = (context.rules.block, context.drafts);
        let wants = |sequence: &RequestProgress| u64::from(sequence.blocks_for(sequence.computed + 1 + drafts, block).saturating_sub(sequence.owned));
        let goes_on = |one: &&RequestProgress| one.decoding() && !one.ended();
        let mut wanted: u64 = self.running.iter().map(|request| &context.sequences[*request as usize]).filter(goes_on).map(wants).sum();
        while wanted > self.memory.pool.available() && self.running.len() > 1 {
            let rank = |request: &u32| {
                let sequence = &context.sequences[*request as usize];
                (sequence.made, u32::MAX - sequence.input)
            };
            let Some(place) = (0..self.running.len()).min_by_key(|place| rank(&self.running[*place])) else { return };
            let victim = self.running.remove(place);
            wanted -= Some(&context.sequences[victim as usize]).filter(goes_on).map_or(0, wants);
            self.preempt(context, victim);
            let (made, all) = self.running.iter().fold((0.0, 1.0), |(made, all), request| {
                let sequence = &context.sequences[*request as usize];
                (made + f64::from(sequence.made) + 20.0, all + f64::from(sequence.output))
            });
            self.estimate = (made / all).min(1.0);
        }
    }

    /// A sequence gives up all of its blocks and waits at the front of the queue to be read again.
    fn preempt(&mut self, context: &mut Context<'_>, victim: u32) {
        if context.sequences[victim as usize].ended() {
            // It has ended in the pass whose results are not in yet: nothing of it has to be read again.
            self.ended.retain(|other| *other != victim);
            self.leave(context, victim);
            return;
        }
        let (sequence, record) = (&mut context.sequences[victim as usize], &mut context.records[victim as usize]);
        self.unread -= u64::from(sequence.unread());
        if context.rules.finds_own() {
            let whole = (sequence.computed.saturating_sub(sequence.covered) / context.rules.block).min(sequence.owned);
            self.memory.pool.leave(victim, whole);
            sequence.owned -= whole;
        }
        self.memory.drop_all((sequence, record), context.trace.prefix(&context.trace.requests[victim as usize]));
        record.preempted += 1;
        sequence.computed = 0;
        self.unread += u64::from(sequence.unread());
        self.preemptions += 1;
        if context.rules.by_priority {
            let rank = |request: u32| (context.trace.requests[request as usize].priority, request);
            let place = self.waiting.partition_point(|other| rank(*other) <= rank(victim));
            self.waiting.insert(place, victim);
        } else {
            self.waiting.push_front(victim);
        }
    }

    /// Admits waiting requests while there are seats, tokens and blocks.
    fn admit(&mut self, context: &mut Context<'_>, budget: &mut u32, now: Picoseconds) {
        while let Some(&request) = self.waiting.front() {
            if *budget == 0 || self.running.len() >= context.rules.sequences as usize {
                break;
            }
            let units = context.trace.prefix(&context.trace.requests[request as usize]);
            let sequence = context.sequences[request as usize];
            let found = self.found(context, request, &sequence);
            let pending = sequence.known() - found.tokens;
            let mut tokens = pending.min(context.rules.longest_chunk.unwrap_or(u32::MAX)).min(*budget);
            if !context.rules.chunked && tokens < pending {
                if self.parts.iter().any(|part| !part.decoding) {
                    break;
                }
                tokens = pending;
            }
            if !self.has_room(context, &sequence, found, tokens) {
                break;
            }
            self.waiting.pop_front();
            let (open, record) = (&mut context.sequences[request as usize], &mut context.records[request as usize]);
            self.unread -= u64::from(open.unread());
            open.owned += self.memory.pool.take_up(request, found.own);
            let read = self.memory.admit((open, record), units, found, [context.trace.block_tokens, context.rules.block], context.pooled);
            self.unread += u64::from(open.unread());
            self.load.loaded = [self.load.loaded[0] + read[0], self.load.loaded[1] + read[1]];
            if record.scheduled.is_none() {
                (record.scheduled, record.found, record.found_units) = (Some(now), found.tokens, found.units);
            }
            let cached = open.computed + tokens;
            self.memory.grow(open, cached, context.rules.block, context.pooled);
            let decoding = open.decoding();
            self.running.push(request);
            self.part(context, request, tokens, cached, decoding);
            *budget = budget.saturating_sub(tokens);
        }
    }

    /// Tokens of a waiting request that need not be read, because their cache came with the request or is in a prefix cache.
    fn found(&self, context: &Context<'_>, request: u32, sequence: &RequestProgress) -> CacheHits {
        if sequence.computed > 0 {
            return CacheHits { tokens: sequence.computed, ..CacheHits::default() };
        }
        let stated = context.trace.requests[request as usize].found;
        if !context.rules.prefix_cache {
            return CacheHits::default();
        }
        let units = context.trace.prefix(&context.trace.requests[request as usize]);
        let mut found = self.memory.find(units, context.pooled.as_ref());
        // Of a prompt that is there whole, the last block is read again to have the next token.
        let most = (sequence.known() - 1) / context.rules.block * context.rules.block;
        found.tokens = (found.units * context.trace.block_tokens).min(sequence.input);
        // Its own blocks follow the units of its prompt: without all of those they are of no use.
        if found.here as usize == units.len() {
            found.own = self.memory.pool.left_by(request);
            found.tokens = found.tokens.max(found.tokens / context.rules.block * context.rules.block + found.own * context.rules.block);
        }
        found.tokens = found.tokens.max(stated).min(most);
        found
    }

    /// Whether enough blocks are free for the rule of admission.
    fn has_room(&self, context: &Context<'_>, sequence: &RequestProgress, found: CacheHits, tokens: u32) -> bool {
        let block = context.rules.block;
        let blocks = |tokens: u32| u64::from(tokens.div_ceil(block));
        let others = || self.running.iter().map(|request| &context.sequences[*request as usize]);
        let wanted = match context.rules.admission {
            Admission::FirstChunk => blocks(found.tokens + tokens),
            Admission::Prompt => blocks(sequence.known()),
            Admission::Request => {
                let rest: u64 = others().map(|other| u64::from(other.blocks_for(other.longest(), block).saturating_sub(other.owned))).sum();
                blocks(sequence.longest()) + rest
            }
            Admission::Estimate => {
                let rest = |one: &RequestProgress| (one.output - one.made).min(FORESEEN);
                let reserved: f64 = others().map(|other| f64::from(rest(other))).sum::<f64>() * self.estimate;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of token counts")]
                let reserved = (reserved / f64::from(block)).ceil() as u64;
                let unread: u64 = others().map(|other| u64::from(other.blocks_for(other.known(), block).saturating_sub(other.owned))).sum();
                blocks(sequence.known() + rest(sequence) + block) + reserved + unread
            }
        };
        let pool = &self.memory.pool;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a block count")]
        let kept = if self.running.is_empty() { 0 } else { (pool.capacity() as f64 * context.rules.watermark) as u64 };
        // Alone, a request is let in whatever is estimated: one that could never end has been rejected before.
        let alone = self.running.is_empty() && blocks(found.tokens + tokens) <= pool.available() + found.shared;
        alone || wanted + kept <= pool.available() + found.shared
    }

    /// Records a part of the pass. From now on other requests can find the units of the prompt that the part completes.
    fn part(&mut self, context: &mut Context<'_>, request: u32, tokens: u32, cached: u32, decoding: bool) {
        self.parts.push(PassPart { request, tokens, decoding });
        let sequence = &mut context.sequences[request as usize];
        if decoding {
            self.load.decoding += 1;
            self.load.context += u64::from(sequence.computed + 1);
            return;
        }
        self.load.prompt_tokens += tokens;
        self.load.twice_seen += u64::from(tokens) * (2 * u64::from(sequence.computed) + u64::from(tokens));
        self.load.prompts += u32::from(tokens == sequence.pending());
        if context.rules.prefix_cache {
            let units = context.trace.prefix(&context.trace.requests[request as usize]);
            self.memory.publish((sequence, &mut context.records[request as usize]), units, cached, [context.trace.block_tokens, context.rules.block]);
        }
    }

    /// Ends the pass at `now`. `accepted` draws the number of draft tokens that a sequence keeps. `emit` is called for every token or burst of tokens
    /// with the request and whether it has ended.
    pub fn finish(
        &mut self,
        context: &mut Context<'_>,
        now: Picoseconds,
        accepted: &mut impl FnMut(u32, &RequestProgress) -> u32,
        emit: &mut impl FnMut(u32, (&RequestProgress, &Record), Picoseconds, u32),
    ) -> (Picoseconds, u64) {
        self.give_back(context);
        let counted = self.count_down(context, now, emit);
        for index in 0..self.parts.len() {
            let PassPart { request, tokens, decoding } = self.parts[index];
            let sequence = &mut context.sequences[request as usize];
            if !decoding {
                self.unread -= u64::from(tokens);
                sequence.computed += tokens;
                if sequence.pending() > 0 {
                    continue;
                }
            }
            let more = if decoding { accepted(request, sequence) } else { 0 };
            let made = (1 + more).min(sequence.output - sequence.made);
            let record = &mut context.records[request as usize];
            if sequence.made == 0 {
                record.first = now;
            }
            sequence.made += made;
            sequence.computed = sequence.known() - 1;
            let gap = now.since(sequence.last);
            sequence.last = now;
            if sequence.ended() {
                record.stage = RequestStage::Finished;
                if sequence.made < context.trace.requests[request as usize].output {
                    // Others make the rest: the seat is free, the blocks are when they have been sent.
                    self.running.retain(|other| *other != request);
                } else {
                    self.ended.push(request);
                }
            }
            emit(request, (sequence, record), gap, made);
        }
        self.gather(context, now);
        self.parts.clear();
        if self.estimate > ESTIMATE[1] {
            self.estimate = (self.estimate - (ESTIMATE[0] - ESTIMATE[1]) / ESTIMATE[2]).max(ESTIMATE[1]);
        }
        if !context.rules.overlapped {
            self.give_back(context);
        }
        counted
    }

    /// Counts down the sequences that make a token in every pass. Returns the time since their last token and the number of remaining sequences.
    fn count_down(
        &mut self,
        context: &mut Context<'_>,
        now: Picoseconds,
        emit: &mut impl FnMut(u32, (&RequestProgress, &Record), Picoseconds, u32),
    ) -> (Picoseconds, u64) {
        if self.decoders.count() == 0 {
            return (Picoseconds(0), 0);
        }
        let first = self.ended.len();
        let counted = self.decoders.step(now, context.sequences, &mut self.ended);
        for &request in &self.ended[first..] {
            let record = &mut context.records[request as usize];
            record.stage = RequestStage::Finished;
            emit(request, (&context.sequences[request as usize], record), counted.0, 1);
        }
        counted
    }

    /// Lets sequences that make tokens from now on be counted down together: those of this pass, or, after one that asked each, all if all do
    /// but the last, which may still be reading.
    fn gather(&mut self, context: &Context<'_>, now: Picoseconds) {
        if !Self::together(context) {
            return;
        }
        let decodes = |request: u32| {
            let sequence = &context.sequences[request as usize];
            sequence.decoding() && !sequence.ended()
        };
        let block = context.rules.block;
        if self.decoders.count() > 0 {
            for part in self.parts.iter().filter(|part| decodes(part.request)) {
                self.decoders.add(part.request, &context.sequences[part.request as usize], block, now);
            }
            return;
        }
        let waits = |request: u32| {
            let sequence = &context.sequences[request as usize];
            !(sequence.ended() || sequence.decoding() && sequence.last == now)
        };
        let before_last = self.running.len().saturating_sub(1);
        if self.running[..before_last].iter().any(|request| waits(*request))
            || self.running.last().is_some_and(|request| waits(*request) && context.sequences[*request as usize].decoding())
        {
            return;
        }
        for &request in self.running.iter().filter(|request| decodes(**request)) {
            self.decoders.add(request, &context.sequences[request as usize], block, now);
        }
    }

    /// Frees the seats and blocks of sequences that have ended.
    pub fn give_back(&mut self, context: &mut Context<'_>) {
        if self.ended.is_empty() {
            return;
        }
        for request in std::mem::take(&mut self.ended) {
            self.leave(context, request);
        }
    }

    /// A sequence leaves with all its blocks.
    pub fn leave(&mut self, context: &mut Context<'_>, request: u32) {
        let units = context.trace.prefix(&context.trace.requests[request as usize]);
        self.memory.drop_all((&mut context.sequences[request as usize], &mut context.records[request as usize]), units);
        self.running.retain(|other| *other != request);
    }
}
