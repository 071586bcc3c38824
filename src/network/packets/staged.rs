//! Routers of stages: what a packet waits for before its flits cross the switch.
//!
//! Routing, allocation of a virtual channel, allocation of the switch and the crossing take one cycle each (Dally and Towles, Principles and
//! Practices of Interconnection Networks, 2004, chapter 16). The first flit of a packet gets a virtual channel of the next input, which the
//! packet keeps until its last flit has left. Flits of several packets share a channel in turn. Both allocations are one iteration of iSLIP:
//! a request that loses asks again in the next cycle.

use super::islip::Islip;
use super::model::{Allocator, PacketMachine, PicosecondTime};
use super::packet::NONE;

/// What the first packet of a virtual channel of an input waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouterStage {
    /// There is none.
    Idle,
    /// A virtual channel of its output, from then on.
    Channel { from: PicosecondTime },
    /// The switch, from then on; it has this virtual channel: place of the output times virtual channels, plus its number.
    Switch { from: PicosecondTime, slot: u32 },
}

/// A node whose allocator is staged.
#[derive(Clone, Debug, Default)]
pub(super) struct StagedRouter {
    pub cycle: PicosecondTime,
    /// Earliest next cycle.
    pub next: PicosecondTime,
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
    /// By place of the input times virtual channels, plus the number of one.
    pub stages: Vec<RouterStage>,
    /// Output of the last packet that began to come in, by the same place.
    pub ways: Vec<u32>,
    /// Virtual channels of outputs that a packet holds, by slot.
    pub taken: Vec<bool>,
    pub channels: Islip,
    pub switch: Islip,
    /// Virtual channel that goes first, by input.
    pub turns: Vec<u32>,
    /// What is asked of the switch in this cycle: input, output, turn of the virtual channel, place.
    pub asks: Vec<(usize, usize, u32, usize)>,
}

impl StagedRouter {
    /// Routers of a machine, and the number of the router that each node is; [`NONE`] for other nodes.
    pub(super) fn all(machine: &PacketMachine, lanes: usize) -> (Vec<Self>, Vec<u32>) {
        let mut routers = Vec::new();
        let numbers = (0_u32..).zip(&machine.nodes).map(|(number, node)| {
            let Allocator::Staged { cycle } = node.allocator else { return NONE };
            let ends = |is_own: &dyn Fn(&super::model::PacketChannel) -> bool| -> Vec<u32> {
                (0_u32..).zip(&machine.channels).filter(|(_, channel)| is_own(channel)).map(|(channel, _)| channel).collect()
            };
            let (inputs, outputs) = (ends(&|channel| channel.to == number), ends(&|channel| channel.from == number));
            routers.push(Self {
                cycle,
                next: 0,
                stages: vec![RouterStage::Idle; inputs.len() * lanes],
                ways: vec![NONE; inputs.len() * lanes],
                taken: vec![false; outputs.len() * lanes],
                channels: Islip::new(inputs.len() * lanes, outputs.len() * lanes),
                switch: Islip::new(inputs.len(), outputs.len()),
                turns: vec![0; inputs.len()],
                asks: Vec::new(),
                inputs,
                outputs,
            });
            routers.len() as u32 - 1
        });
        let numbers = numbers.collect();
        (routers, numbers)
    }

    /// Place of a virtual channel of an input.
    pub(super) fn place(&self, input: u32, lane: u8) -> usize {
        let lanes = self.stages.len() / self.inputs.len().max(1);
        self.inputs.iter().position(|&own| own == input).unwrap_or(0) * lanes + usize::from(lane)
    }
}
