//! Whole algorithms with packets, round after round, compared with the same rounds at flow level.

use super::group::Group;
use super::network::Network;
use super::packet_level::{PacketLevel, PlayedPattern};
use super::packets::PacketError;
use super::plan::Round;
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

    /// A time at flow level plus the difference of its rounds with packets.
    #[must_use]
    pub fn corrected(&self, flow_level: Seconds) -> Seconds {
        flow_level + self.packets - self.flows
    }
}

/// Plays the rounds of an algorithm; equal rounds that follow each other are played once. Of rounds that run at the same time the longer
/// ones count, with packets as with flows.
///
/// # Errors
/// As [`PacketLevel::play`].
pub fn play_rounds(network: &Network<'_>, level: &PacketLevel, group: &Group, rounds: &[Round]) -> Result<PacketRounds, PacketError> {
    let mut sum = PacketRounds::default();
    let mut known: Option<(Round, PlayedPattern)> = None;
    for together in rounds.chunk_by(|_, next| next.beside) {
        let mut longest = PacketRounds::default();
        for round in together {
            let played = match known {
                Some((before, played)) if (before.pattern, before.bytes) == (round.pattern, round.bytes) => played,
                _ => {
                    let trees = network.switch_trees(group, round.pattern);
                    let played = if trees.is_empty() { level.play(group, round.pattern, round.bytes)? } else { level.reduce(&trees, round.bytes)? };
                    sum.hops += played.hops;
                    played
                }
            };
            known = Some((*round, played));
            longest.packets = longest.packets.max(played.time * round.times);
            longest.flows = longest.flows.max(round.time * round.times);
            sum.extrapolated_from = sum.extrapolated_from.max(played.extrapolated_from);
        }
        sum.packets += longest.packets;
        sum.flows += longest.flows;
    }
    Ok(sum)
}
