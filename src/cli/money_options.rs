//! Prices and the hall, for every command that prints money.

use super::bad_option;
use super::power_limits::PowerOptions;
use crate::input::document::Prices;
use crate::input::file_cache::FileReader;
use crate::input::problem::Problems;
use crate::input::spec::{Spec, load_prices_from, load_supernode};
use crate::units::{Figure, UsDollars, parse};

/// What hardware and energy cost, and where it stands.
#[derive(Debug, clap::Args)]
pub struct MoneyOptions {
    /// A price list over the shipped one (a name or a path; `supernode list prices prices` prints the shipped one to start from), or one
    /// price: purchase=30kUSD (a chip), rent=2.5USD (a chip, an hour), machine=3MUSD, electricity=0.06USD (a kWh). May be given again
    #[arg(long, value_name = "FILE|KEY=USD")]
    price: Vec<String>,

    #[command(flatten)]
    pub limits: PowerOptions,
}

impl MoneyOptions {
    /// The prices in force.
    ///
    /// # Errors
    /// Every problem of the lists; a key that is none.
    pub fn prices(&self) -> Result<Prices, Problems> {
        let (given, lists): (Vec<String>, Vec<String>) =
            self.price.iter().cloned().partition(|price| price.contains('=') && !price.ends_with(".toml"));
        let mut prices = load_prices_from(&FileReader::default(), &lists)?;
        for price in &given {
            let Some((key, value)) = price.split_once('=') else { continue };
            let dollars: UsDollars = parse(value).map_err(|why| bad_option("--price", format!("{key}: {why}; expected dollars such as 30kUSD")))?;
            let figure = Some(Figure::plain(dollars));
            match key.trim() {
                "purchase" => prices.given.chip.purchase = figure,
                "rent" => prices.given.chip.rent = figure,
                "machine" => prices.given.machine.purchase = figure,
                "electricity" => prices.kilowatt_hour = figure,
                other => {
                    let known = "purchase, rent, machine, electricity, or the path of a price list";
                    return Err(bad_option("--price", format!("`{other}` is no price; known are {known}")));
                }
            }
            let date = Some("given".to_owned());
            match key.trim() {
                "machine" => prices.given.machine.date = date,
                "purchase" | "rent" => prices.given.chip.date = date,
                _ => {}
            }
        }
        Ok(prices)
    }

    /// A machine under the limits and in the hall that were asked for.
    ///
    /// # Errors
    /// Every problem of its files, or of the limits.
    pub fn machine(&self, name: &str) -> Result<Spec, Problems> {
        self.limits.apply(load_supernode(name)?)
    }

    /// Machines that stand in one hall, that of the first unless another was asked for; every problem of all of them.
    ///
    /// # Errors
    /// Every problem of their files, or of the limits.
    pub fn machines(&self, names: &[String]) -> Result<Vec<Spec>, Problems> {
        let (mut specs, mut problems) = (Vec::new(), Vec::new());
        for name in names {
            match load_supernode(name) {
                Ok(spec) => specs.push(spec),
                Err(found) => problems.extend(found.into_list()),
            }
        }
        self.limits.apply_to_all(Problems::check(problems, specs)?)
    }
}
