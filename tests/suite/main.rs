//! The integration tests: one binary, a module a subject.
#![allow(clippy::unwrap_used, reason = "what fails here fails a test, shared code included")]

mod afd;
mod aggregated;
mod architecture;
mod bad_input;
mod clips;
mod cloudmatrix384;
mod collectives;
mod command;
mod compare;
mod concurrent;
mod contract;
mod determinism;
mod draft;
mod extends;
mod failures;
mod flows;
mod hugging_face;
mod imports;
mod in_switch_serving;
mod kernels;
mod machines;
mod models;
mod models_bad_input;
mod odd_machines;
mod one_price;
mod plan;
mod power;
mod prefix_cache;
mod public_models;
mod sane;
mod sensitivity;
mod sequence_parallel;
mod serving_in_time;
mod studies;
mod sweep;
mod symmetric_groups;

mod topologies;
mod training;
mod training_bad_input;
mod unbreakable;
mod validate;
mod worked_example;
