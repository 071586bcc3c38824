//! Watts are conserved however they are split; an idle machine draws power; a saturated one stays within its rating.

use crate::command::Project;
use proptest::prelude::*;
use supernode::execution::{Activity, lowest_clock, pace, work_power};
use supernode::fabric::{self, Fabric};
use supernode::footprint::{Duty, Inventory, Power, PowerStretch, inventory, mixed, power};
use supernode::input::document::{Chip, Precision};
use supernode::input::spec::{Spec, load_supernode, load_target, load_training, load_workload};
use supernode::network::{Network, Profile};
use supernode::study::{COMPARED, simulate, simulate_training, training_watts, watts_over_a_step};
use supernode::units::{BytesPerSecond, Figure, Seconds, Watts};
use supernode::workload::{Device, GemmWork, Operator, Work, kernel};

struct Machine {
    spec: Spec,
    fabric: Fabric,
    inventory: Inventory,
    profile: Profile,
}

fn machine() -> Machine {
    let spec = load_supernode("cloudmatrix384").unwrap();
    let fabric = fabric::build(&spec).unwrap();
    let profile = Network::new(&fabric).all_to_all(fabric.chips);
    Machine { inventory: inventory(&fabric), spec, fabric, profile }
}

impl Machine {
    fn draws(&self, duty: &Duty) -> Power {
        power(&self.spec, &self.fabric, &self.inventory, duty, &self.profile)
    }
}

/// A chip at its limit, all of it in one operator and the ports, sending at line rate.
fn saturated(machine: &Machine) -> Duty {
    let chip = &machine.spec.chip.power;
    let sent = Network::new(&machine.fabric).injection();
    let ports = chip.io_energy.value * sent * 2.0;
    let operator = chip.tdp.value - chip.idle.value - ports;
    Duty { operators: vec![("everything", operator)], ports, sent, busy: 1.0 }
}

fn close(a: Watts, b: Watts) -> bool {
    (a - b).get().abs() <= 1e-9 * a.get().abs().max(1.0)
}

fn conserved(power: &Power) {
    let total = power.total();
    assert!(close(power.lines.iter().map(|line| line.waiting + line.working).sum(), total), "by part");
    assert!(close(power.by_place().iter().map(|(_, watts)| *watts).sum(), total), "by place");
    assert!(close(power.purposes.iter().map(|(_, watts)| *watts).sum(), total), "by operator");
}

#[test]
fn idle_is_not_zero_and_every_part_waits() {
    let machine = machine();
    let idle = machine.draws(&Duty::default());
    conserved(&idle);
    // Chips alone: 384 x 120 W.
    assert!(idle.total() > machine.spec.chip.power.idle.value * 384.0);
    assert!(idle.lines.iter().all(|line| line.working == Watts::ZERO));
}

#[test]
fn saturation_does_not_exceed_the_rating() {
    let machine = machine();
    let full = machine.draws(&saturated(&machine));
    conserved(&full);
    for line in &full.lines {
        assert!(line.power().get() <= line.rated.get() * (1.0 + 1e-12), "{}: {:?} of {:?}", line.part, line.power(), line.rated);
    }
    assert!(full.total() <= full.rated());
}

#[test]
fn watts_of_a_simulation_are_conserved_and_are_joules_per_token() {
    let machine = machine();
    let workload = load_workload("deepseek-r1-cloudmatrix").unwrap();
    let simulation = simulate(&machine.spec, &machine.fabric, &workload, &load_target("doubao-2026-04").unwrap());
    conserved(&simulation.power);
    let energy = simulation.energy_per_token.unwrap();
    assert!((energy.get() * simulation.verdict.service.rate.get() / simulation.power.total().get() - 1.0).abs() < 1e-12);
    assert!(simulation.power.total() < simulation.power.rated());
    // A step's joules are the watts of its operators over its time: nothing of the activity is lost on the way.
    let decode = simulation.decode.unwrap().unwrap();
    let step = &decode.point.step;
    let work = supernode::execution::work_energy(&machine.spec.chip.power, &step.activity, 2.0, step.pace.clock);
    let duty = Duty::of(step, &machine.fabric, 1.0);
    // What kernels draw whatever they do is no work of an operator: it stands last.
    let (running, operators) = duty.operators.split_last().unwrap();
    let watts = operators.iter().map(|(_, watts)| *watts).sum::<Watts>() + duty.ports;
    assert_eq!(*running, ("clocks and caches", step.running / step.time));
    assert!((watts.get() * step.time.get() / work.get() - 1.0).abs() < 1e-12);
}

/// Watts over a step, integrated and divided by its time, are the step's mean; both phases' means, each by its share of the chips, are the
/// simulation's watts: by part, by place and in all. In between watts rise and fall.
#[test]
fn watts_over_time_integrate_to_the_joules_of_a_step() {
    let target = load_target("doubao-2026-04").unwrap();
    for (name, workload) in [("cloudmatrix384", "deepseek-r1-cloudmatrix"), ("hgx-b200", "deepseek-r1-fp8")] {
        let spec = load_supernode(name).unwrap();
        let fabric = fabric::build(&spec).unwrap();
        let simulation = simulate(&spec, &fabric, &load_workload(workload).unwrap(), &target);
        let (decode, prefill) = (simulation.decode.unwrap().unwrap(), simulation.prefill.unwrap().unwrap());
        let share = simulation.verdict.service.prefill_share;
        let phases = [
            (prefill.point.step.time, watts_over_a_step(&spec, &fabric, &prefill.point), share),
            (decode.point.step.time, watts_over_a_step(&spec, &fabric, &decode.point), 1.0 - share),
        ];
        for (time, stretches, _) in &phases {
            assert_eq!(stretches[0].start, Seconds::ZERO);
            assert!(stretches.windows(2).all(|pair| pair[0].end == pair[1].start), "no gap");
            assert!((stretches.last().unwrap().end.get() / time.get() - 1.0).abs() < 1e-9, "the stages fill the step");
            stretches.iter().for_each(|stretch| conserved(&stretch.power));
            let totals = || stretches.iter().map(|stretch| stretch.power.total().get());
            assert!(totals().fold(0.0, f64::max) > 1.01 * totals().fold(f64::INFINITY, f64::min), "watts vary");
        }
        let mean = |watts: &dyn Fn(&Power) -> Watts| -> f64 {
            let of = |(time, stretches, share): &(Seconds, Vec<PowerStretch>, f64)| -> f64 {
                let joules: f64 = stretches.iter().map(|stretch| watts(&stretch.power).get() * (stretch.end - stretch.start).get()).sum();
                joules / time.get() * share
            };
            phases.iter().map(of).sum()
        };
        let agrees = |found: f64, expected: Watts, what: &str| {
            assert!((found - expected.get()).abs() <= 1e-9 * expected.get(), "{name}, {what}: {found} W, expected {expected:?}");
        };
        for (index, line) in simulation.power.lines.iter().enumerate() {
            agrees(mean(&|power| power.lines[index].power()), line.power(), &line.part);
        }
        for (index, (place, watts)) in simulation.power.by_place().into_iter().enumerate() {
            agrees(mean(&|power| power.by_place()[index].1), watts, &format!("{place:?}"));
        }
        agrees(mean(&Power::total), simulation.power.total(), "total");
    }
}

#[test]
fn a_lower_limit_slows_decode_down_and_holds_the_chips_to_it() {
    let mut machine = machine();
    machine.spec.chip.power.tdp.value = Watts::new(300.0);
    machine.fabric = fabric::build(&machine.spec).unwrap();
    let workload = load_workload("deepseek-r1-cloudmatrix").unwrap();
    let target = load_target("doubao-2026-04").unwrap();
    let simulation = simulate(&machine.spec, &machine.fabric, &workload, &target);
    assert!(simulation.power.slowdown > 1.0);
    let chips = &simulation.power.lines[0];
    assert!(chips.power().get() <= 384.0 * 300.0 * (1.0 + 1e-12));
    let decode = simulation.decode.unwrap().unwrap();
    assert!(decode.point.latency().get() <= 0.05, "the service level holds at the lower clock");
}

/// A product under every limit from just above idle to the chip's own: the clock stays in its range, the chip draws its limit wherever that
/// binds, and less to draw is never faster. Twice the energy of an operation at a fixed limit is never faster either.
#[test]
fn a_chip_keeps_to_its_limit_at_the_highest_clock_that_fits() {
    let spec = load_supernode("hgx-h100").unwrap();
    let mut hungry = spec.chip.clone();
    hungry.power.energy_per_flop.value = hungry.power.energy_per_flop.value * 2.0;
    let mut before: Option<Seconds> = None;
    for cap in (4..=35).rev().map(|step| f64::from(step) * 20.0) {
        let time = settled(&spec.chip, cap, |clock, rest, watts| {
            assert!((lowest_clock(&spec.chip.power)..=1.0).contains(&clock) && rest >= 1.0, "{cap} W: clock {clock}, rests {rest}");
            let binds = clock < 1.0 || rest > 1.0;
            assert!(if binds { (watts / cap - 1.0).abs() < 1e-9 } else { watts <= cap * (1.0 + 1e-12) }, "{cap} W: draws {watts} W");
        });
        assert!(before.is_none_or(|before| time >= before), "{cap} W: {time:?} is faster than with more");
        assert!(settled(&hungry, cap, |_, _, _| ()) >= time, "{cap} W: twice the energy of an operation is faster");
        before = Some(time);
    }
}

/// Time of a large product on `chip` under a limit of `cap` watts; `check` gets clock, rests and watts.
fn settled(chip: &Chip, cap: f64, check: impl FnOnce(f64, f64, f64)) -> Seconds {
    let mut chip = chip.clone();
    chip.power.cap = Some(Figure::plain(Watts::new(cap)));
    let device = Device::new(&chip);
    let work = Work::Gemm(GemmWork { batch: 1.0, rows: 8192.0, columns: 8192.0, depth: 8192.0, precision: Precision::Bf16 });
    let mut activity = Activity::default();
    activity.add_by_name(&Operator::new("product", work), 1.0);
    let time = |clock: f64| kernel::time(&device.at_clock(clock), &Operator::new("product", work));
    let draws = |clock: f64| work_power(&chip.power, &activity, 1.0, clock, [time(clock); 2]);
    let pace = pace(&chip.power, draws);
    check(pace.clock, pace.rest, (chip.power.idle.value + draws(pace.clock) / pace.rest).get());
    time(pace.clock) * pace.rest
}

/// Less to draw never serves more, and every step keeps to its cap.
#[test]
fn a_lower_cap_never_gives_more_tokens() {
    let (workload, target) = (load_workload("llama-3.1-70b-fp8").unwrap(), load_target("doubao-2026-04").unwrap());
    let mut before = f64::INFINITY;
    for cap in [700.0, 500.0, 350.0, 250.0] {
        let mut spec = load_supernode("hgx-h100").unwrap();
        spec.chip.power.cap = Some(Figure::plain(Watts::new(cap)));
        let fabric = fabric::build(&spec).unwrap();
        let simulation = simulate(&spec, &fabric, &workload, &target);
        let served = simulation.verdict.service.rate.get();
        assert!(served <= before * (1.0 + 1e-9), "{cap} W serves {served}, more watts {before}");
        let chips = simulation.power.lines[0].power().get() / 8.0;
        assert!(chips <= cap * (1.0 + 1e-9), "{cap} W: draws {chips}");
        before = served;
    }
}

/// The same in training.
#[test]
fn a_lower_cap_never_trains_more() {
    let workload = load_training("llama-3.1-70b-fp8", None).unwrap();
    let mut before = f64::INFINITY;
    for cap in [700.0, 500.0, 350.0, 250.0] {
        let mut spec = load_supernode("hgx-h100-ib-64").unwrap();
        spec.chip.power.cap = Some(Figure::plain(Watts::new(cap)));
        let fabric = fabric::build(&spec).unwrap();
        let simulation = simulate_training(&spec, &fabric, &workload, &"tp=4,pp=8,dp=2".parse().unwrap());
        let trained = simulation.rate(simulation.best().unwrap()).get();
        assert!(trained <= before * (1.0 + 1e-9), "{cap} W trains {trained}, more watts {before}");
        let chips = simulation.power.lines[0].power().get() / 64.0;
        assert!(chips <= cap * (1.0 + 1e-9), "{cap} W: draws {chips}");
        before = trained;
    }
}

/// The share of time that the limit takes is shown wherever tokens are, and it is not zero under a limit that holds the chips back.
#[test]
fn time_lost_to_the_limit_is_shown() {
    let output = |arguments: &[&str]| Project::new("power").run(arguments).output();
    let lost = |text: &str, label: &str| -> f64 {
        let line = text.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("no `{label}` in\n{text}"));
        let mut numbers = line[line.find(label).unwrap() + label.len()..].split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        numbers.find_map(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in `{line}`"))
    };
    let workload = ["--workload", "llama-3.1-70b-fp8", "--power-cap", "300W"];
    for (command, label) in [
        (&["simulate", "hgx-h100", "--draws", "0"][..], "lost to the chips' power limit"),
        (&["train", "hgx-h100-ib-64", "--mapping", "tp=4,pp=8,dp=2"], "lost to the chips' power limit"),
        (&["compare", "hgx-h100", "hgx-h200"], "time lost to the power limit, %"),
    ] {
        assert!(lost(&output(&[command, &workload].concat()), label) > 10.0, "{command:?}");
    }
    // What a study prints beside its designs.
    assert!(COMPARED.iter().any(|column| column.key == "power_limited"));
}

/// Watts of a training step, integrated from moment to moment, are the step's mean; the highest averages lie between mean and peak.
#[test]
fn watts_of_training_integrate_to_the_mean() {
    let spec = load_supernode("hgx-h100-ib-64").unwrap();
    let fabric = fabric::build(&spec).unwrap();
    let workload = load_training("llama-3.1-70b-bf16", None).unwrap();
    let simulation = simulate_training(&spec, &fabric, &workload, &"tp=4,pp=4".parse().unwrap());
    let drawn = training_watts(&spec, &fabric, simulation.best().unwrap());
    let swings = drawn.transients.unwrap();
    assert!((swings.mean / simulation.power.total() - 1.0).abs() < 1e-6, "{swings:?}, mean {:?}", simulation.power.total());
    let peak = drawn.watts.iter().copied().fold(Watts::ZERO, Watts::max);
    assert!(
        swings.highest_short >= swings.highest_long * 0.999_999
            && swings.highest_long >= swings.mean * 0.999_999
            && swings.highest_short <= peak * 1.000_001
    );
    assert!(peak > swings.mean, "bubbles make watts swing");
}

/// A limit that leaves nothing to work with is refused with both figures; below what the chip draws waiting no clock helps.
#[test]
fn impossible_limits_are_refused() {
    let refused = |arguments: &[&str]| Project::new("power").run(arguments).error();
    let message = refused(&["simulate", "hgx-h100", "--power-cap", "50 W"]);
    assert!(message.contains("--power-cap: H100 SXM: the cap of 50.0 W is no more than the 68.0 W that the chip draws waiting"), "{message}");
    let message = refused(&["train", "hgx-h100", "--power-cap", "0 W"]);
    assert!(message.contains("--power-cap: 0 W is no limit to work under"), "{message}");
    let message = refused(&["compare", "hgx-h100", "--pue", "0.5"]);
    assert!(message.contains("--pue: expected a ratio from 1 to 10, or `own`"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_duty_is_conserved(gemm in 0.0..500.0, attention in 0.0..300.0, ports in 0.0..40.0, sent in 0.0..392e9, share in 0.0..1.0) {
        let machine = machine();
        let duty = |operators: Vec<(&'static str, Watts)>| Duty { operators, ports: Watts::new(ports), sent: BytesPerSecond::new(sent), busy: share };
        let a = machine.draws(&duty(vec![("gemm", Watts::new(gemm))]));
        let b = machine.draws(&duty(vec![("attention", Watts::new(attention)), ("gemm", Watts::new(gemm))]));
        conserved(&a);
        conserved(&b);
        let both = mixed(&a, &b, share);
        conserved(&both);
        prop_assert!(close(both.total(), a.total() * share + b.total() * (1.0 - share)));
        prop_assert!(a.total() >= machine.draws(&Duty::default()).total());
    }
}
