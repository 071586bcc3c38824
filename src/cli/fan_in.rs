//! `supernode fan-in`: how well links are filled when many chips send to each.

use super::{CommandResult, Output, bad_option, fidelity};
use crate::fabric;
use crate::input::spec::load_supernode;
use crate::network::{Network, PacketLevel, fan_in};
use crate::report::{self, FanInReport};

/// Derive from packets how the efficiency of an all-to-all falls with the number of ranks, as figures for the switch's file
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path; chips on one type of switch
    supernode: String,

    #[command(flatten)]
    packets: fidelity::PacketArguments,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let options = arguments.packets.read()?;
    let spec = load_supernode(&arguments.supernode)?;
    let fabric = fabric::build(&spec)?;
    if fabric.chips < 2 || fabric.switches.is_empty() {
        return Err(bad_option("fan-in", "expected several chips on switches"));
    }
    let network = Network::new(&fabric);
    let failed = |error| bad_option("fan-in", error);
    let chips: Vec<u32> = (0..fabric.chips).collect();
    let notes = PacketLevel::new(&network, &chips, &options).map_err(failed)?.notes().to_vec();
    let switches = fabric.switches.iter().map(|part| part.switch.name.clone()).collect();
    let found = fan_in(&network, &options).map_err(failed)?;
    Ok(Output::report(&FanInReport { supernode: spec.id, switches, found, notes }, format))
}
