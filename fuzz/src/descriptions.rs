//! TOML files of every kind, read from memory as a machine, a workload or a study would read them.

use std::sync::Mutex;

use supernode::fabric::{Fabric, build};
use supernode::footprint::{Duty, FailedPart, cost, failures, inventory, power};
use supernode::input::catalog::{FoundText, Mention};
use supernode::input::document::{
    ChipFile, ClipFile, CpuFile, DemandFile, EngineFile, FileKind, Kind, LibraryFile, LinkFile, MemoryFile, ModelFile, NicFile, PricesFile,
    ProtocolFile, ReliabilityFile, StudyFile, SupernodeFile, SwitchFile, TargetFile, TrainingFile, WorkloadFile,
};
use supernode::input::extends::read_layers;
use supernode::input::file_cache::{FileCache, FileReader, Log};
use supernode::input::problem::Problems;
use supernode::input::spec::{
    Spec, TargetSpec, load_prices_from, load_supernode, load_supernode_from, load_target, load_target_from, load_workload_from, supernode_of,
    supernode_text, target_of, training_of, workload_of,
};
use supernode::input::study::study_of;
use supernode::network::{Network, Profile};
use supernode::study::{Demands, MappingChoice, Space, simulate_clip, simulate_training, simulate_with};
use supernode::training::TrainingRequest;
use supernode::units::TokensPerSecond;

use super::kinds::Run;
use super::oracle;

/// The name of the text under test.
const NAME: &str = "fuzzed";
/// A machine of eight chips, fast to ask.
const MACHINE: &str = "hgx-h100";

/// Chips up to which a design of a study is tried.
const SMALL: u32 = 16;

/// Chips behind NICs alone, and memory beside them.
const BESIDE: &str = r#"schema = 1
supernode = { name = "beside", vendor = "me", chip = "h100", library = "generic" }
supply = { conversion_efficiency = 0.95, cooling_share = 0.03, pue = 1.16 }
[[level]]
name = "all"
size = 8
link = "roce-400g-optical"
nic = { part = "connectx-7", link = "pcie5-x16" }
[level.switch]
part = "tomahawk-5"
planes = 1
"#;

const WORKLOAD: &str = r#"schema = 1
[workload]
name = "fuzzed"
origin = { confidence = "assumed" }
model = "fuzzed"
[workload.precision]
weights = "bf16"
attention = "bf16"
kv_cache = "bf16"
dispatch = "bf16"
combine = "bf16"
[workload.decode]
context = 2048
tpot_limit = "50 ms"
[workload.prefill]
prompt = 1024
ttft_limit = "4 s"
"#;

/// A file in memory, and what it is held against.
struct Desk {
    cache: FileCache,
    spec: Spec,
    fabric: Fabric,
    target: TargetSpec,
}

impl Desk {
    fn new() -> Self {
        let spec = load_supernode(MACHINE).unwrap_or_else(|problems| panic!("{problems}"));
        let fabric = build(&spec).unwrap_or_else(|problems| panic!("{problems}"));
        let target = load_target("doubao-2026-04").unwrap_or_else(|problems| panic!("{problems}"));
        Self { cache: FileCache::default(), spec, fabric, target }
    }

    fn reader(&self) -> FileReader<'_> {
        FileReader::of(&self.cache)
    }

    /// The text under test as a file of kind `K`, held under its name.
    fn part<K: FileKind>(&self, text: &str) -> Result<K::Content, Problems> {
        self.cache.hold::<K>(NAME, text);
        let read = read_layers::<K>(FoundText::in_memory(NAME, text), &self.reader());
        read.map(|(content, _, _)| content)
    }

    /// The machine that names the text under test where `machine` names `part`.
    fn machine(&self, machine: &str, part: &str, deep: bool) -> bool {
        let text = machine.replacen(part, &part.replace(part.split('"').nth(1).unwrap_or_default(), NAME), 1);
        self.cache.hold::<SupernodeFile>("machine", &text);
        let spec = load_supernode_from(&self.reader(), "machine", &Mention::on_command_line());
        spec.is_ok_and(|spec| self.asked(&spec, deep))
    }

    /// Builds a machine and asks it.
    fn asked(&self, spec: &Spec, deep: bool) -> bool {
        // Building takes as long as a machine is large; its size is what the reader bounds.
        if spec.chips() > 4096 {
            return true;
        }
        let Ok(fabric) = build(spec) else { return false };
        if deep && fabric.chips <= oracle::MOST_CHIPS {
            oracle::network(spec, &fabric);
            let workload = load_workload_from(&self.reader(), "llama-3.1-70b-fp8", &Mention::on_command_line(), None);
            let workload = workload.unwrap_or_else(|problems| panic!("{problems}"));
            oracle::simulation(&simulate_with(spec, &fabric, &workload, &self.target, &MappingChoice::default()));
        }
        true
    }

    fn workload(&self, text: &str, deep: bool) -> bool {
        self.cache.hold::<WorkloadFile>("workload", text);
        let found = FoundText::in_memory("workload", text);
        let Ok(workload) = workload_of(&self.reader(), found, "workload", None) else { return false };
        if deep {
            oracle::simulation(&simulate_with(&self.spec, &self.fabric, &workload, &self.target, &MappingChoice::default()));
        }
        true
    }

    fn target(&self, text: &str) -> bool {
        self.cache.hold::<TargetFile>("target", text);
        let Ok(target) = target_of(&self.reader(), FoundText::in_memory("target", text), "target") else { return false };
        let rate = Some(TokensPerSecond::new(1e5));
        let service = supernode::study::service(&target.target, rate, rate, rate);
        oracle::amount("served", service.rate.get());
        oracle::share("shares of chips", service.prefill_share + service.video_share);
        let verdict = supernode::study::verdict(&target.target, service);
        oracle::amount("served over demanded", verdict.ratio());
        true
    }

    fn training(&self, text: &str, deep: bool) -> bool {
        self.cache.hold::<TrainingFile>(NAME, text);
        let Ok(workload) = training_of(&self.reader(), FoundText::in_memory(NAME, text), NAME, None) else { return false };
        if deep {
            let found = simulate_training(&self.spec, &self.fabric, &workload, &TrainingRequest::default());
            found.best().into_iter().for_each(oracle::training);
        }
        true
    }

    /// A study, its designs previewed, the first one of them tried.
    fn study(&self, text: &str, deep: bool) -> bool {
        self.cache.hold::<StudyFile>(NAME, text);
        let Ok(study) = study_of(&self.reader(), FoundText::in_memory(NAME, text), NAME) else { return false };
        let Ok(space) = Space::new(study) else { return false };
        if Demands::of(&space).is_err() || !deep {
            return true;
        }
        let point = space.point(0);
        let log = Mutex::new(Log::default());
        if let Ok((spec, ..)) = space.read(&point, &[], Some(&log))
            && spec.chips() <= SMALL
        {
            let outcome = space.evaluate(&point);
            outcome.figures.iter().flatten().for_each(|figure| assert!(figure.is_finite(), "a figure of a study is {figure}"));
        }
        true
    }

    fn prices(&self, text: &str) -> bool {
        self.cache.hold::<PricesFile>(NAME, text);
        let Ok(prices) = load_prices_from(&self.reader(), &[NAME.to_owned()]) else { return false };
        let inventory = inventory(&self.fabric);
        let power = power(&self.spec, &self.fabric, &inventory, &Duty::default(), &Profile::silent(&self.fabric));
        if let Some(spread) = cost(&self.spec, &self.fabric, &inventory, &power, &prices).parts() {
            oracle::amount("cost of all parts", spread.value);
        }
        true
    }

    fn reliability(&self, text: &str) -> bool {
        let Ok(rates) = self.part::<ReliabilityFile>(text) else { return false };
        for part in [FailedPart::Node(0), FailedPart::Node(8), FailedPart::Link(0)] {
            let failures = failures(&rates, &self.fabric, part);
            oracle::amount("failures a year", failures.per_year);
            oracle::share("share of the time without a part", failures.out);
        }
        true
    }

    fn clip(&self, text: &str, deep: bool) -> bool {
        self.cache.hold::<ClipFile>(NAME, text);
        let target = shipped_text("workloads/targets/china-2026-03-video.toml").replace("wan2.2-a14b-720p", NAME);
        self.cache.hold::<TargetFile>("target", &target);
        let Ok(target) = load_target_from(&self.reader(), "target", &Mention::on_command_line()) else { return false };
        let Some(clip) = target.clip.filter(|_| deep) else { return true };
        let simulation = simulate_clip(&self.spec, &Network::new(&self.fabric), &inventory(&self.fabric), &clip);
        oracle::amount("operations of a pass", simulation.flop_per_pass.get());
        simulation.rate().iter().for_each(|rate| oracle::positive("clips", rate.get()));
        oracle::power(&simulation.power);
        true
    }
}

/// A shipped file, from the folder of the project.
fn shipped_text(path: &str) -> String {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = if package.ends_with("fuzz") { package.join("..") } else { package.to_owned() };
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What becomes of a text of a kind.
pub fn run(kind: Kind) -> Run {
    let desk = Desk::new();
    let h100 = supernode_text(MACHINE).unwrap_or_else(|problems| panic!("{problems}"));
    let pool = supernode_text("ref-cxl-pool-64").unwrap_or_else(|problems| panic!("{problems}"));
    let link = shipped_text("topologies/parts/links/nvlink4-board.toml");
    let part_in = |machine: &str, key: &str| {
        let line = machine.lines().find(|line| line.contains(key)).unwrap_or_else(|| panic!("no {key}"));
        let start = line.find(key).unwrap_or_default();
        line[start..].split('"').take(2).map(|part| format!("{part}\"")).collect::<String>()
    };
    let memory = part_in(&pool, "memory = \"");
    Box::new(move |input, deep| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        match kind {
            Kind::Supernode => {
                desk.cache.hold::<SupernodeFile>(NAME, text);
                supernode_of(&desk.reader(), FoundText::in_memory(NAME, text), NAME).is_ok_and(|spec| desk.asked(&spec, deep))
            }
            Kind::Chip => desk.part::<ChipFile>(text).is_ok() && desk.machine(&h100, "chip = \"h100\"", deep),
            Kind::Switch => desk.part::<SwitchFile>(text).is_ok() && desk.machine(&h100, "part = \"nvswitch3\"", deep),
            Kind::Link => desk.part::<LinkFile>(text).is_ok() && desk.machine(&h100, "link = \"nvlink4-board\"", deep),
            Kind::Protocol => {
                if desk.part::<ProtocolFile>(text).is_err() {
                    return false;
                }
                let line = link.lines().find(|line| line.starts_with("protocol")).unwrap_or_default();
                desk.cache.hold::<LinkFile>(NAME, &link.replace(line, &format!("protocol = \"{NAME}\"")));
                desk.machine(&h100, "link = \"nvlink4-board\"", deep)
            }
            Kind::Cpu => desk.part::<CpuFile>(text).is_ok() && desk.machine(&h100, "cpu = \"x86-server\"", deep),
            Kind::Nic => desk.part::<NicFile>(text).is_ok() && desk.machine(BESIDE, "part = \"connectx-7\"", deep),
            Kind::Memory => desk.part::<MemoryFile>(text).is_ok() && desk.machine(&pool, &memory, deep),
            Kind::Library => desk.part::<LibraryFile>(text).is_ok() && desk.machine(&h100, "library = \"nccl-nvlink4\"", deep),
            Kind::Engine => {
                let machine = h100.replacen("library =", "engine = \"vllm\"\nlibrary =", 1);
                desk.part::<EngineFile>(text).is_ok() && desk.machine(&machine, "engine = \"vllm\"", deep)
            }
            Kind::Model => desk.part::<ModelFile>(text).is_ok_and(|model| {
                let experts = if model.experts().is_some() { "[workload.experts]\nimbalance = 1.2\n" } else { "" };
                desk.workload(&format!("{WORKLOAD}{experts}"), deep)
            }),
            Kind::Workload => desk.workload(text, deep),
            Kind::Clip => desk.clip(text, deep),
            Kind::Training => desk.training(text, deep),
            Kind::Target => desk.target(text),
            Kind::Demand => {
                let target = shipped_text("workloads/targets/doubao-2026-04.toml").replace("series = \"doubao\"", &format!("series = \"{NAME}\""));
                desk.part::<DemandFile>(text).is_ok() && desk.target(&target)
            }
            Kind::Reliability => desk.reliability(text),
            Kind::Prices => desk.prices(text),
            Kind::Study => desk.study(text, deep),
        }
    })
}
