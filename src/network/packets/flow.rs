//! One message as its sender and its receiver see it: windows, acknowledgements, retransmission.

use std::collections::VecDeque;

use super::model::{Message, PicosecondTime, Recovery, Setting};
use super::packet::{NONE, UP};

/// A message under way.
#[derive(Clone, Debug)]
pub(super) struct PacketFlow {
    pub source: u32,
    pub destination: u32,
    /// Packets in all.
    packets: u32,
    /// Payload of the last one.
    last_payload: u32,
    /// First packet that was never sent, or (go-back-N) that is to be sent again.
    next: u32,
    /// Packets to send again.
    again: VecDeque<u32>,
    /// Packets that the sender knows to have arrived.
    acknowledged: u32,
    /// Packets that the receiver has; in order under go-back-N.
    received: u32,
    /// Of them, not yet acknowledged.
    unreported: u32,
    /// Whether the receiver has asked for the gap it sees.
    gap_reported: bool,
    /// When the sender last heard something new.
    pub progress: PicosecondTime,
    /// Ports, by their place at the node, whose ring holds the flow.
    pub ports: u128,
    /// Messages that wait for this one.
    pub next_messages: Vec<u32>,
    /// Messages that this one still waits for.
    pub waits_for: u32,
    /// Tree of switches that it is a part of; [`NONE`] for a message of its own.
    pub tree: u32,
}

/// What the receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Nothing,
    /// Acknowledges so many packets; under go-back-N all below the number.
    Acknowledge(u32),
    /// Asks for a packet.
    Ask(u32),
}

impl PacketFlow {
    pub(super) fn new(message: &Message, setting: &Setting) -> Self {
        let payload = u64::from(setting.payload_bytes);
        let packets = message.bytes.div_ceil(payload).max(1);
        let last = message.bytes - (packets - 1) * payload;
        let (packets, last) = (u32::try_from(packets).unwrap_or(u32::MAX), u32::try_from(last).unwrap_or(u32::MAX));
        let waits_for = u32::try_from(message.after.len()).unwrap_or(u32::MAX);
        Self { waits_for, ..Self::unsent([message.source, message.destination], packets, last) }
    }

    /// What a member of a tree of switches sends.
    pub(super) fn of_tree(source: u32, packets: u32, last_payload: u32, tree: u32) -> Self {
        Self { tree, ..Self::unsent([source, UP], packets, last_payload) }
    }

    /// A message of which nothing is sent yet, and which waits for no other.
    fn unsent([source, destination]: [u32; 2], packets: u32, last_payload: u32) -> Self {
        Self {
            source,
            destination,
            packets,
            last_payload,
            next: 0,
            again: VecDeque::new(),
            acknowledged: 0,
            received: 0,
            unreported: 0,
            gap_reported: false,
            progress: 0,
            ports: 0,
            next_messages: Vec::new(),
            waits_for: 0,
            tree: NONE,
        }
    }

    /// Whether a packet may be sent now.
    pub(super) fn can_send(&self, setting: &Setting) -> bool {
        let in_window = setting.window_packets == 0 || self.next - self.acknowledged < setting.window_packets;
        !self.again.is_empty() || (self.next < self.packets && in_window)
    }

    /// Whether the packet that is sent next was sent before.
    pub(super) fn sends_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Number of the packet that is sent next, without sending it.
    pub(super) fn upcoming(&self) -> u32 {
        self.again.front().copied().unwrap_or(self.next)
    }

    /// Sends that packet. Whether it goes for the first time.
    pub(super) fn advance(&mut self) -> bool {
        let is_new = self.again.pop_front().is_none();
        self.next += u32::from(is_new);
        is_new
    }

    /// Payload of a packet.
    pub(super) fn payload(&self, sequence: u32, setting: &Setting) -> u32 {
        if sequence + 1 == self.packets { self.last_payload } else { setting.payload_bytes }
    }

    /// A data packet reaches the receiver. Whether it is taken, and what is answered.
    pub(super) fn receive(&mut self, sequence: u32, setting: &Setting) -> (bool, Reply) {
        let in_order = matches!(setting.recovery, Recovery::GoBackN { .. });
        if in_order && sequence > self.received {
            let answer = if self.gap_reported { Reply::Nothing } else { Reply::Ask(self.received) };
            self.gap_reported = true;
            return (false, answer);
        }
        if in_order && sequence < self.received {
            return (false, Reply::Acknowledge(self.received));
        }
        self.received += 1;
        self.unreported += 1;
        self.gap_reported = false;
        if self.unreported < setting.packets_per_acknowledgement && !self.is_complete() {
            return (true, Reply::Nothing);
        }
        let covered = std::mem::take(&mut self.unreported);
        (true, Reply::Acknowledge(if in_order { self.received } else { covered }))
    }

    /// An acknowledgement reaches the sender.
    pub(super) fn acknowledge(&mut self, number: u32, setting: &Setting, now: PicosecondTime) {
        let before = self.acknowledged;
        match setting.recovery {
            Recovery::GoBackN { .. } => self.acknowledged = self.acknowledged.max(number),
            Recovery::None | Recovery::Selective => self.acknowledged += number,
        }
        // What is sent again may have arrived already.
        self.next = self.next.max(self.acknowledged);
        if self.acknowledged > before {
            self.progress = now;
        }
    }

    /// A request for a packet reaches the sender.
    pub(super) fn send_again(&mut self, sequence: u32, setting: &Setting, now: PicosecondTime) {
        match setting.recovery {
            Recovery::GoBackN { .. } => {
                self.acknowledged = self.acknowledged.max(sequence);
                self.next = self.acknowledged;
                self.progress = now;
            }
            Recovery::None | Recovery::Selective => self.again.push_back(sequence),
        }
    }

    /// Nothing was heard for too long.
    pub(super) fn go_back(&mut self, now: PicosecondTime) {
        self.next = self.acknowledged;
        self.progress = now;
    }

    /// Whether the receiver has all.
    pub(super) fn is_complete(&self) -> bool {
        self.received == self.packets
    }

    /// Whether the sender knows so.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.acknowledged == self.packets
    }
}
