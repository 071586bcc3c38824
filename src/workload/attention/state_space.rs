//! State-space layers and short convolutions. Decode reads and writes each sequence's state once. In prefill Mamba-2 works on chunks of
//! tokens with matrix products (the state-space dual form, arXiv 2405.21060, section 6); Mamba-1 scans, which moves its inputs once and
//! uses no matrix units.

use super::linear::{STATE_BYTES, TAPS};
use super::{Operator, Rank, Work};
use crate::input::document::{Convolution, Mamba, Mamba2};
use crate::units::Bytes;
use crate::workload::kernel::StreamWork;

/// Tokens of a chunk in prefill: what the public kernels use.
const CHUNK: f64 = 256.0;

/// Channels of the short convolution: the inner channels, and input and output vector of each group.
pub(in crate::workload) fn mixed_channels(mamba: &Mamba2, ranks: f64) -> f64 {
    let inner = f64::from(mamba.heads) * f64::from(mamba.head_dim) / ranks;
    inner + 2.0 * (f64::from(mamba.groups) / ranks).max(1.0) * f64::from(mamba.state)
}

/// Bytes of state and convolution of one sequence in one Mamba-2 layer on one of `ranks` ranks.
pub(in crate::workload) fn mamba2_state(mamba: &Mamba2, ranks: f64) -> f64 {
    let state = f64::from(mamba.heads) / ranks * f64::from(mamba.head_dim) * f64::from(mamba.state);
    state * STATE_BYTES + (TAPS - 1.0) * mixed_channels(mamba, ranks) * 2.0
}

/// Bytes of state and convolution of one sequence in one Mamba-1 layer on one of `ranks` ranks.
pub(in crate::workload) fn mamba_state(mamba: &Mamba, ranks: f64) -> f64 {
    f64::from(mamba.channels) / ranks * (f64::from(mamba.state) * STATE_BYTES + (TAPS - 1.0) * 2.0)
}

/// Bytes that the convolution of one sequence keeps on one of `ranks` ranks.
pub(in crate::workload) fn convolution_state(convolution: &Convolution, ranks: f64) -> f64 {
    f64::from(convolution.channels) / ranks * f64::from(convolution.taps.saturating_sub(1)) * 2.0
}

pub(super) fn mamba2_block(rank: &Rank<'_>, mamba: &Mamba2, operators: &mut Vec<Operator>) {
    let heads = rank.share(mamba.heads);
    let [channels, state] = [mamba.head_dim, mamba.state].map(f64::from);
    let mixed = mixed_channels(mamba, rank.tensor_parallel);
    // Inner channels, their gate, the groups' vectors, one step size a head.
    operators.push(rank.project("project channels, gate, state", mixed + heads * (channels + 1.0), rank.hidden));
    operators.push(Operator::new("short convolution", Work::Stream(StreamWork { bytes: Bytes::new(4.0 * mixed * rank.tokens) })));
    for batch in rank.batches {
        if batch.prefill {
            // Per chunk of C tokens and head, multiply-adds: scores C C state and their use C C channels, state in and out 2 C state
            // channels: as one product of C rows, `state` deep.
            let columns = CHUNK * (1.0 + channels / state) + 2.0 * channels;
            let chunks = (batch.new_tokens / CHUNK).ceil() * batch.sequences;
            operators.push(Rank::product("state-space scan", chunks * heads, CHUNK, columns, state));
        } else {
            let bytes = 2.0 * heads * channels * state * STATE_BYTES * batch.tokens();
            operators.push(Operator::new("state-space scan", Work::Stream(StreamWork { bytes: Bytes::new(bytes) })));
        }
    }
    operators.push(rank.project("project output", rank.hidden, heads * channels));
}

pub(super) fn mamba_block(rank: &Rank<'_>, mamba: &Mamba, operators: &mut Vec<Operator>) {
    let channels = rank.share(mamba.channels);
    let [state, step] = [mamba.state, mamba.step_rank].map(f64::from);
    operators.push(rank.project("project channels, gate", 2.0 * channels, rank.hidden));
    operators.push(Operator::new("short convolution", Work::Stream(StreamWork { bytes: Bytes::new(4.0 * channels * rank.tokens) })));
    operators.push(rank.project("project state, step", step + 2.0 * state, channels));
    operators.push(rank.project("expand step", channels, step));
    for batch in rank.batches {
        // Decode: the state in and out. Prefill: channels, gate, step in and the result out, 16 bit each; the state stays on the core.
        let bytes = if batch.prefill { channels * 4.0 * 2.0 } else { 2.0 * channels * state * STATE_BYTES };
        operators.push(Operator::new("state-space scan", Work::Stream(StreamWork { bytes: Bytes::new(bytes * batch.tokens()) })));
    }
    operators.push(rank.project("project output", rank.hidden, channels));
}

pub(super) fn convolution_block(rank: &Rank<'_>, convolution: &Convolution, operators: &mut Vec<Operator>) {
    let channels = rank.share(convolution.channels);
    operators.push(rank.project("project channels, gates", 3.0 * channels, rank.hidden));
    // Channels and both gates in, the result out.
    operators.push(Operator::new("short convolution", Work::Stream(StreamWork { bytes: Bytes::new(8.0 * channels * rank.tokens) })));
    operators.push(rank.project("project output", rank.hidden, channels));
}
