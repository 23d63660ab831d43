//! The newest plain bytes in a ring of a fixed size: a position is masked, so that no access needs a check of its own.

use super::{common_eights, View};
use crate::token::MAX_DISTANCE;

const MASK: usize = (1 << 16) - 1;
/// The first bytes follow the last ones once more.
const AGAIN: usize = 8;
/// What is taken at once; with the farthest distance and what lies ahead it is less than the ring.
const STEP: u64 = 1 << 12;
/// Bytes that lie ahead at least, if there are so many.
const AHEAD: u64 = 1 << 10;

/// Bytes by position; those before `end`, as far back as matches reach.
#[derive(Clone)]
pub struct Ring {
    bytes: Box<[u8; MASK + 1 + AGAIN]>,
    end: u64,
}

/// The last bytes, up to eight, of those that a match longer than another has: most candidates are passed over by
/// one comparison.
pub struct Tail {
    offset: u32,
    mask: u64,
    bytes: u64,
}

impl Ring {
    /// A ring at a member's start.
    pub fn new() -> Self {
        Ring { bytes: Box::new([0; MASK + 1 + AGAIN]), end: 0 }
    }

    /// Forget all bytes: the next are those around this position.
    pub fn restart(&mut self, position: u64) {
        self.end = position.saturating_sub(MAX_DISTANCE as u64);
    }

    /// Have the bytes around an index. Returns whether they had to be taken, as it is every few KiB.
    #[inline]
    pub fn reach(&mut self, view: &View, at: usize) -> bool {
        let lacks = view.base + at as u64 + AHEAD > self.end;
        if lacks {
            self.fill(view, at);
        }
        lacks
    }

    #[inline(never)]
    fn fill(&mut self, view: &View, at: usize) {
        let position = view.base + at as u64;
        let from = self.end.max(view.base);
        let to = (view.base + view.bytes.len() as u64).min(position + AHEAD + STEP);
        let mut fresh = match view.bytes.get((from - view.base) as usize..(to - view.base) as usize) {
            Some(fresh) if to > self.end => fresh,
            _ => return,
        };
        let mut index = from as usize & MASK;
        while !fresh.is_empty() {
            let (now, later) = fresh.split_at(fresh.len().min(MASK + 1 - index));
            self.bytes[index..index + now.len()].copy_from_slice(now);
            (fresh, index) = (later, 0);
        }
        self.bytes.copy_within(..AGAIN, MASK + 1);
        self.end = to;
    }

    /// What a match at a position has if it is longer than `length`.
    #[inline]
    pub fn tail(&self, position: u32, length: usize) -> Tail {
        let offset = length.saturating_sub(7) as u32;
        let mask = u64::MAX >> (8 * (7 - length.min(7)));
        Tail { offset, mask, bytes: self.eight(position.wrapping_add(offset)) & mask }
    }

    /// Whether the bytes at a position have this tail.
    #[inline]
    pub fn has(&self, position: u32, tail: &Tail) -> bool {
        self.eight(position.wrapping_add(tail.offset)) & tail.mask == tail.bytes
    }

    /// Four bytes, the first one lowest.
    #[inline]
    pub fn four(&self, position: u32) -> u32 {
        self.eight(position) as u32
    }

    /// Eight bytes, the first one lowest.
    #[inline]
    fn eight(&self, position: u32) -> u64 {
        let at = position as usize & MASK;
        let mut eight = [0; 8];
        eight.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(eight)
    }

    /// Length of the common prefix of the bytes at positions `a` and `b`, at most `limit`.
    #[inline]
    pub fn common(&self, a: u32, b: u32, limit: usize) -> usize {
        let eight = |position: u32, n: usize| self.eight(position.wrapping_add(n as u32));
        common_eights(limit, |n| eight(a, n) ^ eight(b, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_has_the_tail_and_of_what_is_not_a_byte_of_it_differs() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| (n % 500) as u8 ^ u8::from(n % 500 > 255)).collect();
        for length in (0..20).chain(250..258) {
            let mut bytes = bytes.clone();
            for differs in [false, true] {
                bytes[500 + length] ^= u8::from(differs);
                let mut ring = Ring::new();
                ring.reach(&View { bytes: &bytes, base: 0 }, 500);
                assert_eq!(ring.has(0, &ring.tail(500, length)), !differs, "{length}");
                assert_eq!(ring.common(0, 500, 258) > length, !differs);
            }
        }
    }

    #[test]
    fn a_ring_has_what_matches_reach_and_what_lies_ahead() {
        let bytes: Vec<u8> = (0..900_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut ring = Ring::new();
        let check = |ring: &Ring, at: usize| {
            for back in (1..MAX_DISTANCE.min(at)).step_by(97) {
                assert_eq!(ring.four((at - back) as u32) as u8, bytes[at - back]);
            }
            for ahead in (0..AHEAD as usize - 8).filter(|ahead| at + ahead + 8 <= bytes.len()) {
                assert_eq!(ring.four((at + ahead) as u32), super::super::load32(&bytes, at + ahead));
                let common = ring.common((at + ahead) as u32, at as u32, 300.min(bytes.len() - at - ahead));
                assert!(ahead == 0 || common < 300);
            }
        };
        for at in (0..bytes.len()).step_by(709) {
            let base = at.saturating_sub(40_000);
            ring.reach(&View { bytes: &bytes[base..], base: base as u64 }, at - base);
            check(&ring, at);
        }
        ring.restart(300_000);
        ring.reach(&View { bytes: &bytes[200_000..], base: 200_000 }, 100_000);
        check(&ring, 300_000);
    }
}
