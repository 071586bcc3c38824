//! Rows and columns of a checked problem, side by side, with caps turned into ceilings.
//!
//! A cap holds a flow exactly as a channel of its own would, except that its level never moves. All flows with the same cap
//! share one *ceiling*, numbered after the channels; a flow loads its ceiling with weight 0.
//!
//! A channel whose flows all weigh the same is rescaled to weight 1, which changes no rate and spares later multiplications.

use super::sharing::Sharing;

#[derive(Debug)]
pub(crate) struct SharingTable {
    /// Holders below this number are channels, the others ceilings.
    pub channels: usize,
    /// Bytes/s: capacity of a channel, in its own scale, or cap of a ceiling.
    pub limit: Vec<f64>,
    row_start: Vec<usize>,
    row: Vec<(u32, f64)>,
    column_start: Vec<usize>,
    column: Vec<(u32, f64)>,
}

impl SharingTable {
    pub fn new(sharing: &Sharing) -> Self {
        let flows = sharing.flows();
        let channels = sharing.channels();
        let mut caps: Vec<f64> = (0..flows).map(|flow| sharing.cap(flow)).filter(|cap| cap.is_finite()).collect();
        caps.sort_unstable_by(f64::total_cmp);
        caps.dedup();
        let capped = if caps.is_empty() { 0 } else { flows };

        let mut row_start = Vec::with_capacity(flows + 1);
        let mut row = Vec::with_capacity(sharing.entries() + capped);
        row_start.push(0);
        for flow in 0..flows {
            let (channel, shares) = sharing.row(flow);
            let count = f64::from(sharing.count(flow));
            row.extend(channel.iter().zip(shares).map(|(&channel, &share)| (channel, share * count)));
            let cap = sharing.cap(flow);
            if cap.is_finite() {
                row.push(((channels + caps.partition_point(|&other| other < cap)) as u32, 0.0));
            }
            row_start.push(row.len());
        }

        let mut limit: Vec<f64> = sharing.capacity().iter().copied().chain(caps).collect();
        let mut weight_of = vec![f64::NAN; limit.len()];
        let mut is_even = vec![true; limit.len()];
        for &(holder, weight) in &row {
            let first = &mut weight_of[holder as usize];
            if first.is_nan() {
                *first = weight;
            }
            is_even[holder as usize] &= weight == *first;
        }
        for channel in (0..channels).filter(|&channel| is_even[channel] && !weight_of[channel].is_nan()) {
            limit[channel] /= weight_of[channel];
        }
        for (holder, weight) in row.iter_mut().filter(|(holder, _)| (*holder as usize) < channels) {
            *weight = if is_even[*holder as usize] { 1.0 } else { *weight };
        }
        let (column_start, column) = transpose(&row_start, &row, limit.len());
        Self { channels, limit, row_start, row, column_start, column }
    }

    /// The same holders and only the given flows, renumbered in the order given.
    pub fn only(&self, flows: &[u32]) -> Self {
        let mut row_start = Vec::with_capacity(flows.len() + 1);
        row_start.push(0);
        let mut row = Vec::new();
        for &flow in flows {
            row.extend(self.row(flow));
            row_start.push(row.len());
        }
        let (column_start, column) = transpose(&row_start, &row, self.limit.len());
        Self { channels: self.channels, limit: self.limit.clone(), row_start, row, column_start, column }
    }

    pub fn flows(&self) -> usize {
        self.row_start.len() - 1
    }

    /// Channels and ceilings together.
    pub fn holders(&self) -> usize {
        self.limit.len()
    }

    pub fn is_ceiling(&self, holder: u32) -> bool {
        holder as usize >= self.channels
    }

    /// `(holder, weight)` of everything that could hold `flow`.
    pub fn row(&self, flow: u32) -> impl Iterator<Item = (u32, f64)> + Clone {
        self.row[self.row_start[flow as usize]..self.row_start[flow as usize + 1]].iter().copied()
    }

    /// `(flow, weight)` of every flow that `holder` could hold, flows ascending.
    pub fn column(&self, holder: u32) -> impl Iterator<Item = (u32, f64)> + Clone {
        self.column[self.column_start[holder as usize]..self.column_start[holder as usize + 1]].iter().copied()
    }
}

fn transpose(row_start: &[usize], row: &[(u32, f64)], holders: usize) -> (Vec<usize>, Vec<(u32, f64)>) {
    let mut column_start = vec![0; holders + 1];
    for &(holder, _) in row {
        column_start[holder as usize + 1] += 1;
    }
    for holder in 0..holders {
        column_start[holder + 1] += column_start[holder];
    }
    let mut next = column_start.clone();
    let mut column = vec![(0, 0.0); row.len()];
    for (flow, bounds) in row_start.windows(2).enumerate() {
        for &(holder, weight) in &row[bounds[0]..bounds[1]] {
            let place = &mut next[holder as usize];
            column[*place] = (flow as u32, weight);
            *place += 1;
        }
    }
    (column_start, column)
}
