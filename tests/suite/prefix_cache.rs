//! Prefixes of earlier requests: where they wait, how many are still there, what reading them takes.

use crate::command::Project;
use supernode::execution::{Machine, Mapping};
use supernode::fabric;
use supernode::input::document::{CacheTier, PrefillPhase, PrefixCache};
use supernode::input::spec::{load_supernode, load_workload_with};
use supernode::network::{Network, Reach};
use supernode::serving::prefill_at;

/// A host offers 160 GB/s of the 196 GB/s that its 14 lanes carry. A pool of 192 serves 384 packages, so a package reads 80 GB/s; so it
/// does from the 4 hosts of its own node of 8. In all 192 x 768 GB. The farthest host is two tiers of switches away.
#[test]
fn hosts_are_read_over_the_fabric() {
    let spec = load_supernode("cloudmatrix384").unwrap_or_else(|problems| panic!("{problems}"));
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let [all, own] = [Reach::AllHosts, Reach::OwnHosts].map(|reach| network.far_memory(reach, 1.0).unwrap_or_else(|lack| panic!("{lack}")));
    for memory in [all, own] {
        assert!((memory.rate.get() / 80e9 - 1.0).abs() < 1e-9, "{:?}", memory.rate);
        assert!((memory.capacity.get() / (192.0 * 768e9) - 1.0).abs() < 1e-12);
    }
    assert!(all.latency > own.latency);
    // At half the efficiency the wire takes 98 GB/s of a host: less than the 160, so it sets the pace: 49 GB/s a package.
    let slow = network.far_memory(Reach::OwnHosts, 0.5).unwrap_or_else(|lack| panic!("{lack}"));
    assert!((slow.rate.get() / 49e9 - 1.0).abs() < 1e-9, "{:?}", slow.rate);
}

/// Prompts of 4 096 tokens of which 0.5 would be found, 61 x 576 x 2 = 70 272 bytes each. Twice as many sessions as the hosts' 147.456 TB
/// hold (143.917 MB a prefix) leave a half of that, 0.25: 3 072 fresh tokens. Of the prompts a half finds 2 048 tokens and reads 2 048 that
/// see 3 072 on average; the other half reads 4 096 that see 2 048: (2 048 x 3 072 + 4 096 x 2 048) / 6 144 = 2 389.33. 64 prompts
/// on 16 packages of 80 GB/s read 64 x 1 024 x 70 272 bytes.
#[test]
fn what_does_not_fit_is_read_again() {
    let spec = load_supernode("cloudmatrix384").unwrap_or_else(|problems| panic!("{problems}"));
    let mut workload = load_workload_with("deepseek-r1-cloudmatrix", None).unwrap_or_else(|problems| panic!("{problems}"));
    let phase = workload.workload.prefill.as_mut().expect("it reads prompts");
    let prefix = 2048.0 * 70_272.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "two million")]
    let sessions = (2.0 * 192.0 * 768e9 / prefix) as u32;
    phase.cache_hit = 0.5;
    phase.prefix_cache = Some(PrefixCache { tiers: vec![CacheTier::FabricPool], sessions: Some(sessions), share: None, bandwidth: None });
    let phase = phase.clone();
    let fabric = fabric::build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    let network = Network::new(&fabric);
    let machine = Machine::new(&network, &spec.library, &spec.chip, &workload);
    let memory = machine.communication.far_memory(Reach::AllHosts).unwrap_or_else(|lack| panic!("{lack}"));
    let mapping = Mapping { ep: 32, dp: 32, ..Mapping::ONE };
    let at = |phase: &PrefillPhase| prefill_at(&machine, phase, mapping, 2.0, 1).unwrap_or_else(|no| panic!("{no}"));
    let point = at(&phase);
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-5, "{a} is not {b}");
    let prefixes = point.prefixes.expect("it reads prompts");
    near(prefixes.hit, 0.25);
    let time = 64.0 * 1024.0 * 70_272.0 / (memory.rate.get() * 16.0);
    near(prefixes.time.get(), time);
    near(prefixes.exposed.get(), spec.library.launch.value.get() + memory.latency.get() + time / 61.0);
    // What is read again does not count: 64 prompts of 2 048 tokens a pass.
    near(point.rate.get(), 64.0 * 2048.0 / point.step.time.get());
    let found = |sessions| {
        let mut phase = phase.clone();
        phase.prefix_cache.as_mut().expect("it is there").sessions = sessions;
        at(&phase)
    };
    assert!(found(None).rate > point.rate && found(None).prefixes.expect("it reads prompts").hit == 0.5);
    // More sessions never gain.
    let rates: Vec<f64> = [1_000, 1_000_000, 2_000_000, 4_000_000, 64_000_000].map(|sessions| found(Some(sessions)).rate.get()).to_vec();
    assert!(rates.windows(2).all(|pair| pair[1] <= pair[0]), "{rates:?}");
}

/// Right input for another machine: a clear "no", with what this one has.
#[test]
fn tiers_that_a_machine_lacks() {
    let verdict = |supernode: &str, tier: &str| {
        let shipped = include_str!("../../workloads/coding-agent.toml").replace("\"host-dram\"", tier);
        let project = Project::new("no-tier").file("mine.toml", &shipped);
        let output = project.run(&["simulate", supernode, "--workload", "./mine.toml", "--model", "qwen3-32b"]).output();
        // Long facts go on in the next line, indented.
        let verdict = output.lines().skip_while(|line| !line.contains("verdict"));
        let lines: Vec<&str> =
            verdict.enumerate().take_while(|(at, line)| *at == 0 || line.starts_with("      ")).map(|(_, line)| line.trim()).collect();
        lines.join(" ")
    };
    assert_eq!(
        verdict("gb200-nvl72", "\"cxl-pool\""),
        "verdict  misses: nowhere to keep prefixes: no memory expanders are attached to the fabric; here `hbm` and `host-dram` work (prefill)"
    );
    assert_eq!(
        verdict("gb200-nvl72", "\"fabric-pool\""),
        "verdict  misses: nowhere to keep prefixes: not every chip reaches the memory of every host over the fabric; here `hbm` and `host-dram` work (prefill)"
    );
    assert_eq!(
        verdict("hgx-a100", "\"host-dram\""),
        "verdict  misses: nowhere to keep prefixes: no hosts with memory are attached to the fabric; here `hbm` works (prefill)"
    );
}
