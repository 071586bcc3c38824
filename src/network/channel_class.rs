//! Which channels carry the same under symmetric traffic.

use crate::fabric::{ChannelId, Fabric};

/// Class of every channel; see [`Fabric::channel_class`].
pub(super) fn channel_classes(fabric: &Fabric) -> Vec<u32> {
    let channels = u32::try_from(fabric.graph.edge_count() * 2).unwrap_or(u32::MAX);
    (0..channels).map(|number| fabric.channel_class(ChannelId(number))).collect()
}
