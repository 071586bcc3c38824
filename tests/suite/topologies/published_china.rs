//! What is published of the machines of Chinese makers; see `published.rs`.

use supernode::input::document::Precision;

use super::published::{NOTHING, Published};

pub const CHINA: &[Published] = &[
    // Injection: 384 x 14 x 28 GB/s. 289 PFLOP/s is 384 x 752, 49.2 TB is 384 x 128 GB. 269 TB/s of the press count both ways at 400G a link.
    Published {
        name: "cloudmatrix384",
        chips: 384,
        page: "https://arxiv.org/abs/2506.12708",
        switches: Some(336 + 112),
        injection: Some((150.5, 0.01)),
        compute: Some((Precision::Bf16, 289.0, 0.01)),
        memory: Some((49.2, 0.01)),
    },
    // 16.3 PB/s both ways; 72 lanes of 112 Gbit/s make 16.5. 8 EFLOP/s; 1 152 TB counts 1 024 GB to the TB.
    Published {
        name: "atlas-950-8192",
        chips: 8192,
        page: "https://www.huawei.com/en/news/2025/9/hc-xu-keynote-speech",
        injection: Some((16_300.0 / 2.0, 0.04)),
        compute: Some((Precision::Fp8, 8000.0, 0.01)),
        memory: Some((1152.0, 0.03)),
        ..NOTHING
    },
    // 1.72 PB/s both ways, 1 EFLOP/s FP8 and 2 of FP4, 96 GB a chip.
    Published {
        name: "atlas-950-1024",
        chips: 1024,
        page: "https://www.hiascend.com/hardware/cluster",
        injection: Some((1720.0 / 2.0, 0.01)),
        compute: Some((Precision::Fp8, 1000.0, 0.01)),
        memory: Some((1024.0 * 0.096, 0.01)),
        ..NOTHING
    },
    // 1.56 PFLOP/s of FP4 a card, its vector units counted; 112 GB.
    Published {
        name: "atlas-350-8",
        chips: 8,
        page: "https://www.hiascend.com/hardware/accelerator-card",
        compute: Some((Precision::Fp4, 8.0 * 1.56, 0.04)),
        memory: Some((8.0 * 0.112, 0.01)),
        ..NOTHING
    },
    // 34 PB/s both ways, 30 EFLOP/s, 4 460 TB: the roadmap. The page of 2026 has 4 096 chips with 8 EFLOP/s and 1 PB: the same chip within 2 %.
    Published {
        name: "atlas-960",
        chips: 15_488,
        page: "https://www.huawei.com/cn/news/2026/9/ascend-960-superpod",
        injection: Some((34_000.0 / 2.0, 0.04)),
        compute: Some((Precision::Fp8, 30_000.0, 0.04)),
        memory: Some((4460.0, 0.01)),
        ..NOTHING
    },
    // Of x72 an NPU keeps four lanes for the Clos above a pod: 68 of 72 are in use.
    Published {
        name: "ub-mesh-1024",
        chips: 1024,
        page: "https://arxiv.org/abs/2503.20377",
        injection: Some((1.024 * 72.0 * 14.0, 0.06)),
        ..NOTHING
    },
    // 28 PFLOP/s and 5.62 TB are lower bounds; 448 GB/s a card is read as both directions.
    Published {
        name: "scalex40",
        chips: 40,
        page: "https://www.sugon.com/product/storage",
        injection: Some((40.0 * 0.224, 0.01)),
        compute: Some((Precision::Fp8, 28.0, 0.01)),
        memory: Some((5.62, 0.03)),
        ..NOTHING
    },
    // Half of the figures of the 1 280-card unit below. More than 600 PFLOP/s for one cabinet, of no stated precision, is the other reading.
    Published { name: "scalex640", chips: 640, page: "https://www.sugon.com/x640", injection: Some((573.0 / 4.0, 0.01)), ..NOTHING },
    // 630 PFLOP/s, 81.9 TB and 573 TB/s (both ways), read as those of two cabinets; a broker prints them for one.
    Published {
        name: "scalex1280",
        chips: 1280,
        page: "http://www.csgonghe.com/content/199.html",
        injection: Some((573.0 / 2.0, 0.01)),
        compute: Some((Precision::Bf16, 630.0, 0.01)),
        memory: Some((81.9, 0.01)),
        ..NOTHING
    },
    // More than 5 EFLOP/s, 650 TB and 4.5 PB/s (both ways): bounds from below.
    Published {
        name: "scalex-10240",
        chips: 10_240,
        page: "https://m.mydrivers.com/newsview/1094106.html",
        injection: Some((4500.0 / 2.0, 0.03)),
        compute: Some((Precision::Bf16, 5000.0, 0.02)),
        memory: Some((650.0, 0.02)),
        ..NOTHING
    },
    // 800 GB/s a chip both ways.
    Published {
        name: "panjiu-al128",
        chips: 128,
        page: "https://voice.lapaas.com/alibaba-unveils-new-ai-chip-to-rival-nvidia/feed/",
        injection: Some((128.0 * 0.4, 0.01)),
        memory: Some((128.0 * 0.144, 0.01)),
        ..NOTHING
    },
    Published { name: "inspur-sd200", chips: 64, page: "https://segmentfault.com/a/1190000047950946", memory: Some((4.0, 0.03)), ..NOTHING },
    Published { name: "tencent-ethx64", chips: 64, page: "none found: no sheet of a 64-GPU rack is public", ..NOTHING },
    // 800 GB/s a chip, direction not stated, read as both.
    Published { name: "zte-nebula64", chips: 64, page: "https://m.c114.com.cn/w127-1274707.html", injection: Some((64.0 * 0.4, 0.02)), ..NOTHING },
    Published {
        name: "baidu-tianchi256",
        chips: 256,
        page: "none found: only the size and factors against the node before are published",
        ..NOTHING
    },
    // 784 GB/s a card both ways, 80 GB.
    Published {
        name: "moore-threads-c256",
        chips: 256,
        page: "https://www.ithome.com/0/978/856.htm",
        injection: Some((256.0 * 0.392, 0.01)),
        compute: Some((Precision::Fp8, 256.0, 0.01)),
        memory: Some((256.0 * 0.08, 0.01)),
        ..NOTHING
    },
    Published {
        name: "metax-c550-64",
        chips: 64,
        page: "https://www.metax-tech.com/en/goods/prod.html?cid=112&id=55",
        memory: Some((64.0 * 0.064, 0.01)),
        ..NOTHING
    },
    // 144 GB a card.
    Published {
        name: "metax-c600-64",
        chips: 64,
        page: "https://www.trendforce.com/news/2025/12/11/news-chinas-gpu-ipo-wave-intensifies-metax-surpasses-moore-threads-in-retail-investor-interest",
        memory: Some((64.0 * 0.144, 0.01)),
        ..NOTHING
    },
];
