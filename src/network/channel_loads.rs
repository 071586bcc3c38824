//! Bytes on the channels of a fabric.

use crate::units::Seconds;

/// Bytes on every channel, and the longest path.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelLoads {
    /// By channel number.
    pub bytes: Vec<f64>,
    /// Bytes that leave their sources.
    pub sent: f64,
    /// Latency of the slowest path.
    pub latency: Seconds,
    /// Links on that path.
    pub hops: u32,
    /// Chips of a pair that no path joins, where there is one.
    pub unreachable: Option<(u32, u32)>,
}

impl ChannelLoads {
    /// Nothing moves.
    #[must_use]
    pub fn silent(channels: usize) -> Self {
        Self { bytes: vec![0.0; channels], sent: 0.0, latency: Seconds::ZERO, hops: 0, unreachable: None }
    }

    /// Adds `weight` times the loads of another pattern.
    pub fn add(&mut self, other: &Self, weight: f64) {
        // Most channels of a large machine carry nothing: memory that is not written to is not taken.
        for (bytes, more) in self.bytes.iter_mut().zip(&other.bytes).filter(|(_, more)| **more != 0.0) {
            *bytes += more * weight;
        }
        self.sent += other.sent * weight;
        self.lengthen(other.latency, other.hops);
        self.unreachable = self.unreachable.or(other.unreachable);
    }

    /// Multiplies the loads, as if the pattern were played several times.
    pub fn scale(&mut self, times: f64) {
        for bytes in self.bytes.iter_mut().filter(|bytes| **bytes != 0.0) {
            *bytes *= times;
        }
        self.sent *= times;
    }

    /// Sets every channel to the mean of its orbit. The number of an orbit is the number of one of its channels.
    pub(super) fn average_over(&mut self, orbit_of: &[u32]) {
        let mut totals = vec![(0.0, 0u32); self.bytes.len()];
        for (&orbit, &bytes) in orbit_of.iter().zip(&self.bytes) {
            let total = &mut totals[orbit as usize];
            *total = (total.0 + bytes, total.1 + 1);
        }
        for (&orbit, bytes) in orbit_of.iter().zip(&mut self.bytes) {
            let (sum, channels) = totals[orbit as usize];
            *bytes = sum / f64::from(channels);
        }
    }

    pub(super) fn lengthen(&mut self, latency: Seconds, hops: u32) {
        if latency > self.latency {
            (self.latency, self.hops) = (latency, hops);
        }
    }
}
