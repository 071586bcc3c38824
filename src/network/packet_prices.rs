//! Corrections of a step's transfers from packets: each transfer is replayed once, and the difference is added to its time at flow level.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::collective::Collective;
use super::cost::Engines;
use super::group::Group;
use super::moe::ExpertTraffic;
use super::network::Network;
use super::op::Op;
use super::packet_level::PacketLevel;
use super::packet_options::PacketOptions;
use super::packet_rounds::{PacketRounds, play_rounds};
use super::pricing::Pricing;
use super::profile::Profile;
use crate::input::document::{Library, TokenKernel};
use crate::units::{Bytes, Seconds, render};

/// A transfer that was replayed with packets, or why it was not.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Op, size and ranks.
    pub what: String,
    /// Time at flow level, with the library's constants.
    pub flow: Seconds,
    /// Time of its rounds on path and wire, with packets and with flows.
    pub rounds: Result<PacketRounds, String>,
}

impl Replayed {
    /// Time at flow level plus the correction from packets.
    #[must_use]
    pub fn time(&self) -> Seconds {
        self.rounds.as_ref().map_or(self.flow, |rounds| rounds.corrected(self.flow))
    }
}

/// Transfers among the first ranks of a machine, replayed with packets as they are asked for.
#[derive(Debug)]
pub struct PacketPrices<'a> {
    network: &'a Network<'a>,
    library: &'a Library,
    options: PacketOptions,
    /// By chips that take part.
    levels: Mutex<BTreeMap<u32, Arc<PacketLevel>>>,
    replayed: Mutex<Vec<Replayed>>,
}

impl<'a> PacketPrices<'a> {
    /// Nothing is replayed yet.
    #[must_use]
    pub fn new(network: &'a Network<'a>, library: &'a Library, options: PacketOptions) -> Self {
        Self { network, library, options, levels: Mutex::default(), replayed: Mutex::default() }
    }

    /// Transfers requested so far, in order.
    #[must_use]
    pub fn replayed(&self) -> Vec<Replayed> {
        self.replayed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Assumptions of the packet level.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes: Vec<String> = levels.values().flat_map(|level| level.notes().iter().cloned()).collect();
        notes.sort();
        notes.dedup();
        notes
    }

    /// An op among the first ranks that takes `flow` at flow level, inside a captured graph.
    #[must_use]
    pub fn collective(&self, op: Op, ranks: u32, bytes: Bytes, flow: Seconds) -> Seconds {
        let what = format!("{} of {} among {ranks} ranks", op.name(), render(bytes));
        self.time(what, flow, || self.rounds(&Collective { op, ranks, bytes }))
    }

    /// Dispatch or combine, over the all-to-all `profile` of the chips.
    #[must_use]
    pub fn exchange(&self, name: &str, traffic: &ExpertTraffic, profile: &Profile, kernel: &TokenKernel, flow: Seconds) -> Seconds {
        let what = format!("{name} of {:.1} tokens a rank among {} ranks", traffic.tokens, traffic.ranks);
        self.time(what, flow, || {
            let level = self.level(traffic.chips(self.network.fabric().chip.ranks))?;
            traffic.with_packets(self.network, profile, kernel, &level).map_err(|error| error.to_string())
        })
    }

    /// A transfer that stays at flow level.
    #[must_use]
    pub fn left_out(&self, what: &str, flow: Seconds, why: &str) -> Seconds {
        self.time(what.to_owned(), flow, || Err(why.to_owned()))
    }

    fn time(&self, what: String, flow: Seconds, replay: impl FnOnce() -> Result<PacketRounds, String>) -> Seconds {
        let is_same = |known: &&Replayed| known.what == what && known.flow == flow;
        if let Some(known) = self.replayed.lock().unwrap_or_else(PoisonError::into_inner).iter().find(is_same) {
            return known.time();
        }
        let replayed = Replayed { what, flow, rounds: replay() };
        let time = replayed.time();
        self.replayed.lock().unwrap_or_else(PoisonError::into_inner).push(replayed);
        time
    }

    fn rounds(&self, collective: &Collective) -> Result<PacketRounds, String> {
        let per_chip = self.network.fabric().chip.ranks;
        let mut pricing = Pricing::new(self.network, self.library).with_ranks_per_chip(per_chip.min(collective.ranks)).in_graph(Engines::All);
        let algorithm = pricing.price(collective, None).map_err(|error| error.to_string())?.algorithm;
        let (group, rounds) = pricing.rounds(collective, algorithm).map_err(|error| error.to_string())?;
        let level = self.level(group.ranks())?;
        play_rounds(self.network, &level, &group, &rounds).map_err(|error| error.to_string())
    }

    fn level(&self, chips: u32) -> Result<Arc<PacketLevel>, String> {
        if let Some(known) = self.levels.lock().unwrap_or_else(PoisonError::into_inner).get(&chips) {
            return Ok(Arc::clone(known));
        }
        let level = PacketLevel::new(self.network, Group::first(chips).chips(), &self.options).map_err(|error| error.to_string())?;
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(levels.entry(chips).or_insert_with(|| Arc::new(level))))
    }
}
