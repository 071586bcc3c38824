//! Whole algorithms with packets: round after round, beside what the flow level says of the same rounds.

use super::group::Group;
use super::packet_level::PacketLevel;
use super::packets::PacketError;
use super::pricing::Round;
use crate::units::Seconds;

/// The rounds of an algorithm on the bare fabric, with packets and with flows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PacketRounds {
    /// Rounds with packets, one after the other.
    pub packets: Seconds,
    /// The same rounds at max-min fair rates.
    pub flows: Seconds,
    /// Packets over channels that were simulated.
    pub hops: u64,
    /// Packets of each message that were simulated, where the rest was extrapolated.
    pub extrapolated_from: Option<u64>,
}

impl PacketRounds {
    /// Time with packets over time with flows; 1 where nothing moves.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.flows > Seconds::ZERO { self.packets / self.flows } else { 1.0 }
    }

    /// A time of the flow level with what packets add to the rounds in it.
    #[must_use]
    pub fn corrected(&self, flow_level: Seconds) -> Seconds {
        flow_level + self.packets - self.flows
    }
}

/// Plays the rounds of an algorithm; equal rounds that follow each other are played once.
///
/// # Errors
/// As [`PacketLevel::play`].
pub fn play_rounds(level: &PacketLevel, group: &Group, rounds: &[Round]) -> Result<PacketRounds, PacketError> {
    let mut sum = PacketRounds::default();
    for same in rounds.chunk_by(|a, b| (a.pattern, a.bytes) == (b.pattern, b.bytes)) {
        let played = level.play(group, same[0].pattern, same[0].bytes)?;
        let times: f64 = same.iter().map(|round| round.times).sum();
        sum.packets += played.time * times;
        sum.flows += same.iter().map(|round| round.time * round.times).sum();
        sum.hops += played.hops;
        sum.extrapolated_from = sum.extrapolated_from.max(played.extrapolated_from);
    }
    Ok(sum)
}
