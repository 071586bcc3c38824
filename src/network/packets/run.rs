//! The loop over events, and what is checked before and after it.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::flow::PacketFlow;
use super::model::{
    Allocator, ClassRule, Control, Message, NEVER, PacketError, PacketMachine, PacketNode, PicosecondTime, Queueing, Recovery, Setting,
};
use super::result::{Arrival, PacketOutcome, QueueUse, Sample};
use super::routes::RouteTable;
use super::source::{Aim, OfferedLoad, PacketSource};
use super::state::{Due, PacketState, room};
use super::transmit::damage_chance;
use super::tree::Reduction;

/// Channels of one sender that flows can tell apart.
const PORTS_MAX: usize = 128;

/// Packets damaged on a channel, of all: beyond that hardly any gets through, and runs do not end.
const DAMAGED_MOST: f64 = 0.999;

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum PacketTraffic {
    /// Messages, to their ends.
    Messages(Vec<Message>),
    /// Packets at a given rate.
    Load(OfferedLoad),
    /// What switches add up and copy; arrivals are by member, tree after tree.
    Reductions(Vec<Reduction>),
}

/// What is watched beside times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Picoseconds between two looks at the queues; 0 for none.
    pub every: PicosecondTime,
    /// Group of each channel; bytes that wait are added up by group.
    pub groups: Vec<u32>,
}

/// Sends packets until all have arrived.
///
/// # Errors
/// Figures out of range, ends that no path joins, packets that wait for each other in a circle, messages that lose packets for good.
pub fn simulate(
    machine: &PacketMachine,
    routes: &RouteTable,
    setting: &Setting,
    traffic: PacketTraffic,
    watch: &Watch,
) -> Result<PacketOutcome, PacketError> {
    check(machine, setting)?;
    let mut state = PacketState::new(machine, routes, *setting);
    (state.groups, state.sample_every) = (watch.groups.clone(), watch.every);
    check_stages(machine, setting, &traffic)?;
    match traffic {
        PacketTraffic::Messages(messages) => add_messages(&mut state, &messages)?,
        PacketTraffic::Load(load) => add_load(&mut state, load)?,
        PacketTraffic::Reductions(reductions) => state.add_reductions(&reductions)?,
    }
    if watch.every > 0 {
        state.plan(0, Due::Sample);
    }
    run(&mut state)?;
    finish(state)
}

fn check(machine: &PacketMachine, setting: &Setting) -> Result<(), PacketError> {
    let refuse = |message: &str| Err(PacketError::Setting(message.to_owned()));
    if setting.payload_bytes == 0 || setting.virtual_channels == 0 || setting.classes == 0 || setting.packets_per_acknowledgement == 0 {
        return refuse("payload, virtual channels, classes and packets per acknowledgement must be at least 1");
    }
    if setting.virtual_channels < setting.classes {
        return refuse("each class of virtual channels needs at least one virtual channel");
    }
    let own = machine.channels.iter().filter_map(|channel| channel.errors);
    if own.chain([setting.errors()]).any(|errors| !(0.0..1.0).contains(&errors.bit_error_rate)) {
        return refuse("the bit error rate must be at least 0 and below 1");
    }
    if (setting.window_packets > 0 || setting.sender_window_packets > 0) && setting.acknowledgement_bytes == 0 {
        return refuse("a window needs acknowledgements");
    }
    if setting.sender_window_packets > 0 && matches!(setting.recovery, Recovery::GoBackN { .. }) {
        return refuse("a window of all flows of a sender does not go with go-back-N; use a window for each flow");
    }
    let packet = u64::from(setting.packet_bytes(setting.payload_bytes));
    for (number, channel) in machine.channels.iter().enumerate() {
        if !(channel.byte_time > 0.0 && channel.byte_time * (packet as f64) < 1e9) {
            return Err(PacketError::Setting(format!("channel {number}: a packet must take more than nothing and less than a millisecond")));
        }
        let rate = channel.errors.unwrap_or(setting.errors()).bit_error_rate;
        if damage_chance(packet as u32, rate) > DAMAGED_MOST {
            return Err(PacketError::Setting(format!(
                "channel {number}: with one bit in {:.3} damaged hardly any packet of {packet} bytes gets through",
                1.0 / rate
            )));
        }
        if room(channel.control) < packet {
            return Err(PacketError::Setting(format!("channel {number}: its buffer holds less than one packet of {packet} bytes")));
        }
    }
    Ok(())
}

/// Routers of stages and flits go with plain data that is sent at a given rate.
fn check_stages(machine: &PacketMachine, setting: &Setting, traffic: &PacketTraffic) -> Result<(), PacketError> {
    let refuse = |message: &str| Err(PacketError::Setting(message.to_owned()));
    let is_staged = |node: &&PacketNode| node.allocator != Allocator::Ideal;
    let staged = machine.nodes.iter().filter(is_staged);
    if setting.flit_bytes == 0 && setting.class_rule != ClassRule::Crossing && staged.clone().next().is_none() {
        return Ok(());
    }
    if !matches!(traffic, PacketTraffic::Load(_)) {
        return refuse("routers of stages, flits and classes by crossings are simulated with packets that come at a given rate");
    }
    if staged.clone().any(|node| node.is_end || node.queueing != Queueing::InputFifo || node.allocator == Allocator::Staged { cycle: 0 }) {
        return refuse("a router of stages queues at its inputs, is no end, and takes some time for a cycle");
    }
    if setting.flit_bytes > 0 && machine.nodes.iter().any(|node| node.forwards && node.allocator == Allocator::Ideal) {
        return refuse("flits need routers of stages");
    }
    let keeps_all = |control: Control| matches!(control, Control::Unlimited | Control::Credits { .. });
    let is_safe = setting.errors().bit_error_rate == 0.0 && machine.channels.iter().all(|channel| channel.errors.is_none());
    if !is_safe || machine.channels.iter().any(|channel| !keeps_all(channel.control)) {
        return refuse("routers of stages need links without bit errors, and credits or buffers without end");
    }
    Ok(())
}

/// Finds out whether a pair is joined.
fn check_pair(state: &PacketState<'_>, from: u32, to: u32) -> Result<(), PacketError> {
    let is_end = |node: u32| (node as usize) < state.machine.nodes.len() && state.routes.is_end(node);
    if !is_end(from) || !is_end(to) || (from != to && state.routes.members(state.routes.set(from, to)).is_empty()) {
        return Err(PacketError::Unreachable { from, to });
    }
    Ok(())
}

fn add_messages(state: &mut PacketState<'_>, messages: &[Message]) -> Result<(), PacketError> {
    for message in messages {
        check_pair(state, message.source, message.destination)?;
        if message.start >= state.calendar.horizon() {
            let most = state.calendar.horizon() as f64 / 1e12;
            return Err(PacketError::Setting(format!("a message starts later than time is counted on this machine, {most:.0} s")));
        }
        if message.bytes.div_ceil(u64::from(state.setting.payload_bytes)) >= u64::from(u32::MAX) {
            return Err(PacketError::Setting(format!("a message of {} bytes has too many packets", message.bytes)));
        }
    }
    for node in 0..state.machine.nodes.len() {
        let ports = state.machine.channels.iter().filter(|channel| channel.from as usize == node).count();
        if state.machine.nodes[node].is_end && ports > PORTS_MAX {
            return Err(PacketError::Setting(format!("node {node} sends by {ports} channels; {PORTS_MAX} is the most")));
        }
    }
    state.flows = messages.iter().map(|message| PacketFlow::new(message, &state.setting)).collect();
    state.arrivals = messages.iter().map(|message| Arrival { start: message.start, end: NEVER, acknowledged: 0 }).collect();
    for (message, number) in messages.iter().zip(0_u32..) {
        for &before in &message.after {
            let before = state
                .flows
                .get_mut(before as usize)
                .ok_or_else(|| PacketError::Setting(format!("message {number} waits for one that is not there")))?;
            before.next_messages.push(number);
        }
        if message.after.is_empty() {
            state.plan(message.start + state.machine.nodes[message.source as usize].latency, Due::Start(number));
        }
    }
    Ok(())
}

fn add_load(state: &mut PacketState<'_>, load: OfferedLoad) -> Result<(), PacketError> {
    if !(load.interval >= 1.0 && load.interval.is_finite()) {
        return Err(PacketError::Setting("packets of one sender must come at least a picosecond apart".to_owned()));
    }
    for (sender, aim) in &load.senders {
        match aim {
            Aim::At(node) => check_pair(state, *sender, *node)?,
            Aim::Among(nodes) => nodes.iter().try_for_each(|&node| check_pair(state, *sender, node))?,
            Aim::Weighted(nodes) => nodes.iter().try_for_each(|&(node, _)| check_pair(state, *sender, node))?,
        }
    }
    let mut source = PacketSource::new(load);
    for place in 0..source.load.senders.len() as u32 {
        let first = if source.load.spacing == super::source::Spacing::Even { 0 } else { source.next_time(place, &mut state.random) };
        state.plan(first, Due::Generate(place));
    }
    state.source = Some(source);
    Ok(())
}

fn run(state: &mut PacketState<'_>) -> Result<(), PacketError> {
    let agenda = state.ports.len() as u32;
    loop {
        let next = state.calendar.earliest();
        if !state.pending.is_empty() && next.is_none_or(|(time, _)| time > state.now) {
            state.flush();
            continue;
        }
        let Some((time, leaf)) = next else { return Ok(()) };
        state.now = time;
        state.counts.events += 1;
        if state.counts.events > state.setting.events_max || time + 1 >= state.calendar.horizon() {
            return Err(PacketError::TooLong { events: state.counts.events, seconds: time as f64 / 1e12 });
        }
        if leaf == agenda {
            rare(state);
            continue;
        }
        state.last = time;
        let own = &mut state.ports[leaf as usize];
        if own.wake <= time {
            own.wake = NEVER;
            let next = own.next_event();
            state.calendar.set(leaf, next);
            state.mark(leaf);
        } else {
            state.arrive(leaf);
        }
    }
}

fn rare(state: &mut PacketState<'_>) {
    let Some(Reverse((_, due))) = state.agenda.pop() else { return };
    state.refresh_agenda();
    match due {
        Due::Start(flow) => state.start(flow),
        Due::Timeout(flow) => state.expire(flow),
        Due::Generate(place) => state.generate(place),
        Due::Sample => return sample(state),
    }
    state.last = state.now;
}

fn sample(state: &mut PacketState<'_>) {
    let groups = state.groups.iter().map(|&group| group as usize + 1).max().unwrap_or(0);
    let mut bytes = vec![0; groups];
    for (port, &group) in state.ports.iter().zip(&state.groups) {
        bytes[group as usize] += port.backlog(state.now);
    }
    state.samples.push(Sample { time: state.now, bytes });
    // Only while something else is still to come.
    if state.calendar.earliest().is_some() || !state.pending.is_empty() {
        state.plan(state.now + state.sample_every, Due::Sample);
    }
}

fn finish(mut state: PacketState<'_>) -> Result<PacketOutcome, PacketError> {
    let waiting = state.waiting();
    if waiting > 0 {
        return Err(PacketError::Deadlock { cycle: state.cycle(), waiting });
    }
    let late = state.arrivals.iter().filter(|arrival| arrival.end == NEVER).count() as u64;
    if late > 0 {
        return Err(PacketError::Lost { messages: late, packets: state.counts.dropped + state.counts.damaged });
    }
    let end = state.last;
    let held_bytes = held(&mut state);
    let slots = slots(&state);
    let queues = state.ports.iter_mut().map(|port| {
        port.queue_shrinks(0, end);
        QueueUse { peak_bytes: port.queued_peak, mean_bytes: port.queued_area / end.max(1) as f64 }
    });
    let queues = queues.collect();
    let (latency, accepted_bytes) = state.source.map(|source| (source.latency, source.accepted_bytes)).unwrap_or_default();
    Ok(PacketOutcome {
        arrivals: state.arrivals,
        counts: state.counts,
        latency,
        accepted_bytes,
        queues,
        held_bytes,
        slots,
        samples: state.samples,
        end,
    })
}

/// Places that ring buffers have for packets, flows in turn and credits.
fn slots(state: &PacketState<'_>) -> u64 {
    let of_ports = state.ports.iter().map(|port| {
        let packets = port.in_flight.capacity() + port.first_class.capacity() + port.generated.capacity();
        packets + port.ready.capacity() + port.flows.capacity() + port.credits.capacity() + port.pauses.capacity()
    });
    of_ports.chain(state.queues.iter().map(VecDeque::capacity)).map(|places| places as u64).sum()
}

/// Bytes of room that are still taken when all credits are back.
fn held(state: &mut PacketState<'_>) -> u64 {
    let lanes = usize::from(state.setting.virtual_channels);
    let mut held = 0;
    for (number, port) in state.ports.iter().enumerate() {
        let under_way: u64 = port.credits.iter().map(|credit| u64::from(credit.2)).sum();
        let left: u64 = state.space[number * lanes..(number + 1) * lanes].iter().sum();
        held += (room(port.control) * lanes as u64).abs_diff(left + under_way);
    }
    held
}
