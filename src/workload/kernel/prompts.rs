//! Attention of prompts over keys and values of heads.
//!
//! ```text
//! waves = ceil( sequences x units / cores )
//! t_c   = waves x (context + 64) x padded rows x flop per row / (peak of a core x e_c)
//! t_m   = sequences x context x sequence bytes / (memory bandwidth x e_m)
//! t_p   = sequences x prepared bytes / min(preparation, memory bandwidth x e_m)
//! t_q   = sequences x query bytes / (memory bandwidth x e_m)
//! t     = launch + (t_c^3 + t_m^3)^(1/3) + t_p + t_q
//! ```
//!
//! The causal mask leaves half a tile of 128 columns idle on average: context + 64. Prepared bytes are those of the kernel ahead, inside the same call of the
//! engine, that rotates and casts queries and keys and stores keys and values: from 2 to 3 TB/s on H100, H200, B200 and GB200 alike (aiconfigurator,
//! `context_attention_perf`), whatever their memory moves. In 8 bit the products reach 0.34 to 0.38 of the peak, since exponentials do not get faster.
//!
//! `launch`, `e_c` and `preparation` are those of `[chip.kernels.prompts]`; a chip without takes launch and `e_c` of `gqa` and prepares at the memory's
//! rate. `e_m` is that of `gqa`.

use super::attention_work::AttentionWork;
use super::gather::sparse_launch;
use super::norm::{Norm, whole};
use crate::input::document::Kernels;
use crate::units::Seconds;
use crate::workload::device::Device;

/// Columns that the causal mask leaves idle on average: half of a tile.
const MASKED: f64 = 64.0;
/// Rows are padded to a multiple of the multipliers' own.
const LEAST_ROWS: f64 = 16.0;

/// Time of attention that prepares bytes, launch included; zero for no sequences.
pub(super) fn prompt_time(device: &Device, work: &AttentionWork) -> Seconds {
    let AttentionWork { sequences, context, units, rows, flop_per_row, sequence_bytes, query_bytes, prepared_bytes, sparse, precision, .. } = *work;
    let Some(decode) = Kernels::nearest(&device.kernels.gqa, precision) else { return Seconds::ZERO };
    if sequences <= 0.0 {
        return Seconds::ZERO;
    }
    let own = Kernels::nearest(&device.kernels.prompts, precision);
    let share = device.kernels.sparse_attention.as_ref().filter(|_| sparse).map_or(1.0, |figure| figure.value.get());
    let (launch, efficiency) = own.map_or((&decode.launch, &decode.compute_efficiency), |own| (&own.launch, &own.compute_efficiency));
    let memory = device.memory_bandwidth.get() * decode.memory_efficiency.value.get() * share;
    let core_peak = device.peak(precision).get() / device.cores * efficiency.value.get() * share;
    let waves = whole(sequences * units / device.cores);
    let compute = waves * 64.0 * whole((context + MASKED) / 64.0) * rows.max(LEAST_ROWS) * flop_per_row / core_peak;
    let streaming = sequences * context * sequence_bytes.get() / memory;
    // A tensor is written by one kernel and read by the next.
    let moved = |bytes: f64| bytes * device.seconds_per_byte(bytes / 2.0, memory);
    let prepared = sequences * prepared_bytes.get();
    let preparing = own.map_or(0.0, |own| prepared / own.preparation.value.get());
    let beside = preparing.max(moved(prepared)) + moved(sequences * query_bytes.get());
    launch.value + sparse_launch(device, sparse) + Seconds::new(Norm::Three.of([compute, streaming]) + beside)
}
