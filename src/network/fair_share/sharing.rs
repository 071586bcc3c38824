//! The problem: which flow crosses which channel, with what share.

use std::fmt;

/// No physical capacity, cap, share or size lies outside `MAGNITUDE_MIN..=MAGNITUDE_MAX`. Inside it, no sum or quotient
/// the solvers form can overflow, so they need no check for infinities of their own.
pub const MAGNITUDE_MIN: f64 = 1e-60;
/// See [`MAGNITUDE_MIN`].
pub const MAGNITUDE_MAX: f64 = 1e60;

/// A sharing problem as the caller states it. Rows are compressed: flow `f` crosses
/// `channel[row_start[f]..row_start[f + 1]]` with the shares at the same places.
///
/// Fairness is between equal rates. For weighted fairness, where flow `f` should get `w[f]` times the rate of its
/// neighbours, multiply its shares by `w[f]`, divide its cap by `w[f]`, and multiply its answer by `w[f]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharingInput {
    /// Bytes/s, one for each channel.
    pub capacity: Vec<f64>,
    /// Where each flow's row begins; one more entry than flows.
    pub row_start: Vec<usize>,
    /// Channels of all rows, end to end; none twice in one row.
    pub channel: Vec<u32>,
    /// Fraction of the flow's rate on that channel: in (0, 1] for one crossing, above 1 for several.
    pub share: Vec<f64>,
    /// Bytes/s each flow may not exceed (infinite: no cap). `None` when no flow has one.
    pub cap: Option<Vec<f64>>,
    /// How many identical flows each row stands for. `None` when each stands for one.
    pub count: Option<Vec<u32>>,
}

impl SharingInput {
    /// Channels and no flows yet.
    #[must_use]
    pub fn new(capacity: Vec<f64>) -> Self {
        Self { capacity, row_start: vec![0], ..Self::default() }
    }

    /// Appends a flow that crosses the given `(channel, share)` pairs.
    pub fn push_flow(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (channel, share) in row {
            self.channel.push(channel);
            self.share.push(share);
        }
        self.row_start.push(self.channel.len());
    }
}

/// A sharing problem that has been checked: every flow is held by something, every number is usable.
#[derive(Clone, Debug, PartialEq)]
pub struct Sharing {
    input: SharingInput,
}

/// What is wrong with a sharing problem, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum SharingError {
    /// `row_start` must begin with 0, never fall, and end at the number of entries.
    Rows {
        /// The flow, from 0.
        flow: usize,
    },
    /// Two arrays that belong together differ in length.
    Length {
        /// Which numbers.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Flows or channels are numbered with 32 bits.
    TooMany {
        /// Which numbers.
        what: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A channel cannot have this capacity.
    Capacity {
        /// The channel, from 0.
        channel: usize,
        /// What stands there.
        found: f64,
    },
    /// A flow cannot take this share of a channel.
    Share {
        /// The flow, from 0.
        flow: usize,
        /// The channel, from 0.
        channel: u32,
        /// What stands there.
        found: f64,
    },
    /// A flow cannot have this cap.
    Cap {
        /// The flow, from 0.
        flow: usize,
        /// What stands there.
        found: f64,
    },
    /// A flow stands for none.
    Count {
        /// The flow, from 0.
        flow: usize,
    },
    /// A flow crosses a channel that there is not.
    UnknownChannel {
        /// The flow, from 0.
        flow: usize,
        /// The channel, from 0.
        channel: u32,
        /// Channels in all.
        channels: usize,
    },
    /// The same channel twice in one row: add the shares up instead.
    RepeatedChannel {
        /// The flow, from 0.
        flow: usize,
        /// The channel, from 0.
        channel: u32,
    },
    /// Neither a channel nor a cap holds the flow, so its rate would be infinite.
    Unbounded {
        /// The flow, from 0.
        flow: usize,
    },
}

impl fmt::Display for SharingError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = format_args!("between {MAGNITUDE_MIN:e} and {MAGNITUDE_MAX:e}").to_string();
        match self {
            Self::Rows { flow } => write!(out, "row of flow {flow}: row starts must begin at 0, never fall and end at the number of entries"),
            Self::Length { what, found, expected } => write!(out, "{what}: {found} entries where {expected} are expected"),
            Self::TooMany { what, found } => write!(out, "{found} {what}: at most {} can be numbered", u32::MAX - 1),
            Self::Capacity { channel, found } => {
                write!(out, "capacity of channel {channel} is {found} bytes/s: expected a value {range}; leave a dead channel out of the rows")
            }
            Self::Share { flow, channel, found } => write!(out, "share of flow {flow} on channel {channel} is {found}: expected a value {range}"),
            Self::Cap { flow, found } => write!(out, "cap of flow {flow} is {found} bytes/s: expected a value {range}, or infinity for no cap"),
            Self::Count { flow } => write!(out, "flow {flow} stands for 0 flows: leave it out"),
            Self::UnknownChannel { flow, channel, channels } => write!(out, "flow {flow} crosses channel {channel}: there are {channels} channels"),
            Self::RepeatedChannel { flow, channel } => write!(out, "flow {flow} lists channel {channel} twice: add the two shares up"),
            Self::Unbounded { flow } => write!(out, "flow {flow} crosses no channel and has no cap: its rate would be infinite"),
        }
    }
}

impl std::error::Error for SharingError {}

fn usable(value: f64) -> bool {
    (MAGNITUDE_MIN..=MAGNITUDE_MAX).contains(&value)
}

impl Sharing {
    /// Checks the problem. Cost: one pass over the entries.
    ///
    /// # Errors
    /// The first entry that makes no sense.
    pub fn new(input: SharingInput) -> Result<Self, SharingError> {
        let entries = input.channel.len();
        let channels = input.capacity.len();
        let flows = input.row_start.len().checked_sub(1).ok_or(SharingError::Rows { flow: 0 })?;
        for (what, found) in [("channels", channels), ("flows", flows)] {
            if found >= u32::MAX as usize {
                return Err(SharingError::TooMany { what, found });
            }
        }
        let same_length = |what, found, expected| if found == expected { Ok(()) } else { Err(SharingError::Length { what, found, expected }) };
        same_length("shares", input.share.len(), entries)?;
        same_length("caps", input.cap.as_ref().map_or(flows, Vec::len), flows)?;
        same_length("counts", input.count.as_ref().map_or(flows, Vec::len), flows)?;
        if input.row_start[0] != 0 || input.row_start[flows] != entries {
            return Err(SharingError::Rows { flow: 0 });
        }
        if let Some(flow) = input.row_start.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(SharingError::Rows { flow });
        }
        if let Some(channel) = input.capacity.iter().position(|&capacity| !usable(capacity)) {
            return Err(SharingError::Capacity { channel, found: input.capacity[channel] });
        }
        let mut last_user = vec![u32::MAX; channels];
        for flow in 0..flows {
            if let Some(caps) = &input.cap
                && !(usable(caps[flow]) || caps[flow] == f64::INFINITY)
            {
                return Err(SharingError::Cap { flow, found: caps[flow] });
            }
            if input.count.as_ref().is_some_and(|counts| counts[flow] == 0) {
                return Err(SharingError::Count { flow });
            }
            let row = input.row_start[flow]..input.row_start[flow + 1];
            if row.is_empty() && input.cap.as_ref().is_none_or(|caps| caps[flow] == f64::INFINITY) {
                return Err(SharingError::Unbounded { flow });
            }
            for entry in row {
                let channel = input.channel[entry];
                let user = last_user.get_mut(channel as usize).ok_or(SharingError::UnknownChannel { flow, channel, channels })?;
                if *user == flow as u32 {
                    return Err(SharingError::RepeatedChannel { flow, channel });
                }
                *user = flow as u32;
                if !usable(input.share[entry]) {
                    return Err(SharingError::Share { flow, channel, found: input.share[entry] });
                }
            }
        }
        Ok(Self { input })
    }

    /// A part of a checked problem whose flows are still held, if only by what the caller proved.
    pub(crate) fn from_checked(input: SharingInput) -> Self {
        Self { input }
    }

    /// Rows.
    #[must_use]
    pub fn flows(&self) -> usize {
        self.input.row_start.len() - 1
    }

    /// Columns.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.input.capacity.len()
    }

    /// Crossings of a flow and a channel.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.input.channel.len()
    }

    /// Bytes/s of every channel.
    #[must_use]
    pub fn capacity(&self) -> &[f64] {
        &self.input.capacity
    }

    /// Channels that `flow` crosses, and its share on each.
    #[must_use]
    pub fn row(&self, flow: usize) -> (&[u32], &[f64]) {
        let row = self.input.row_start[flow]..self.input.row_start[flow + 1];
        (&self.input.channel[row.clone()], &self.input.share[row])
    }

    /// Bytes/s that `flow` may not exceed; infinite without a cap.
    #[must_use]
    pub fn cap(&self, flow: usize) -> f64 {
        self.input.cap.as_ref().map_or(f64::INFINITY, |caps| caps[flow])
    }

    /// How many identical flows the row of `flow` stands for.
    #[must_use]
    pub fn count(&self, flow: usize) -> u32 {
        self.input.count.as_ref().map_or(1, |counts| counts[flow])
    }

    /// The problem as it was given.
    #[must_use]
    pub fn input(&self) -> &SharingInput {
        &self.input
    }
}
