//! One iteration of iSLIP (McKeown, IEEE/ACM ToN 7(2), 1999): outputs grant in turn, inputs accept in turn, and only what is accepted
//! moves the turns on.

/// Turns of inputs and outputs, and what is asked for in this cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct Islip {
    /// Input that goes first, by output.
    grant: Vec<usize>,
    /// Output that goes first, by input.
    accept: Vec<usize>,
    asked: Vec<(usize, usize)>,
    pairs: Vec<(usize, usize)>,
}

/// How far `place` stands behind `first` in a circle of so many.
fn turn(place: usize, first: usize, count: usize) -> usize {
    (place + count - first) % count
}

impl Islip {
    pub(super) fn new(inputs: usize, outputs: usize) -> Self {
        Self { grant: vec![0; outputs], accept: vec![0; inputs], asked: Vec::new(), pairs: Vec::new() }
    }

    /// An input asks for an output in this cycle.
    pub(super) fn ask(&mut self, input: usize, output: usize) {
        self.asked.push((input, output));
    }

    /// Pairs of this cycle, input and output; what was asked for is forgotten.
    pub(super) fn pair(&mut self) -> &[(usize, usize)] {
        let (inputs, outputs) = (self.accept.len(), self.grant.len());
        let Self { grant, accept, asked, pairs } = self;
        // Each output's grant, then each input's choice among its grants.
        asked.sort_unstable_by_key(|&(input, output)| (output, turn(input, grant[output], inputs)));
        asked.dedup_by_key(|ask| ask.1);
        asked.sort_unstable_by_key(|&(input, output)| (input, turn(output, accept[input], outputs)));
        asked.dedup_by_key(|ask| ask.0);
        pairs.clear();
        pairs.append(asked);
        for &(input, output) in pairs.iter() {
            grant[output] = (input + 1) % inputs;
            accept[input] = (output + 1) % outputs;
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two inputs want both outputs: both outputs grant to input 0, which accepts one; output 0 has moved on and grants to input 1 next.
    #[test]
    fn turns_part_after_the_first_cycle() {
        let mut islip = Islip::new(2, 2);
        let mut cycle = || {
            [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().for_each(|(input, output)| islip.ask(input, output));
            islip.pair().to_vec()
        };
        assert_eq!(cycle(), [(0, 0)]);
        assert_eq!(cycle(), [(0, 1), (1, 0)]);
        assert_eq!(cycle(), [(0, 0), (1, 1)]);
    }

    #[test]
    fn nothing_asked_for_is_nothing_given() {
        assert!(Islip::new(3, 3).pair().is_empty());
    }
}
