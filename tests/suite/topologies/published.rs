//! What the makers publish of every shipped machine, and where. A range wider than rounding says why beside the number.

use supernode::input::document::Precision;

/// Published totals, one direction, with the share by which ours may differ.
pub struct Published {
    pub name: &'static str,
    pub chips: u32,
    /// The maker's page, or the best account where the maker has none; `none found: ` and what is known instead.
    pub page: &'static str,
    /// Switch chips in the scale-up fabric, where published.
    pub switches: Option<u64>,
    /// All chips' injection into the scale-up fabric, TB/s one way.
    pub injection: Option<(f64, f64)>,
    /// Dense peak in PFLOP/s at this precision.
    pub compute: Option<(Precision, f64, f64)>,
    /// TB of memory on the chips.
    pub memory: Option<(f64, f64)>,
}

pub const NOTHING: Published = Published { name: "", chips: 0, page: "", switches: None, injection: None, compute: None, memory: None };

/// All rows.
pub fn published() -> impl Iterator<Item = &'static Published> {
    WORLD.iter().chain(super::published_china::CHINA)
}

const WORLD: &[Published] = &[
    Published {
        name: "hgx-a100",
        chips: 8,
        page: "https://docs.nvidia.com/dgx/dgxa100-user-guide/introduction-to-dgxa100.html",
        switches: Some(6),
        injection: Some((8.0 * 0.3, 0.01)),
        compute: Some((Precision::Bf16, 2.5, 0.01)),
        memory: Some((0.64, 0.01)),
    },
    Published {
        name: "hgx-h200",
        chips: 8,
        page: "https://www.nvidia.com/en-us/data-center/h200/",
        switches: Some(4),
        injection: Some((8.0 * 0.45, 0.01)),
        compute: Some((Precision::Fp8, 15.8, 0.01)),
        memory: Some((1.128, 0.01)),
    },
    Published {
        name: "hgx-h100",
        chips: 8,
        page: "https://docs.nvidia.com/dgx/dgxh100-user-guide/introduction-to-dgxh100.html",
        switches: Some(4),
        injection: Some((8.0 * 0.45, 0.01)),
        compute: Some((Precision::Fp8, 15.8, 0.01)),
        memory: Some((0.64, 0.01)),
    },
    Published {
        name: "hgx-h20",
        chips: 8,
        page: "none found: NVIDIA has no page of the H20, resellers print 900 GB/s both ways and 96 GB",
        ..NOTHING
    },
    Published { name: "hgx-h800", chips: 8, page: "none found: NVIDIA has no page of the H800, resellers print 400 GB/s both ways", ..NOTHING },
    // Servers of eight GPUs of 80 GB; the shape of the InfiniBand fabrics behind the measurements is not published.
    Published { name: "hgx-h100-ib-64", chips: 64, page: "https://www.nvidia.com/en-us/data-center/h100/", memory: Some((5.12, 0.01)), ..NOTHING },
    Published { name: "hgx-h100-ib-256", chips: 256, page: "https://www.nvidia.com/en-us/data-center/h100/", memory: Some((20.48, 0.01)), ..NOTHING },
    Published { name: "hgx-h200-ib-128", chips: 128, page: "https://www.nvidia.com/en-us/data-center/h200/", memory: Some((18.05, 0.01)), ..NOTHING },
    // 24 GB a card, of which the driver reports 25.25 * 10^9 bytes.
    Published {
        name: "rtx-4090-2",
        chips: 2,
        page: "https://www.nvidia.com/en-us/geforce/graphics-cards/40-series/rtx-4090/",
        compute: Some((Precision::Bf16, 0.3304, 0.01)),
        memory: Some((0.0505, 0.01)),
        ..NOTHING
    },
    Published { name: "hgx-h800-ib-256", chips: 256, page: "https://arxiv.org/abs/2412.19437", memory: Some((20.48, 0.01)), ..NOTHING },
    // DeepSeek-V3's cluster.
    Published { name: "hgx-h800-ib-2048", chips: 2048, page: "https://arxiv.org/abs/2412.19437", memory: Some((163.84, 0.01)), ..NOTHING },
    // Half of the first phase of Llama 3's 16 384.
    Published { name: "hgx-h100-roce-8192", chips: 8192, page: "https://arxiv.org/abs/2407.21783", memory: Some((655.36, 0.01)), ..NOTHING },
    // Grand Teton servers: 96 GB a GPU.
    Published { name: "grand-teton-256", chips: 256, page: "https://arxiv.org/abs/2407.21783", memory: Some((24.576, 0.01)), ..NOTHING },
    Published { name: "grand-teton-8192", chips: 8192, page: "https://arxiv.org/abs/2407.21783", memory: Some((786.432, 0.01)), ..NOTHING },
    // 32 times 1.44 TB.
    Published {
        name: "hgx-b200-ib-256",
        chips: 256,
        page: "https://www.nvidia.com/en-us/data-center/dgx-b200/",
        memory: Some((32.0 * 1.44, 0.01)),
        ..NOTHING
    },
    // 48 GB and 733 TFLOP/s of dense FP8 a card.
    Published {
        name: "l40s-8",
        chips: 8,
        page: "https://www.nvidia.com/en-us/data-center/l40s/",
        compute: Some((Precision::Fp8, 5.864, 0.01)),
        memory: Some((0.384, 0.01)),
        ..NOTHING
    },
    // 96 GB a card, which are 96 x 2^30 bytes; 4 PFLOP/s of sparse FP4.
    Published {
        name: "rtx-pro-6000-2",
        chips: 2,
        page: "https://www.nvidia.com/en-us/data-center/rtx-pro-6000-blackwell-server-edition/",
        compute: Some((Precision::Fp4, 2.0 * 2.0, 0.07)),
        memory: Some((0.2062, 0.01)),
        ..NOTHING
    },
    Published {
        name: "rtx-pro-6000-8",
        chips: 8,
        page: "https://www.nvidia.com/en-us/data-center/rtx-pro-6000-blackwell-server-edition/",
        compute: Some((Precision::Fp4, 8.0 * 2.0, 0.07)),
        memory: Some((0.8246, 0.01)),
        ..NOTHING
    },
    // The cards as above; the pool of the paper is 8 TB.
    Published { name: "rtx-pro-6000-xconn-8", chips: 8, page: "https://arxiv.org/html/2511.20172v2", memory: Some((0.8246, 0.01)), ..NOTHING },
    Published {
        name: "hgx-h20-ib-16",
        chips: 16,
        page: "none found: NVIDIA has no page of the H20, resellers print 900 GB/s both ways and 96 GB",
        ..NOTHING
    },
    Published {
        name: "mi300x-roce-16",
        chips: 16,
        page: "https://www.amd.com/en/products/accelerators/instinct/mi300/mi300x.html",
        memory: Some((16.0 * 0.192, 0.01)),
        ..NOTHING
    },
    Published {
        name: "gb300-64-ib-128",
        chips: 128,
        page: "https://www.nvidia.com/en-us/data-center/gb300-nvl72/",
        memory: Some((128.0 * 0.288, 0.03)),
        ..NOTHING
    },
    // A DGX-2 has 2 PFLOP/s, 512 GB and 300 GB/s a GPU both ways; its two boards of six switches are drawn as one.
    Published {
        name: "dgx-2-ib-256",
        chips: 256,
        page: "https://docs.nvidia.com/dgx/dgx2-user-guide/introduction-to-dgx2.html",
        injection: Some((256.0 * 0.15, 0.01)),
        compute: Some((Precision::Bf16, 16.0 * 2.0, 0.01)),
        memory: Some((16.0 * 0.512, 0.01)),
        ..NOTHING
    },
    // Four times the rack below.
    Published {
        name: "gb200-nvl72-ib-288",
        chips: 288,
        page: "https://www.nvidia.com/en-us/data-center/gb200-nvl72/",
        memory: Some((4.0 * 13.4, 0.01)),
        ..NOTHING
    },
    // Four times the rack below; accounts of one rack print 20 to 20.7 TB.
    Published {
        name: "gb300-nvl72-ib-288",
        chips: 288,
        page: "https://www.nvidia.com/en-us/data-center/gb300-nvl72/",
        memory: Some((4.0 * 20.3, 0.03)),
        ..NOTHING
    },
    // 14.4 TB/s both ways, 1 440 GB, 72 PFLOP/s of sparse FP8.
    Published {
        name: "hgx-b200",
        chips: 8,
        page: "https://www.nvidia.com/en-us/data-center/dgx-b200/",
        switches: Some(2),
        injection: Some((7.2, 0.01)),
        compute: Some((Precision::Fp8, 36.0, 0.01)),
        memory: Some((1.44, 0.01)),
    },
    // 14.4 TB/s both ways, 2.3 TB (2.1 on another page), 105 to 112 PFLOP/s of dense FP4, 72 of sparse FP8.
    Published {
        name: "hgx-b300",
        chips: 8,
        page: "https://www.nvidia.com/en-us/data-center/dgx-b300/",
        switches: Some(2),
        injection: Some((7.2, 0.01)),
        compute: Some((Precision::Fp4, 108.0, 0.05)),
        memory: Some((2.3, 0.01)),
    },
    // Eight times the above.
    Published {
        name: "hgx-b300-ib-64",
        chips: 64,
        page: "https://www.nvidia.com/en-us/data-center/dgx-b300/",
        memory: Some((8.0 * 2.3, 0.01)),
        ..NOTHING
    },
    // 130 TB/s both ways, 720 PFLOP/s FP4, 13.4 TB.
    Published {
        name: "gb200-nvl72",
        chips: 72,
        page: "https://www.nvidia.com/en-us/data-center/gb200-nvl72/",
        switches: Some(18),
        injection: Some((65.0, 0.01)),
        compute: Some((Precision::Fp4, 720.0, 0.01)),
        memory: Some((13.4, 0.01)),
    },
    // 20 to 20.7 TB, 1 080 to 1 100 PFLOP/s FP4.
    Published {
        name: "gb300-nvl72",
        chips: 72,
        page: "https://www.nvidia.com/en-us/data-center/gb300-nvl72/",
        switches: Some(18),
        injection: Some((65.0, 0.01)),
        compute: Some((Precision::Fp4, 1090.0, 0.01)),
        memory: Some((20.3, 0.03)),
    },
    // 260 TB/s both ways, 2 500 PFLOP/s FP4 (training; 3 600 for inference), 20.7 TB.
    Published {
        name: "vera-rubin-nvl72",
        chips: 72,
        page: "https://developer.nvidia.com/blog/inside-the-nvidia-rubin-platform-six-new-chips-one-ai-supercomputer/",
        switches: Some(36),
        injection: Some((130.0, 0.01)),
        compute: Some((Precision::Fp4, 2500.0, 0.01)),
        memory: Some((20.7, 0.01)),
    },
    // 15 EFLOP/s of FP4, 14.4 in another count (100 PFLOP/s a package), and 147 TB: press accounts of the announcement.
    Published {
        name: "kyber-nvl144",
        chips: 144,
        page: "https://radiant.co",
        compute: Some((Precision::Fp4, 15_000.0, 0.05)),
        memory: Some((147.0, 0.01)),
        ..NOTHING
    },
    // 1.5 TB, 20.9 PFLOP/s of FP8; a link carries 64 GB/s, 48 after its framing.
    Published {
        name: "mi300x-8",
        chips: 8,
        page: "https://www.amd.com/en/products/accelerators/instinct/mi300/platform.html",
        switches: Some(0),
        injection: Some((8.0 * 0.336, 0.01)),
        compute: Some((Precision::Fp8, 20.9, 0.01)),
        memory: Some((8.0 * 0.192, 0.01)),
    },
    // 2 TB, 20.9 PFLOP/s of FP8.
    Published {
        name: "mi325x-8",
        chips: 8,
        page: "https://www.amd.com/en/products/accelerators/instinct/mi300/mi325x.html",
        switches: Some(0),
        injection: Some((8.0 * 0.336, 0.01)),
        compute: Some((Precision::Fp8, 20.9, 0.01)),
        memory: Some((8.0 * 0.256, 0.01)),
    },
    // 2.3 TB, 73.6 PFLOP/s of FP4.
    Published {
        name: "mi350x-8",
        chips: 8,
        page: "https://www.amd.com/en/products/accelerators/instinct/mi350/mi350x.html",
        switches: Some(0),
        injection: Some((8.0 * 0.4032, 0.01)),
        compute: Some((Precision::Fp4, 73.6, 0.01)),
        memory: Some((2.3, 0.01)),
    },
    // 2.3 TB, 80.5 PFLOP/s of FP4.
    Published {
        name: "mi355x-8",
        chips: 8,
        page: "https://www.amd.com/en/products/accelerators/instinct/mi350/mi355x.html",
        switches: Some(0),
        injection: Some((8.0 * 0.4032, 0.01)),
        compute: Some((Precision::Fp4, 80.5, 0.01)),
        memory: Some((8.0 * 0.288, 0.01)),
    },
    // 260 TB/s both ways, less UALink's framing of 7 %; 31 TB; 1.4 EFLOP/s of FP8 in one table, 0.7 dense in another.
    Published {
        name: "helios-72",
        chips: 72,
        page: "https://www.amd.com/en/products/accelerators/instinct/mi400/mi455x.html",
        injection: Some((130.0, 0.08)),
        compute: Some((Precision::Fp8, 1050.0, 0.04)),
        memory: Some((31.0, 0.01)),
        ..NOTHING
    },
    // 21 ports of 200G; 14.7 PFLOP/s are those of 1.75 GHz, it ships at 1.6.
    Published {
        name: "gaudi3-8",
        chips: 8,
        page: "https://docs.habana.ai/en/latest/Management_and_Monitoring/Network_Configuration/index.html",
        switches: Some(0),
        injection: Some((8.0 * 0.525, 0.03)),
        compute: Some((Precision::Fp8, 14.7, 0.09)),
        memory: Some((8.0 * 0.128, 0.01)),
    },
    Published {
        name: "tpu-v5p-pod",
        chips: 8960,
        page: "https://docs.cloud.google.com/tpu/docs/v5p",
        switches: Some(0),
        injection: Some((8960.0 * 0.54, 0.01)),
        compute: Some((Precision::Bf16, 8960.0 * 0.459, 0.01)),
        memory: Some((8960.0 * 0.095, 0.01)),
    },
    // 1.2 TB/s a chip both ways, 42.5 EFLOP/s, 1.77 PB.
    Published {
        name: "tpu-v7-pod",
        chips: 9216,
        page: "https://docs.cloud.google.com/tpu/docs/tpu7x",
        switches: Some(0),
        injection: Some((9216.0 * 0.6, 0.01)),
        compute: Some((Precision::Fp8, 42_500.0, 0.01)),
        memory: Some((1770.0, 0.01)),
    },
    // 121 EFLOP/s of FP4, 2 PB, 19.2 Tbit/s a chip both ways.
    Published {
        name: "tpu-8t-pod",
        chips: 9600,
        page: "https://www.storagereview.com/news/google-announces-tpu-v8t-sunfish-and-tpu-v8i-zebrafish",
        switches: Some(0),
        injection: Some((9600.0 * 1.2, 0.01)),
        compute: Some((Precision::Fp4, 121_000.0, 0.01)),
        memory: Some((2000.0, 0.04)),
    },
    // 1.28 TB/s a chip both ways, 6 TiB, 83.2 PFLOP/s.
    Published {
        name: "trn2-ultraserver",
        chips: 64,
        page: "https://github.com/aws-neuron/aws-neuron-sdk/blob/master/about-neuron/arch/neuron-hardware/trn2-arch.rst",
        switches: Some(0),
        injection: Some((64.0 * 0.64, 0.01)),
        compute: Some((Precision::Fp8, 83.2, 0.01)),
        memory: Some((6.6, 0.01)),
    },
    // 161 PFLOP/s, 9 216 GiB; 2.56 TB/s a chip both ways, of which this page has 2 048 GiB/s.
    Published {
        name: "trn3-gen1-64",
        chips: 64,
        page: "https://github.com/aws-neuron/aws-neuron-sdk/blob/master/about-neuron/arch/neuron-hardware/trn3-arch.rst",
        injection: Some((64.0 * 1.28, 0.01)),
        compute: Some((Precision::Fp8, 161.088, 0.01)),
        memory: Some((9.896, 0.01)),
        ..NOTHING
    },
    // 362 PFLOP/s, 20 736 GiB.
    Published {
        name: "trn3-gen2-144",
        chips: 144,
        page: "https://github.com/aws-neuron/aws-neuron-sdk/blob/master/about-neuron/arch/neuron-hardware/trn3-arch.rst",
        injection: Some((144.0 * 1.28, 0.01)),
        compute: Some((Precision::Fp8, 362.448, 0.01)),
        memory: Some((22.265, 0.01)),
        ..NOTHING
    },
    // 1.4 TB/s one way, 10 PFLOP/s of FP4 and 216 GB a chip.
    Published {
        name: "maia-200-64",
        chips: 64,
        page: "https://www.glennklockwood.com/garden/processors/Maia-200",
        injection: Some((64.0 * 1.4, 0.03)),
        compute: Some((Precision::Fp4, 640.0, 0.01)),
        memory: Some((64.0 * 0.216, 0.01)),
        ..NOTHING
    },
];
