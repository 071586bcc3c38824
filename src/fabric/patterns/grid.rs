//! Points of a grid, cut into equal blocks; the first dimension is counted fastest.

/// A grid of blocks.
#[derive(Clone, Debug)]
pub struct GridBlocks {
    dimensions: Vec<u32>,
    block: Vec<u32>,
    strides: Vec<u32>,
}

impl GridBlocks {
    /// A grid whose dimensions are multiples of the block's.
    pub fn new(dimensions: &[u32], block: &[u32]) -> Self {
        let strides = dimensions.iter().scan(1, |stride, length| Some(std::mem::replace(stride, *stride * length))).collect();
        Self { dimensions: dimensions.to_vec(), block: block.to_vec(), strides }
    }

    /// Place of a point along a dimension.
    pub fn coordinate(&self, point: u32, dimension: usize) -> u32 {
        point / self.strides[dimension] % self.dimensions[dimension]
    }

    /// The point with another place along one dimension.
    pub fn moved(&self, point: u32, dimension: usize, coordinate: u32) -> u32 {
        point - self.coordinate(point, dimension) * self.strides[dimension] + coordinate * self.strides[dimension]
    }

    /// Distance from the nearer face of its block: what moving by blocks and mirroring blocks leave unchanged.
    fn folded(&self, point: u32, dimension: usize) -> u32 {
        let offset = self.coordinate(point, dimension) % self.block[dimension];
        offset.min(self.block[dimension] - 1 - offset)
    }

    fn folds(&self, dimension: usize) -> u32 {
        self.block[dimension].div_ceil(2)
    }

    /// Number of different kinds of point.
    pub fn orbits(&self) -> u32 {
        (0..self.dimensions.len()).map(|dimension| self.folds(dimension)).product()
    }

    /// Kind of a point.
    pub fn orbit(&self, point: u32) -> u32 {
        (0..self.dimensions.len()).fold(0, |key, dimension| key * self.folds(dimension) + self.folded(point, dimension))
    }

    /// The link from a point to the next along a dimension; `None` where the line ends (or closes over two points, which are
    /// joined already).
    pub fn step(&self, point: u32, dimension: usize, closed: bool) -> Option<GridLink> {
        let (length, block) = (self.dimensions[dimension], self.block[dimension]);
        let coordinate = self.coordinate(point, dimension);
        let wraps = coordinate + 1 == length;
        if wraps && (!closed || length <= 2) {
            return None;
        }
        let next = self.moved(point, dimension, (coordinate + 1) % length);
        let crosses = (coordinate + 1).is_multiple_of(block);
        // Inside a block mirrored links match when both point inwards; the middle link of an even block and those between blocks
        // are their own mirror images.
        let offset = coordinate % block;
        let reversible = crosses || 2 * (offset + 1) == block;
        let outwards = !reversible && 2 * (offset + 1) > block;
        let place = if crosses { block } else { offset.min(block - 2 - offset) };
        let others = (0..self.dimensions.len()).filter(|other| *other != dimension);
        let key = others.fold(place, |key, other| key * self.folds(other) + self.folded(point, other));
        let (from, to) = if outwards { (next, point) } else { (point, next) };
        Some(GridLink { from, to, crosses, reversible, key })
    }
}

/// A link of a grid.
pub struct GridLink {
    pub from: u32,
    pub to: u32,
    /// Whether it joins two blocks.
    pub crosses: bool,
    /// Whether a mirror image swaps its ends.
    pub reversible: bool,
    /// Links of one dimension and key are alike.
    pub key: u32,
}
