//! Transfers that come and go on shared channels: the max-min fair rates of those under way, put right whenever one starts or ends.
//!
//! For callers whose later transfers depend on when earlier ones end, so that no list can be given in advance (`flows.rs`).

use super::fair_share::max_min::{TIE, max_min};
use super::fair_share::sharing::{Sharing, SharingInput};
use super::network::Network;

/// A transfer under way.
#[derive(Clone, Debug)]
struct SharedTransfer {
    id: u32,
    row: Vec<(u32, f64)>,
    left: f64,
    rate: f64,
}

/// The channels of a machine and the transfers on them.
#[derive(Clone, Debug)]
pub struct SharedChannels {
    capacities: Vec<f64>,
    transfers: Vec<SharedTransfer>,
    now_s: f64,
    /// Whether a transfer came or went since rates were last put right.
    is_stale: bool,
    /// Place of a channel among those in use, if its stamp is the present one.
    place_of: Vec<(u32, u32)>,
    stamp: u32,
}

impl SharedChannels {
    /// Nothing moves.
    #[must_use]
    pub fn new(network: &Network<'_>) -> Self {
        let capacities = network.capacities();
        let place_of = vec![(0, 0); capacities.len()];
        Self { capacities, transfers: Vec::new(), now_s: 0.0, is_stale: false, place_of, stamp: 0 }
    }

    /// Starts a transfer now: `bytes` more than zero, over at least one channel, none twice.
    pub fn start(&mut self, id: u32, row: Vec<(u32, f64)>, bytes: f64) {
        self.transfers.push(SharedTransfer { id, row, left: bytes, rate: 0.0 });
        self.is_stale = true;
    }

    /// When the next transfer ends, if none starts before; infinite if nothing moves.
    pub fn next_end_s(&mut self) -> f64 {
        if self.is_stale {
            self.put_right();
        }
        self.transfers.iter().map(|transfer| self.now_s + transfer.left / transfer.rate).fold(f64::INFINITY, f64::min)
    }

    /// Lets time pass up to `now_s`, at most the next end; the transfers that end there, in the order of their starts.
    pub fn advance(&mut self, now_s: f64) -> Vec<u32> {
        if self.is_stale {
            self.put_right();
        }
        let passed_s = now_s - self.now_s;
        let mut ended = Vec::new();
        self.transfers.retain_mut(|transfer| {
            let until_end_s = transfer.left / transfer.rate;
            transfer.left -= transfer.rate * passed_s;
            // Ends that differ by rounding are one.
            let ends = until_end_s - passed_s <= 4.0 * TIE * now_s;
            if ends {
                ended.push(transfer.id);
            }
            !ends
        });
        self.is_stale |= !ended.is_empty();
        self.now_s = now_s;
        ended
    }

    fn put_right(&mut self) {
        self.stamp += 1;
        let mut input = SharingInput::new(Vec::new());
        for transfer in &self.transfers {
            for &(channel, share) in &transfer.row {
                let place = &mut self.place_of[channel as usize];
                if place.0 != self.stamp {
                    *place = (self.stamp, input.capacity.len() as u32);
                    input.capacity.push(self.capacities[channel as usize]);
                }
                input.channel.push(place.1);
                input.share.push(share);
            }
            input.row_start.push(input.channel.len());
        }
        let rates = max_min(&Sharing::from_checked(input));
        for (transfer, rate) in self.transfers.iter_mut().zip(rates.rate) {
            transfer.rate = rate;
        }
        self.is_stale = false;
    }
}
