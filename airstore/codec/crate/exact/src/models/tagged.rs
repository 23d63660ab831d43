//! What the tables of levels 5 and 6 hold: a place, and bits that tell four bytes from others without a look at them.

use super::window::REACH;

const BITS: u32 = 15;
/// Slots of each table.
pub const SLOTS: usize = 1 << BITS;
/// Bits that tell four bytes from others: the others of 32 are the place's.
const TAG: u32 = 12;
/// Places are less than this.
pub const PLACES: u32 = 1 << (32 - TAG);

/// The slots of eight bytes in both tables, and the tag of the first four.
#[derive(Clone, Copy)]
pub struct Hashes {
    /// The slot by four bytes.
    pub four: usize,
    /// The slot by seven bytes.
    pub seven: usize,
    tag: u32,
}

impl Hashes {
    /// Those of these bytes.
    #[inline]
    pub fn of(bytes: u64) -> Self {
        let four = (bytes as u32).wrapping_mul(2_654_435_761);
        let seven = (bytes << 8).wrapping_mul(58_295_818_150_454_627);
        Hashes {
            four: (four >> (32 - BITS)) as usize & (SLOTS - 1),
            seven: (seven >> (64 - BITS)) as usize & (SLOTS - 1),
            tag: four >> (32 - BITS - TAG) & ((1 << TAG) - 1),
        }
    }
}

/// A place, and the tag of the four bytes there. By default a place that no match reaches.
#[derive(Clone, Copy, Default)]
pub struct Tagged(u32);

impl Tagged {
    /// A place where bytes of these hashes are.
    #[inline]
    pub fn new(place: u32, hashes: Hashes) -> Self {
        Tagged(place << TAG | hashes.tag)
    }

    /// The place.
    #[inline]
    pub fn place(self) -> u32 {
        self.0 >> TAG
    }

    /// How far it is back to another place.
    #[inline]
    pub fn back_to(self, other: Tagged) -> u32 {
        self.place().wrapping_sub(other.place())
    }

    /// Whether a match may be so far.
    #[inline]
    pub fn reaches(self, other: Tagged) -> bool {
        self.back_to(other).wrapping_sub(1) < REACH as u32 - 1
    }

    /// Whether a match may be so far, and the tags are the same: only then the four bytes can be.
    #[inline]
    pub fn resembles(self, other: Tagged) -> bool {
        // Tags that differ become the highest bits.
        self.0.wrapping_sub(other.0).rotate_right(TAG).wrapping_sub(1) < REACH as u32 - 1
    }

    /// The place made smaller; one that was less is 0.
    #[inline]
    pub fn lower(self, by: u32) -> Self {
        Tagged(self.0.saturating_sub(by.min(PLACES - 1) << TAG))
    }
}

/// The two newest places of a slot: one write puts a new one before the newest.
#[derive(Clone, Copy, Default)]
pub struct Pair(u64);

impl Pair {
    /// The newest.
    #[inline]
    pub fn newest(self) -> Tagged {
        Tagged(self.0 as u32)
    }

    /// The one before.
    #[inline]
    pub fn older(self) -> Tagged {
        Tagged((self.0 >> 32) as u32)
    }

    /// Put a place before the newest.
    #[inline]
    pub fn put(&mut self, entry: Tagged) {
        self.0 = self.0 << 32 | u64::from(entry.0);
    }

    /// As `Tagged::lower`.
    #[inline]
    pub fn lower(self, by: u32) -> Self {
        Pair(u64::from(self.older().lower(by).0) << 32 | u64::from(self.newest().lower(by).0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(place: u32, bytes: u64) -> Tagged {
        Tagged::new(place, Hashes::of(bytes))
    }

    #[test]
    fn what_has_the_same_bytes_in_reach_resembles_and_else_nothing_does() {
        let reach = REACH as u32;
        for place in [1 << 17, 300_000, PLACES - 1] {
            let here = entry(place, 0x64_6362_6100);
            for back in [0, 1, 2, 4096, reach - 1, reach, reach + 1, place] {
                let near = (1..reach).contains(&back);
                assert_eq!(here.resembles(entry(place - back, 0x35_6362_6100)), near, "{back}");
                assert_eq!(here.reaches(entry(place - back, 7)), near, "{back}");
                assert!(!here.resembles(entry(place - back, 0x6362_6101)), "{back}");
            }
            assert!(!here.resembles(Tagged::default()));
        }
    }

    #[test]
    fn places_grow_less_and_those_that_were_less_are_out_of_reach() {
        let (kept, gone) = (entry(500_000, 1), entry(399_999, 2));
        let mut pair = Pair::default();
        pair.put(gone);
        pair.put(kept);
        let lower = pair.lower(400_000);
        assert_eq!((lower.newest().place(), lower.older().place()), (100_000, 0));
        assert!(entry(100_009, 1).resembles(lower.newest()));
        assert_eq!(kept.lower(3 << 20).place(), 0);
    }
}
