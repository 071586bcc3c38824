//! Decode with packets: the transfers of one layer are replayed packet by packet, and the step is put together again with their times.

use std::sync::Arc;

use crate::execution::Machine;
use crate::input::spec::{Spec, WorkloadSpec};
use crate::network::{Network, PacketOptions, PacketPrices, Replayed};
use crate::serving::{OperatingPoint, decode_at};
use crate::units::Seconds;

/// A decode step with packets beside the same step at flow level.
#[derive(Clone, Debug)]
pub struct PacketReplay {
    /// Time per output token with packets.
    pub tpot: Seconds,
    /// At flow level.
    pub flow_tpot: Seconds,
    /// The transfers of a layer, each once, in the order in which the step asks for them.
    pub transfers: Vec<Replayed>,
    /// What the packet level assumed.
    pub notes: Vec<String>,
}

/// Replays an operating point of decode. `None` where the workload has no decode or the point is none of it.
#[must_use]
pub fn packet_replay(
    spec: &Spec,
    network: &Network<'_>,
    workload: &WorkloadSpec,
    point: &OperatingPoint,
    options: PacketOptions,
) -> Option<PacketReplay> {
    let workload = &workload.deployed_on(spec);
    let phase = workload.workload.decode.as_ref()?;
    let flow_tpot = point.tpot?;
    let mut machine = Machine::new(network, &spec.library, &spec.chip, workload);
    let prices = Arc::new(PacketPrices::new(network, &spec.library, options));
    machine.communication = machine.communication.with_packets(Arc::clone(&prices));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a decode batch is a number of whole sequences")]
    let again = decode_at(&machine, phase, point.mapping, point.batch as u32, point.micro_batches);
    Some(PacketReplay { tpot: again.tpot?, flow_tpot, transfers: prices.replayed(), notes: prices.notes() })
}
