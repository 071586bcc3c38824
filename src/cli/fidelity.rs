//! `--fidelity packet` and what belongs to it: the same flags on every command that has them.

use clap::builder::PossibleValuesParser;

use super::bad_option;
use super::sizes::parse_sizes;
use crate::input::document::SwitchQueueing;
use crate::input::problem::Problems;
use crate::network::{BitErrors, PacketOptions, SendOrder};
use crate::units::Bytes;

/// Level of detail at which traffic is simulated.
#[derive(Debug, clap::Args)]
pub struct FidelityArguments {
    /// flow: fair rates on a fabric without queues; packet: every packet, with queues, credits and collisions
    #[arg(long, default_value = "flow", value_parser = PossibleValuesParser::new(["flow", "packet"]))]
    fidelity: String,

    #[command(flatten)]
    options: PacketArguments,
}

/// Options of a packet simulation.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Packets")]
pub struct PacketArguments {
    /// Payload of a packet; the protocol's largest if absent
    #[arg(long, value_name = "SIZE")]
    packet: Option<String>,

    /// Buffer of each switch port and virtual channel; the switch part's share if absent
    #[arg(long, value_name = "SIZE")]
    port_buffer: Option<String>,

    /// Virtual channels of each link; as many as keep packets from waiting for each other in a circle if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    virtual_channels: Option<u8>,

    /// Where packets wait in switches; as the switch part says if absent
    #[arg(long, value_parser = PossibleValuesParser::new(["output", "input-fifo", "virtual-output"]))]
    queueing: Option<String>,

    /// Chance that a bit arrives damaged on every link, or `stated` for what each link's protocol states
    #[arg(long, value_name = "RATE", default_value = "0")]
    bit_error_rate: String,

    /// Chance that a bit arrives damaged on one link, the first of chip 0; 0 where it is like all others
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    faulty_link: f64,

    /// Partners of a chip: the next position first and round each level, an order of its own drawn by --seed, or rank 0 first for all
    #[arg(long, default_value = "rotated", value_parser = PossibleValuesParser::new(["rotated", "shuffled", "same"]))]
    order: String,

    /// A packet for each partner in turn, or one partner after the other
    #[arg(long, default_value = "interleaved", value_parser = PossibleValuesParser::new(["interleaved", "one-by-one"]))]
    turn: String,

    /// Send long messages to their ends; if absent, two runs of shorter ones give their steady state and with it the rest
    #[arg(long)]
    to_the_end: bool,

    /// Seed of all random draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl FidelityArguments {
    /// What packets are told; `None` at flow level.
    pub fn packets(&self) -> Result<Option<PacketOptions>, Problems> {
        if self.fidelity == "packet" { self.options.read().map(Some) } else { Ok(None) }
    }
}

impl PacketArguments {
    pub fn read(&self) -> Result<PacketOptions, Problems> {
        let bit_errors = match self.bit_error_rate.parse() {
            Ok(0.0) => BitErrors::None,
            Ok(rate) if (0.0..1.0).contains(&rate) => BitErrors::Rate(rate),
            _ if self.bit_error_rate == "stated" => BitErrors::Stated,
            _ => return Err(bad_option("--bit-error-rate", format!("{} is not at least 0 and below 1, nor `stated`", self.bit_error_rate))),
        };
        if !(0.0..1.0).contains(&self.faulty_link) {
            return Err(bad_option("--faulty-link", format!("{} is not at least 0 and below 1", self.faulty_link)));
        }
        Ok(PacketOptions {
            packet: one_size("--packet", self.packet.as_deref(), 1 << 20)?,
            port_buffer: one_size("--port-buffer", self.port_buffer.as_deref(), 1 << 30)?,
            virtual_channels: self.virtual_channels,
            queueing: self.queueing.as_deref().map(|name| match name {
                "input-fifo" => SwitchQueueing::InputFifo,
                "virtual-output" => SwitchQueueing::VirtualOutput,
                _ => SwitchQueueing::Output,
            }),
            bit_errors,
            faulty_link: self.faulty_link,
            rotation: match self.order.as_str() {
                "same" => SendOrder::Same,
                "shuffled" => SendOrder::Shuffled,
                _ => SendOrder::Rotated,
            },
            to_the_end: self.to_the_end,
            one_by_one: self.turn == "one-by-one",
            seed: self.seed,
        })
    }
}

fn one_size(option: &str, text: Option<&str>, most: u32) -> Result<Option<Bytes>, Problems> {
    let Some(text) = text else { return Ok(None) };
    let sizes = parse_sizes(text).map_err(|message| bad_option(option, message))?;
    match sizes[..] {
        [size] if size.get() >= 1.0 && size.get() <= f64::from(most) => Ok(Some(size)),
        _ => Err(bad_option(option, format!("`{text}` is not one size from 1 B to {most} B"))),
    }
}
