//! `supernode experts`: what dispatch and combine of a mixture of experts take, directly and by way of nodes.

use clap::builder::PossibleValuesParser;

use super::sizes::parse_sizes;
use super::{CommandResult, Output, bad_option, fidelity};
use crate::fabric;
use crate::input::problem::Problems;
use crate::input::spec::{load_library, load_supernode};
use crate::network::{ExpertTraffic, Network, PacketLevel};
use crate::report::{self, ExpertsReport, ExpertsRow};

/// Price MoE dispatch and combine over the first N ranks: tokens sent directly to their experts, or relayed once to each node
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name or path
    supernode: String,

    /// Sizes of one token: 7KiB, a list 4KiB,7KiB, or a doubling range
    #[arg(long, value_name = "SIZES")]
    size: String,

    /// Tokens that each rank sends
    #[arg(long, default_value_t = 128)]
    tokens: u32,

    /// Experts that each token goes to
    #[arg(long, default_value_t = 8)]
    experts_per_token: u32,

    /// Routed experts of the model, spread over the ranks, copies of one expert counted apart
    #[arg(long, value_name = "N", default_value_t = 256)]
    experts: u32,

    /// Tokens at the busiest rank over the mean
    #[arg(long, default_value_t = 1.0)]
    imbalance: f64,

    /// Ranks that hold experts; all if absent
    #[arg(long, value_name = "N")]
    ranks: Option<u32>,

    /// Kernel of the library: dispatch, combine, bulk-dispatch, bulk-combine or one of its own
    #[arg(long, default_values_t = ["dispatch".to_owned(), "combine".to_owned()])]
    kernel: Vec<String>,

    /// Communication library part; the supernode's own if absent
    #[arg(long)]
    library: Option<String>,

    /// One way only
    #[arg(long, value_parser = PossibleValuesParser::new(["direct", "relayed"]))]
    way: Option<String>,

    #[command(flatten)]
    fidelity: fidelity::FidelityArguments,
}

impl Arguments {
    /// Ranks that take part, of as many as there are, once all counts make sense.
    fn checked_ranks(&self, there_are: u32) -> Result<u32, Problems> {
        let ranks = self.ranks.unwrap_or(there_are);
        if ranks < 2 || ranks > there_are {
            return Err(bad_option("--ranks", format!("{ranks} asked for; expected 2 to {there_are}, the ranks of the machine")));
        }
        if self.imbalance.is_nan() || self.imbalance < 1.0 || self.imbalance > f64::from(ranks) {
            return Err(bad_option("--imbalance", format!("{} is not between 1 (even) and {ranks} (all to one rank)", self.imbalance)));
        }
        for (option, number) in [("--tokens", self.tokens), ("--experts-per-token", self.experts_per_token), ("--experts", self.experts)] {
            if number == 0 {
                return Err(bad_option(option, "must be more than zero"));
            }
        }
        if self.experts_per_token > self.experts {
            return Err(bad_option("--experts-per-token", format!("{} of {} experts (--experts)", self.experts_per_token, self.experts)));
        }
        Ok(ranks)
    }
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let sizes = parse_sizes(&arguments.size).map_err(|message| bad_option("--size", message))?;
    let spec = load_supernode(&arguments.supernode)?;
    let library = match &arguments.library {
        Some(name) => load_library(name)?,
        None => spec.library.clone(),
    };
    let fabric = fabric::build(&spec)?;
    let network = Network::new(&fabric);
    let there_are = fabric.chips * fabric.chip.ranks;
    let ranks = arguments.checked_ranks(there_are)?;
    let wants = |way: &str| arguments.way.as_ref().is_none_or(|wanted| wanted == way);
    let profile = network.all_to_all(ranks.div_ceil(fabric.chip.ranks));
    if let Some((from, to)) = profile.unreachable {
        return Err(bad_option("--ranks", format!("no path leads from chip {from} to chip {to}")));
    }
    let level = match arguments.fidelity.packets()? {
        Some(options) => {
            let chips: Vec<u32> = (0..ranks.div_ceil(fabric.chip.ranks)).collect();
            Some(PacketLevel::new(&network, &chips, &options).map_err(|error| bad_option("--fidelity packet", error))?)
        }
        None => None,
    };
    let mut rows = Vec::new();
    let mut is_relayed = false;
    for message in sizes {
        let traffic = ExpertTraffic {
            ranks,
            tokens: f64::from(arguments.tokens),
            copies: f64::from(arguments.experts_per_token),
            message,
            imbalance: arguments.imbalance,
            routed: f64::from(arguments.experts),
        };
        for name in &arguments.kernel {
            let kernel = library.token_kernel(name).ok_or_else(|| {
                let own = library.token_kernels.keys().map(|own| format!(", `{own}`")).collect::<String>();
                bad_option("--kernel", format!("`{name}` is none of `dispatch`, `combine`, `bulk-dispatch`, `bulk-combine`{own}"))
            })?;
            let row = |way, time, sent| ExpertsRow { message, kernel: name.clone(), way, time, packets: None, sent };
            if wants("direct") {
                let packets = level.as_ref().map(|level| traffic.with_packets(&network, &profile, kernel, level)).transpose();
                let packets = packets.map_err(|error| bad_option("--fidelity packet", error))?;
                rows.push(ExpertsRow { packets, ..row("direct", traffic.time(&network, &profile, kernel).0, traffic.sent_bytes(kernel)) });
            }
            if wants("relayed")
                && let Some(relayed) = traffic.relayed(&network, kernel)
            {
                is_relayed = true;
                rows.push(row("relayed", relayed.time, relayed.across));
            }
        }
    }
    if !is_relayed && arguments.way.as_deref() == Some("relayed") {
        let node = fabric.level_sizes[0] * fabric.chip.ranks;
        let such_as =
            if 2 * node <= there_are { format!("a multiple of {node}, at least {}", 2 * node) } else { "which this machine does not have".into() };
        return Err(bad_option("--way", format!("tokens are relayed between ranks that fill several nodes ({such_as}); use direct")));
    }
    let report = ExpertsReport {
        supernode: spec.id,
        library: library.name.clone(),
        ranks,
        tokens: arguments.tokens,
        experts: arguments.experts,
        notes: level.map_or_else(Vec::new, |level| level.notes().to_vec()),
        rows,
    };
    Ok(Output::report(&report, format))
}
