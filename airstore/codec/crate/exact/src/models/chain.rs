//! Hash chains: for each position the one before it with the same hash, within 32 KiB.

use super::View;

const WINDOW: usize = 1 << 15;
const MASK: u32 = WINDOW as u32 - 1;
const MOST_SLOTS: usize = 1 << 17;

/// Positions by hash, the newest first: that one as a position plus one, 0 for none; the others as distances to the
/// one before, 0 where it is none or too far away. Distances take half the cache that positions would.
#[derive(Clone)]
pub struct Chains {
    head: Box<[u32; MOST_SLOTS]>,
    slots: usize,
    back: Box<[u16; WINDOW]>,
}

impl Chains {
    /// Chains for hashes of `bits` bits, at most 17.
    pub fn new(bits: u32) -> Self {
        let slots = MOST_SLOTS.min(1 << bits);
        Chains { head: Box::new([0; MOST_SLOTS]), slots, back: Box::new([0; WINDOW]) }
    }

    /// Forget all positions.
    pub fn clear(&mut self) {
        self.head[..self.slots].fill(0);
        self.back.fill(0);
    }

    /// Make this index the newest of its hash; returns what was the newest, plus one.
    #[inline]
    pub fn insert(&mut self, view: &View, at: usize, hash: usize) -> u32 {
        let position = view.position(at);
        let head = &mut self.head[hash & (self.slots - 1) & (MOST_SLOTS - 1)];
        let before = *head;
        let distance = position.wrapping_sub(before.wrapping_sub(1));
        let reached = before != 0 && distance <= WINDOW as u32;
        self.back[(position & MASK) as usize] = if reached { distance as u16 } else { 0 };
        *head = position.wrapping_add(1);
        before
    }

    /// The distance from this position to the one before with the same hash; 0 if there is none in reach.
    #[inline]
    pub fn back(&self, position: u32) -> u32 {
        u32::from(self.back[(position & MASK) as usize])
    }
}
