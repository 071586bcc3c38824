use super::problems::input;
use crate::network::fair_share::sharing::{Sharing, SharingInput};

fn refusal(change: impl Fn(&mut SharingInput)) -> String {
    let mut input = input(&[10.0, 4.0], &[&[(0, 1.0), (1, 0.5)], &[(0, 1.0)]]);
    change(&mut input);
    Sharing::new(input).expect_err("must be refused").to_string()
}

#[test]
fn every_refusal_says_what_and_where() {
    let refusals = [
        refusal(|input| input.row_start.clear()),
        refusal(|input| input.row_start[1] = 9),
        refusal(|input| input.row_start[2] = 2),
        refusal(|input| input.share.truncate(2)),
        refusal(|input| input.cap = Some(vec![1.0])),
        refusal(|input| input.capacity[1] = 0.0),
        refusal(|input| input.capacity[0] = f64::NAN),
        refusal(|input| input.share[1] = -0.5),
        refusal(|input| input.cap = Some(vec![1.0, 0.0])),
        refusal(|input| input.count = Some(vec![0, 1])),
        refusal(|input| input.channel[1] = 2),
        refusal(|input| input.channel[1] = 0),
        refusal(|input| input.push_flow([])),
    ];
    let expected = "\
row of flow 0: row starts must begin at 0, never fall and end at the number of entries
row of flow 1: row starts must begin at 0, never fall and end at the number of entries
row of flow 0: row starts must begin at 0, never fall and end at the number of entries
shares: 2 entries where 3 are expected
caps: 1 entries where 2 are expected
capacity of channel 1 is 0 bytes/s: expected a value between 1e-60 and 1e60; leave a dead channel out of the rows
capacity of channel 0 is NaN bytes/s: expected a value between 1e-60 and 1e60; leave a dead channel out of the rows
share of flow 0 on channel 1 is -0.5: expected a value between 1e-60 and 1e60
cap of flow 1 is 0 bytes/s: expected a value between 1e-60 and 1e60, or infinity for no cap
flow 0 stands for 0 flows: leave it out
flow 0 crosses channel 2: there are 2 channels
flow 0 lists channel 0 twice: add the two shares up
flow 2 crosses no channel and has no cap: its rate would be infinite";
    assert_eq!(refusals.join("\n"), expected);
}
