//! Readers under mutated input: every kind of file and text that the program reads, in process, with an oracle on what comes out.
//!
//! | question | file |
//! | --- | --- |
//! | which kinds of input are there, and what are their first inputs? | `kinds.rs` |
//! | what becomes of an input of a kind? | `descriptions.rs` for TOML, `foreign.rs` for files of other programs, `words.rs` for words of a command line |
//! | how is an input changed? | `mutation.rs` |
//! | what must hold of a result? | `oracle.rs` |
//!
//! `main.rs` runs kinds blindly and counts; `guided.rs` is guided by coverage (libFuzzer). `tests/suite/fuzzing.rs` includes these files, so that CI
//! builds nothing twice. `docs/reliability.md` has the commands.

pub mod kinds;
pub mod mutation;
pub mod oracle;

mod descriptions;
mod foreign;
mod words;
