//! Hash chains: for each position the one before it with the same hash, within 32 KiB.

use super::View;

const WINDOW: usize = 1 << 15;
const MASK: u32 = WINDOW as u32 - 1;

/// Positions by hash, the newest first. Position 0 stands for none: positions are kept plus one.
#[derive(Clone)]
pub struct Chains {
    head: Vec<u32>,
    prev: Box<[u32; WINDOW]>,
}

impl Chains {
    /// Chains for hashes of `bits` bits.
    pub fn new(bits: u32) -> Self {
        Chains { head: vec![0; 1 << bits], prev: Box::new([0; WINDOW]) }
    }

    /// Forget all positions.
    pub fn clear(&mut self) {
        self.head.fill(0);
        self.prev.fill(0);
    }

    /// Make this index the newest of its hash; returns what was the newest, plus one.
    #[inline]
    pub fn insert(&mut self, view: &View, at: usize, hash: usize) -> u32 {
        let position = view.position(at);
        let slots = self.head.len() - 1;
        let head = &mut self.head[hash & slots];
        let before = *head;
        self.prev[(position & MASK) as usize] = before;
        *head = position.wrapping_add(1);
        before
    }

    /// The one before this, both plus one.
    #[inline]
    pub fn before(&self, entry: u32) -> u32 {
        self.prev[(entry.wrapping_sub(1) & MASK) as usize]
    }
}
