//! Matrix multiplications that were measured.

use super::super::bench::Bench;
use super::super::constant::{Named, rate, share, time};
use super::super::quantity::MeasuredQuantity;
use super::measured::{EngineConstants, KernelConstants, MeasuredFamily, always, device_of_engine, format, measured};
use crate::input::cases::Case;
use crate::input::document::{GemmKernel, Kernels};
use crate::network::Pricing;
use crate::units::Seconds;
use crate::workload::{Device, GemmWork, Work, kernel};

/// What is measured.
pub(super) const MEASURED: MeasuredFamily = MeasuredFamily {
    quantities: &[
        MeasuredQuantity { name: "gemm", meaning: "matrix multiplication with the quantisation of its input", predict: gemm },
        MeasuredQuantity { name: "engine_gemm", meaning: "matrix multiplication with the kernel of an engine's release", predict: engine_gemm },
    ],
    constants: &[KernelConstants {
        name: "gemm",
        table: Some("gemm"),
        quantity: "gemm",
        format: Some("format"),
        group: &["columns", "depth"],
        runs: always,
        constants: |kernels, format| kernels.gemm.get_mut(&format).map(constants),
        of_engine: Some(EngineConstants { quantity: "engine_gemm", constants: |own, format| own.gemm.get_mut(&format).map(constants) }),
    }],
};

fn constants(kernel: &mut GemmKernel) -> Vec<Named<'_>> {
    let mut found = vec![share("compute_efficiency", &mut kernel.compute_efficiency), share("memory_efficiency", &mut kernel.memory_efficiency)];
    let operand = kernel.operand_bandwidth.as_mut();
    found.extend(operand.map(|figure| rate("operand_bandwidth", figure)));
    found.extend(kernel.launch.as_mut().map(|figure| time("launch", figure)));
    found.extend(kernel.quantise_launch.as_mut().map(|figure| time("quantise_launch", figure)));
    found
}

/// Settings of a product, and those that name whose kernel it is.
const GEMM_SETTINGS: [&str; 8] = ["groups", "rows", "columns", "depth", "format", "quantised", "engine", "release"];

/// A call on its own.
fn gemm(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&GEMM_SETTINGS[..6])?;
    product(bench.device.clone(), case)
}

/// A call of an engine's kernel on its own.
fn engine_gemm(bench: &mut Bench<'_>, _: &mut Pricing<'_>, case: &Case) -> Result<f64, String> {
    case.settings.only(&GEMM_SETTINGS)?;
    product(device_of_engine(bench, case)?, case)
}

fn product(mut device: Device, case: &Case) -> Result<f64, String> {
    let settings = &case.settings;
    let precision = format(settings, "format")?;
    let batch = settings.number_or("groups", 1.0)?;
    let (rows, columns, depth) = (settings.number("rows")?, settings.number("columns")?, settings.number("depth")?);
    let work = Work::Gemm(GemmWork { batch, rows, columns, depth, precision });
    let kernel = Kernels::nearest(&device.kernels.gemm, precision).ok_or("the chip has no matrix multiplication")?;
    let mut launch = device.kernels.gemm_launch(precision);
    if settings.flag("quantised")? {
        device.kernels.gemm.values_mut().for_each(|kernel| kernel.quantise_bytes = 0.0);
    } else {
        launch += kernel.quantise_launch.as_ref().map_or(Seconds::ZERO, |figure| figure.value);
    }
    device.repeat_product(columns * depth * precision.bytes(), work.bytes().get());
    let time = launch + kernel::gemm_time(&device, batch, rows, columns, depth, precision);
    measured(case, &device, &work, time)
}
