//! A request in flight.

use super::clock::Picoseconds;

/// State of a request in flight that every pass reads and writes. It is small, and the states of all requests are contiguous.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestProgress {
    /// Tokens of the prompt.
    pub input: u32,
    /// Tokens of the answer that the instance makes.
    pub output: u32,
    /// Tokens of the answer made so far.
    pub made: u32,
    /// Tokens whose keys and values are in the cache.
    pub computed: u32,
    /// Tokens in the whole blocks of the units that it holds.
    pub covered: u32,
    /// Cache blocks of its own.
    pub owned: u32,
    /// When its last token came, so far.
    pub last: Picoseconds,
}

/// State of a request that only few passes read or write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Units of its prompt that it holds.
    pub units: u32,
    /// Prompt tokens that were found when it was first admitted.
    pub found: u32,
    /// Units that were found then.
    pub found_units: u32,
    /// Times that it gave its blocks up.
    pub preempted: u32,
    /// When it arrived.
    pub arrived: Picoseconds,
    /// When it was first admitted, if it was.
    pub scheduled: Option<Picoseconds>,
    /// When its first token came.
    pub first: Picoseconds,
    /// Where it stands.
    pub stage: RequestStage,
    /// The instance and the attention group that it is at, or was at last.
    pub at: [u32; 2],
}

/// Result of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Tokens of the prompt.
    pub input: u32,
    /// Tokens of the answer that it wants.
    pub output: u32,
    /// Tokens of the answer made.
    pub made: u32,
    /// Prompt tokens that were found when it was first admitted.
    pub found: u32,
    /// Units that were found then.
    pub found_units: u32,
    /// Times that it gave its blocks up.
    pub preempted: u32,
    /// When it arrived.
    pub arrived: Picoseconds,
    /// When it was first admitted, if it was.
    pub scheduled: Option<Picoseconds>,
    /// When its first token came.
    pub first: Picoseconds,
    /// When its last token came.
    pub last: Picoseconds,
    /// Where it stands.
    pub stage: RequestStage,
    /// The instance and the attention group that it was at last.
    pub at: [u32; 2],
}

impl Sequence {
    /// Joins both parts of the state.
    #[must_use]
    pub fn of(progress: &RequestProgress, record: &Record) -> Self {
        let RequestProgress { input, output, made, last, .. } = *progress;
        let Record { found, found_units, preempted, arrived, scheduled, first, stage, at, .. } = *record;
        Self { input, output, made, found, found_units, preempted, arrived, scheduled, first, last, stage, at }
    }

    /// Its tokens as its client sees them, so much later than they are made.
    #[must_use]
    pub fn seen_after(self, front_end: Picoseconds) -> Self {
        if self.made == 0 { self } else { Self { first: self.first + front_end, last: self.last + front_end, ..self } }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestStage {
    /// It has not arrived, waits, or runs.
    #[default]
    Open,
    /// All its tokens have been made.
    Finished,
    /// It can never be served: its cache is larger than that of an instance.
    Rejected,
}

impl RequestProgress {
    /// Whether all tokens that the instance makes have been made.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.made == self.output
    }

    /// Prompt tokens and made answer tokens: the next token needs the cache of all of them.
    #[must_use]
    pub fn known(&self) -> u32 {
        self.input + self.made
    }

    /// Tokens still to be read before the next one can be made; a decoding sequence has one.
    #[must_use]
    pub fn pending(&self) -> u32 {
        self.known() - self.computed
    }

    /// Whether the sequence decodes: only its last token is not in the cache yet.
    #[must_use]
    pub fn decoding(&self) -> bool {
        self.made > 0 && self.pending() == 1
    }

    /// Prompt tokens that are still to be read.
    #[must_use]
    pub fn unread(&self) -> u32 {
        if self.decoding() { 0 } else { self.pending() }
    }

    /// Tokens in the cache when it ends: the last token of an answer is never read.
    #[must_use]
    pub fn longest(&self) -> u32 {
        self.input + self.output - 1
    }

    /// Whether its blocks hold `tokens` tokens.
    #[must_use]
    pub fn has_blocks_for(&self, tokens: u32, block: u32) -> bool {
        u64::from(self.covered) + u64::from(self.owned) * u64::from(block) >= u64::from(tokens)
    }

    /// Cache blocks that the sequence must own for `tokens` tokens, in addition to the units that it holds.
    #[must_use]
    pub fn blocks_for(&self, tokens: u32, block: u32) -> u32 {
        tokens.saturating_sub(self.covered).div_ceil(block)
    }
}
