use proptest::prelude::*;

use super::assert_near;
use super::problems::{any_sharing, sharing};
use crate::network::fair_share::max_min::max_min;
use crate::network::fair_share::reduce::reduce;
use crate::network::fair_share::sample_fabrics;
use crate::network::fair_share::sharing::Sharing;

#[test]
fn of_channels_with_equal_columns_the_smallest_stays() {
    let reduced = reduce(&sharing(&[5.0, 3.0, 4.0], &[&[(0, 1.0), (1, 1.0), (2, 1.0)]]));
    assert_eq!(reduced.kept, [1]);
}

#[test]
fn a_trunk_as_wide_as_what_feeds_it_goes() {
    // Flows from 0 and from 1 through trunk 2: at most 1 + 2 bytes/s, which 3 carries and 2.9 does not.
    let rows: &[&[(u32, f64)]] = &[&[(0, 1.0), (2, 1.0)], &[(0, 1.0), (2, 1.0)], &[(1, 1.0), (2, 1.0)]];
    assert_eq!(reduce(&sharing(&[1.0, 2.0, 3.0], rows)).kept, [0, 1]);
    assert_eq!(reduce(&sharing(&[1.0, 2.0, 2.9], rows)).kept, [0, 1, 2]);
}

#[test]
fn two_channels_that_cover_each_other_do_not_both_go() {
    // Shares differ, so the columns do; each implies the other, and one must stay.
    assert_eq!(reduce(&sharing(&[1.0, 2.0], &[&[(0, 1.0), (1, 2.0)]])).kept.len(), 1);
}

#[test]
fn a_clos_that_does_not_block_is_a_crossbar() {
    let clos = Sharing::new(sample_fabrics::clos_all_to_all(16)).expect("sound");
    assert_eq!(reduce(&clos).kept.len(), 32);
}

proptest! {
    #[test]
    fn rates_stay(sharing in any_sharing()) {
        assert_near(&max_min(&reduce(&sharing).sharing).rate, &max_min(&sharing).rate);
    }
}
