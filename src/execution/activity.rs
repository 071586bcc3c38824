//! Work of one rank: operations, memory traffic and bytes sent, of one stage and of a whole step.

use super::pass::Pass;
use crate::input::document::Precision;
use crate::units::{Bytes, Flop, Seconds};
use crate::workload::{Device, Operator};

/// What holds a stage back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limit {
    /// Launches alone: no arithmetic, no memory traffic.
    #[default]
    Launch,
    /// Its arithmetic would take longer than its memory traffic, both at the chip's peaks.
    Compute,
    /// The other way round.
    Memory,
    /// It is a transfer.
    Communication,
}

/// Work of one rank in one stage of one layer, for one micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageWork {
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [Flop; Precision::ALL.len()],
    /// To and from memory.
    pub memory: Bytes,
    /// Sent to other ranks.
    pub sent: Bytes,
    /// What holds the stage back.
    pub limit: Limit,
}

impl StageWork {
    pub(super) fn of(device: &Device, operators: &[Operator]) -> Self {
        let mut work = Self::default();
        let mut arithmetic = Seconds::ZERO;
        for operator in operators {
            let precision = operator.work.precision();
            work.flop[precision as usize] += operator.work.flop();
            work.memory += operator.work.bytes();
            arithmetic += operator.work.flop() / device.peak(precision);
        }
        if !operators.is_empty() {
            work.limit = if arithmetic > work.memory / device.memory_bandwidth { Limit::Compute } else { Limit::Memory };
        }
        work
    }

    /// The same where only this share of the ranks does it: what one does on average.
    pub(super) fn on(self, share: f64) -> Self {
        Self { flop: self.flop.map(|flop| flop * share), memory: self.memory * share, sent: self.sent * share, ..self }
    }

    /// Both in one stage; it is held back by what holds this back, unless this is nothing.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.flop.iter_mut().zip(other.flop).for_each(|(sum, more)| *sum += more);
        let limit = if self.limit == Limit::Launch { other.limit } else { self.limit };
        Self { memory: self.memory + other.memory, sent: self.sent + other.sent, limit, ..self }
    }

    pub(super) fn transfer(sent: Bytes) -> Self {
        Self { sent, limit: Limit::Communication, ..Self::default() }
    }
}

/// Work of one rank in one step; on average, where attention and experts are on ranks of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [Flop; Precision::ALL.len()],
    /// To and from memory.
    pub memory: Bytes,
    /// Sent to other ranks.
    pub sent: Bytes,
    /// The same operations and memory traffic by the name of the operator, in the order of their first run.
    pub operators: Vec<OperatorWork>,
}

/// Work of all operators of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorWork {
    /// What people call it.
    pub name: &'static str,
    /// Operations by format, in [`Precision::ALL`] order.
    pub flop: [Flop; Precision::ALL.len()],
    /// To and from memory.
    pub memory: Bytes,
}

impl Activity {
    /// Sums of a whole pass, without the names: what a search asks for many times.
    pub(super) fn totals(pass: &Pass, shares: [f64; 2]) -> Self {
        Self::of(pass, shares, Self::add)
    }

    /// The same by name too, on average over all ranks.
    pub(super) fn by_operator(pass: &Pass) -> Self {
        Self::of(pass, pass.shares, Self::add_by_name)
    }

    fn of(pass: &Pass, shares: [f64; 2], add: impl Fn(&mut Self, &Operator, f64)) -> Self {
        let mut activity = Self { sent: pass.handovers.1 * shares[0], ..Self::default() };
        for (operator, times) in pass.operators(shares) {
            add(&mut activity, operator, times);
        }
        for layers in &pass.layers {
            activity.sent += layers.sent(shares) * pass.times(layers);
        }
        activity
    }

    fn add(&mut self, operator: &Operator, times: f64) {
        self.flop[operator.work.precision() as usize] += operator.work.flop() * times;
        self.memory += operator.work.bytes() * times;
    }

    fn named(&mut self, name: &'static str) -> &mut OperatorWork {
        let position = self.operators.iter().position(|known| known.name == name).unwrap_or_else(|| {
            self.operators.push(OperatorWork { name, flop: [Flop::ZERO; Precision::ALL.len()], memory: Bytes::ZERO });
            self.operators.len() - 1
        });
        &mut self.operators[position]
    }

    /// Adds another's work, so many times.
    pub(super) fn add_all(&mut self, other: &Self, times: f64) {
        let add = |sums: &mut [Flop], more: &[Flop]| sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += *more * times);
        add(&mut self.flop, &other.flop);
        self.memory += other.memory * times;
        self.sent += other.sent * times;
        for operator in &other.operators {
            let work = self.named(operator.name);
            add(&mut work.flop, &operator.flop);
            work.memory += operator.memory * times;
        }
    }

    /// Counts an operator that runs so many times, in the sums and under its name.
    pub fn add_by_name(&mut self, operator: &Operator, times: f64) {
        self.add(operator, times);
        let work = self.named(operator.name);
        work.flop[operator.work.precision() as usize] += operator.work.flop() * times;
        work.memory += operator.work.bytes() * times;
    }
}
