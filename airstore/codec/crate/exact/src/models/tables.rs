//! Two tables of positions: one by four bytes, one by seven that keeps the two newest. And what levels 5 and 6
//! of klauspost/compress do with both alike.

use super::chunked::{Chunk, REACH};
use super::{common, load32, View};
use crate::token::MAX_LENGTH;

const BITS: u32 = 15;
const SLOTS: usize = 1 << BITS;
/// A position that no match reaches.
const NEVER: u32 = 0u32.wrapping_sub(1 << 16);
/// A search ends so many bytes before a chunk does.
pub const MARGIN: usize = 11;

/// A place in both tables.
pub type Hashes = (usize, usize);

/// Both tables.
#[derive(Clone)]
pub struct Tables {
    /// Positions by four bytes.
    pub short: Box<[u32; SLOTS]>,
    /// Positions by seven bytes, the newest first.
    pub long: Box<[[u32; 2]; SLOTS]>,
}

/// A match: where it starts, its length, its distance.
pub type Span = (usize, usize, usize);

#[inline]
pub fn hash4(bytes: u64) -> usize {
    ((bytes as u32).wrapping_mul(2_654_435_761) >> (32 - BITS)) as usize & (SLOTS - 1)
}

#[inline]
pub fn hash7(bytes: u64) -> usize {
    ((bytes << 8).wrapping_mul(58_295_818_150_454_627) >> (64 - BITS)) as usize & (SLOTS - 1)
}

#[inline]
pub fn hashes(bytes: u64) -> Hashes {
    (hash4(bytes), hash7(bytes))
}

impl Tables {
    /// Tables without positions.
    pub fn new() -> Self {
        Tables { short: Box::new([NEVER; SLOTS]), long: Box::new([[NEVER; 2]; SLOTS]) }
    }

    /// Forget all positions.
    pub fn forget(&mut self) {
        self.short.fill(NEVER);
        self.long.fill([NEVER; 2]);
    }

    /// Put a position into the table by seven bytes.
    #[inline]
    pub fn put_long(&mut self, hash: usize, position: u32) {
        self.long[hash] = [position, self.long[hash][0]];
    }

    /// Put an index into both tables.
    #[inline]
    pub fn put(&mut self, view: &View, at: usize, hashes: Hashes) {
        let position = view.position(at);
        self.short[hashes.0] = position;
        self.put_long(hashes.1, position);
    }
}

impl Chunk<'_> {
    /// Where a search ends.
    #[inline]
    pub fn limit(&self) -> usize {
        self.end.saturating_sub(MARGIN)
    }

    /// The distance from an index to a position, if a match may be so far.
    #[inline]
    pub fn distance(&self, at: usize, position: u32) -> Option<usize> {
        let distance = self.view.position(at).wrapping_sub(position) as usize;
        (distance <= (REACH - 1).min(at - self.history) && distance > 0).then_some(distance)
    }

    /// The distance to a position with the same four bytes.
    #[inline]
    pub fn matching(&self, at: usize, position: u32, bytes: u64) -> Option<usize> {
        self.distance(at, position).filter(|distance| load32(self.view.bytes, at - distance) == bytes as u32)
    }

    /// Length of a match, up to the longest token.
    #[inline]
    pub fn short_length(&self, at: usize, distance: usize) -> usize {
        common(self.view.bytes, at - distance, at, MAX_LENGTH.min(self.end - at))
    }

    /// Length of a match.
    #[inline]
    pub fn length(&self, at: usize, distance: usize) -> usize {
        common(self.view.bytes, at - distance, at, self.end - at)
    }

    /// A match with one of the two newest positions by seven bytes; the longer one if both match.
    #[inline]
    pub fn newest(&self, at: usize, bytes: u64, long: [u32; 2]) -> Option<Span> {
        self.distance(at, long[0])?;
        let (newest, older) = (self.matching(at, long[0], bytes), self.matching(at, long[1], bytes));
        let distance = newest.or(older)?;
        let (Some(_), Some(other)) = (newest, older) else { return Some((at, 0, distance)) };
        let length = self.short_length(at, distance);
        let longer = self.short_length(at, other);
        Some(if longer > length { (at, longer, other) } else { (at, length, distance) })
    }

    /// A match at its full length. A length of 0 is not known yet.
    #[inline]
    pub fn whole(&self, (at, length, distance): Span) -> Span {
        match length {
            0 => (at, 4 + self.length(at + 4, distance), distance),
            MAX_LENGTH => (at, length + self.length(at + length, distance), distance),
            _ => (at, length, distance),
        }
    }

    /// A match of `length` at `at` ends at `behind`, and another place has the same bytes there: the distance
    /// to that place from `skip` bytes behind `at`, were the match as long. It may be out of reach.
    #[inline]
    pub fn end_distance(&self, at: usize, behind: usize, length: usize, position: u32) -> i64 {
        let back = i64::from(self.view.position(behind).wrapping_sub(position) as i32);
        back + at as i64 + length as i64 - behind as i64
    }

    /// A match from an index on, if it is in reach and longer than `length`.
    #[inline]
    pub fn longer(&self, from: usize, distance: i64, length: usize) -> Option<Span> {
        let reach = (REACH - 1).min(from - self.history) as i64;
        if distance <= 0 || distance > reach {
            return None;
        }
        let longer = self.length(from, distance as usize);
        (longer > length).then_some((from, longer, distance as usize))
    }

    /// A match extended backwards over what would be literals.
    #[inline]
    pub fn backwards(&self, (mut at, mut length, distance): Span, literals: usize) -> Span {
        let bytes = self.view.bytes;
        while at > literals && at - distance > self.history && bytes[at - 1] == bytes[at - 1 - distance] {
            at -= 1;
            length += 1;
        }
        (at, length, distance)
    }
}
