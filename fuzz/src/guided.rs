//! One kind of input under libFuzzer: coverage guides which inputs are changed further, and the changes are those of `mutation.rs`. The kind is in
//! `FUZZ_KIND`. The script `fuzz/guided` builds it with the stable toolchain and runs it.

#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use supernode::units::SplitMix64;
use supernode_fuzz::kinds::{Kind, kind};
use supernode_fuzz::mutation::mutated;

thread_local! {
    static KIND: LazyCell<Kind> = LazyCell::new(|| {
        let name = std::env::var("FUZZ_KIND").unwrap_or_default();
        kind(&name).unwrap_or_else(|| panic!("FUZZ_KIND is `{name}`, which is no kind"))
    });
}

fuzz_target!(|input: &[u8]| {
    KIND.with(|kind| kind.run(input, input.len().is_multiple_of(16)));
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    let made = KIND.with(|kind| mutated(&data[..size], &kind.seeds, &mut SplitMix64::new(u64::from(seed), 0)));
    let length = made.len().min(most);
    data[..length].copy_from_slice(&made[..length]);
    length
});
