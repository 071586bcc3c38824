//! Whole algorithms with packets, round after round, compared with the same rounds at flow level.

use rayon::prelude::*;

use super::group::Group;
use super::network::Network;
use super::packet_level::{PacketLevel, PlayedPattern};
use super::packets::PacketError;
use super::pattern::TrafficPattern;
use super::plan::Round;
use crate::units::{Bytes, Seconds};

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

/// Plays the rounds of an algorithm, in parallel, equal rounds once. Of rounds that run at the same time the longer ones count, with
/// packets as with flows.
///
/// # Errors
/// As [`PacketLevel::play`].
pub fn play_rounds(network: &Network<'_>, level: &PacketLevel, group: &Group, rounds: &[Round]) -> Result<PacketRounds, PacketError> {
    let mut distinct: Vec<(TrafficPattern, Bytes)> = Vec::new();
    for round in rounds {
        if !distinct.contains(&(round.pattern, round.bytes)) {
            distinct.push((round.pattern, round.bytes));
        }
    }
    let play = |&(pattern, bytes): &(TrafficPattern, Bytes)| {
        let trees = network.switch_trees(group, pattern);
        if trees.is_empty() { level.play(group, pattern, bytes) } else { level.reduce(&trees, bytes) }
    };
    let played: Vec<Result<PlayedPattern, PacketError>> = distinct.par_iter().map(play).collect();
    let played: Vec<PlayedPattern> = played.into_iter().collect::<Result<_, _>>()?;
    let of_round =
        |round: &Round| distinct.iter().position(|known| *known == (round.pattern, round.bytes)).map_or(Seconds::ZERO, |place| played[place].time);
    let mut sum = PacketRounds {
        hops: played.iter().map(|played| played.hops).sum(),
        extrapolated_from: played.iter().filter_map(|played| played.extrapolated_from).max(),
        ..PacketRounds::default()
    };
    for together in rounds.chunk_by(|_, next| next.beside) {
        let mut longest = PacketRounds::default();
        for round in together {
            longest.packets = longest.packets.max(of_round(round) * round.times);
            longest.flows = longest.flows.max(round.time * round.times);
        }
        sum.packets += longest.packets;
        sum.flows += longest.flows;
    }
    Ok(sum)
}
