//! `supernode model`: parameters, bytes and cache of a model, from its shape.

use super::{CommandResult, Output};
use crate::input::catalog::Mention;
use crate::input::spec::load_model;
use crate::report::{self, ModelReport};

/// Add up a model: parameters, bytes by format, cache, layers by kind, and keys of a config.json that were not read
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Shipped name, a model file, a Hugging Face config.json, or the folder that holds one
    model: String,

    /// Sequence length whose cache is printed, in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = 32_768)]
    tokens: u32,
}

pub fn run(arguments: &Arguments, format: report::Format) -> CommandResult {
    let model = load_model(&arguments.model, &Mention::on_command_line())?;
    Ok(Output::report(&ModelReport::new(model, arguments.tokens), format))
}
