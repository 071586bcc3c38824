//! What flows carry and when they may start, checked.

use std::fmt;

use super::sharing::{MAGNITUDE_MAX, MAGNITUDE_MIN, Sharing};

/// What the flows of a sharing problem carry, and when they may start:
///
/// ```text
/// start[f] = delay_s[f] + max(release_s[f], end of every flow that f waits for)
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransfersInput {
    /// Bytes of each single flow; 0 ends as it starts.
    pub bytes: Vec<f64>,
    /// Earliest start of each flow in seconds. `None`: all at 0.
    pub release_s: Option<Vec<f64>>,
    /// Seconds between the last end waited for (or the release) and the start. `None`: all 0.
    pub delay_s: Option<Vec<f64>>,
    /// `(flow, other)`: `flow` waits for `other` to end.
    pub waits_for: Vec<(u32, u32)>,
}

/// Transfers that have been checked against their sharing problem.
#[derive(Clone, Debug)]
pub struct Transfers<'a> {
    sharing: &'a Sharing,
    input: TransfersInput,
    waiters: Waiters,
}

/// What is wrong with transfers, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum TransfersError {
    /// An array has not one entry for each flow.
    Length {
        /// Which numbers.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// Flows in all.
        flows: usize,
    },
    /// A flow cannot carry so many bytes.
    Bytes {
        /// The flow, from 0.
        flow: usize,
        /// What stands there.
        found: f64,
    },
    /// A time is out of range.
    Time {
        /// Which numbers.
        what: &'static str,
        /// The flow, from 0.
        flow: usize,
        /// What stands there.
        found: f64,
    },
    /// A dependency names a flow that there is not.
    UnknownFlow {
        /// The flow, from 0.
        flow: u32,
        /// Flows in all.
        flows: usize,
    },
    /// The flow waits, directly or through others, for itself.
    Cycle {
        /// The flow, from 0.
        flow: u32,
    },
    /// The tolerance is out of range.
    Tolerance {
        /// What stands there.
        found: f64,
    },
}

impl fmt::Display for TransfersError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { what, found, flows } => write!(out, "{what}: {found} entries for {flows} flows"),
            Self::Bytes { flow, found } => {
                write!(out, "flow {flow} carries {found} bytes: expected 0 or a value between {MAGNITUDE_MIN:e} and {MAGNITUDE_MAX:e}")
            }
            Self::Time { what, flow, found } => write!(out, "{what} of flow {flow} is {found} s: expected a value between 0 and {MAGNITUDE_MAX:e}"),
            Self::UnknownFlow { flow, flows } => write!(out, "a dependency names flow {flow}: there are {flows} flows"),
            Self::Cycle { flow } => write!(out, "flow {flow} waits for itself through its dependencies"),
            Self::Tolerance { found } => write!(out, "tolerance {found}: expected a value above 0 and below 1"),
        }
    }
}

impl std::error::Error for TransfersError {}

impl<'a> Transfers<'a> {
    /// Checks transfers.
    ///
    /// # Errors
    /// The first entry that is out of range, unknown or waits for itself.
    pub fn new(sharing: &'a Sharing, input: TransfersInput) -> Result<Self, TransfersError> {
        let flows = sharing.flows();
        let lengths = [
            ("bytes", input.bytes.len()),
            ("release times", input.release_s.as_ref().map_or(flows, Vec::len)),
            ("delays", input.delay_s.as_ref().map_or(flows, Vec::len)),
        ];
        if let Some(&(what, found)) = lengths.iter().find(|(_, found)| *found != flows) {
            return Err(TransfersError::Length { what, found, flows });
        }
        let carried = |&bytes: &f64| bytes == 0.0 || (MAGNITUDE_MIN..=MAGNITUDE_MAX).contains(&bytes);
        if let Some(flow) = input.bytes.iter().position(|bytes| !carried(bytes)) {
            return Err(TransfersError::Bytes { flow, found: input.bytes[flow] });
        }
        for (what, times) in [("release", &input.release_s), ("delay", &input.delay_s)] {
            let times = times.as_deref().unwrap_or_default();
            if let Some(flow) = times.iter().position(|time| !(0.0..=MAGNITUDE_MAX).contains(time)) {
                return Err(TransfersError::Time { what, flow, found: times[flow] });
            }
        }
        let waiters = Waiters::new(flows, &input.waits_for)?;
        Ok(Self { sharing, input, waiters })
    }

    /// The problem whose flows these are.
    #[must_use]
    pub fn sharing(&self) -> &'a Sharing {
        self.sharing
    }

    pub(crate) fn input(&self) -> &TransfersInput {
        &self.input
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }
}

/// Who waits for each flow.
#[derive(Clone, Debug)]
pub(crate) struct Waiters {
    start: Vec<usize>,
    waiter: Vec<u32>,
    /// How many flows each flow waits for.
    pub awaited: Vec<u32>,
}

impl Waiters {
    fn new(flows: usize, waits_for: &[(u32, u32)]) -> Result<Self, TransfersError> {
        let mut start = vec![0; flows + 1];
        let mut awaited = vec![0; flows];
        for &(flow, other) in waits_for {
            if let Some(flow) = [flow, other].into_iter().find(|&flow| flow as usize >= flows) {
                return Err(TransfersError::UnknownFlow { flow, flows });
            }
            start[other as usize + 1] += 1;
            awaited[flow as usize] += 1;
        }
        for flow in 0..flows {
            start[flow + 1] += start[flow];
        }
        let mut next = start.clone();
        let mut waiter = vec![0; waits_for.len()];
        for &(flow, other) in waits_for {
            waiter[next[other as usize]] = flow;
            next[other as usize] += 1;
        }
        let waiters = Self { start, waiter, awaited };
        waiters.check_cycles().map(|()| waiters)
    }

    /// Flows that wait for `flow`.
    pub fn of(&self, flow: u32) -> &[u32] {
        &self.waiter[self.start[flow as usize]..self.start[flow as usize + 1]]
    }

    /// Lets flows end in any legal order; those that never can wait for themselves or for such flows.
    fn check_cycles(&self) -> Result<(), TransfersError> {
        let mut awaited = self.awaited.clone();
        let mut ready: Vec<u32> = (0..awaited.len() as u32).filter(|&flow| awaited[flow as usize] == 0).collect();
        while let Some(flow) = ready.pop() {
            for &waiter in self.of(flow) {
                awaited[waiter as usize] -= 1;
                if awaited[waiter as usize] == 0 {
                    ready.push(waiter);
                }
            }
        }
        // From a flow that cannot end, walk to one it waits for that cannot end either; after as many steps as there are
        // flows the walk is on a cycle.
        let Some(stuck) = awaited.iter().position(|&count| count > 0) else { return Ok(()) };
        let mut blocker = vec![u32::MAX; awaited.len()];
        for flow in (0..awaited.len() as u32).filter(|&flow| awaited[flow as usize] > 0) {
            for &waiter in self.of(flow) {
                blocker[waiter as usize] = flow;
            }
        }
        let flow = (0..awaited.len()).fold(stuck as u32, |flow, _| blocker[flow as usize]);
        Err(TransfersError::Cycle { flow })
    }
}
