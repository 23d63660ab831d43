//! Places by hashes of bytes, as klauspost/compress keeps them: one by four bytes, and the two newest by seven. A place
//! is counted from a base that moves with them.

use super::window::REACH;

const BITS: u32 = 15;
/// Slots of each table.
const SLOTS: usize = 1 << BITS;

/// The slots of eight bytes in both tables.
#[derive(Clone, Copy)]
pub struct Hashes {
    four: usize,
    seven: usize,
}

impl Hashes {
    /// Those of these bytes.
    #[inline(always)]
    pub fn of(bytes: u64) -> Self {
        let four = (bytes as u32).wrapping_mul(2_654_435_761);
        let seven = (bytes << 8).wrapping_mul(58_295_818_150_454_627);
        Hashes {
            four: (four >> (32 - BITS)) as usize & (SLOTS - 1),
            seven: (seven >> (64 - BITS)) as usize & (SLOTS - 1),
        }
    }
}

/// A place as a table has it. 0, as which tables begin, is too far from where matches are looked for.
pub trait Place: Copy + Default + Send {
    /// The highest place there is.
    const MOST: usize;
    /// A place that is not above the highest.
    fn new(place: usize) -> Self;
    /// Its number.
    fn number(self) -> usize;
    /// The place made smaller, down to 0.
    fn lower(self, by: Self) -> Self;
}

macro_rules! place {
    ($bits:ty) => {
        impl Place for $bits {
            const MOST: usize = <$bits>::MAX as usize;

            #[inline(always)]
            fn new(place: usize) -> Self {
                place as $bits
            }

            #[inline(always)]
            fn number(self) -> usize {
                self as usize
            }

            #[inline(always)]
            fn lower(self, by: Self) -> Self {
                self.saturating_sub(by)
            }
        }
    };
}

place!(u16);
place!(u32);

/// Both tables. A place is an index into the window and `ahead`.
#[derive(Clone)]
pub struct Slots<P: Place> {
    short: Box<[P; SLOTS]>,
    /// The newest first.
    long: Box<[[P; 2]; SLOTS]>,
    ahead: usize,
}

impl<P: Place> Slots<P> {
    /// Slots without places.
    pub fn new() -> Self {
        let none = P::default();
        Slots { short: Box::new([none; SLOTS]), long: Box::new([[none; 2]; SLOTS]), ahead: 0 }
    }

    /// Forget all places. The next are from a chunk's start on.
    pub fn clear(&mut self) {
        self.short.fill(P::default());
        self.long.fill([P::default(); 2]);
        self.ahead = 0;
    }

    /// The same bytes have indices that are so much less.
    pub fn advance(&mut self, by: usize) {
        self.ahead = self.ahead.wrapping_add(by);
    }

    /// Whether an index has a place, and those before it do.
    #[inline(always)]
    pub fn has(&self, index: usize) -> bool {
        self.place(index) <= P::MOST
    }

    /// Have places for an index that was written, and a few behind it.
    #[inline(always)]
    pub fn make_room(&mut self, index: usize) {
        if !self.has(index + 8) {
            self.lower(index);
        }
    }

    /// Lower all places as far as those that matches from an index on may reach allow.
    #[cold]
    #[inline(never)]
    pub fn lower(&mut self, index: usize) {
        let by = self.place(index).saturating_sub(REACH);
        let less = P::new(by.min(P::MOST));
        self.short.iter_mut().for_each(|place| *place = place.lower(less));
        self.long.as_flattened_mut().iter_mut().for_each(|place| *place = place.lower(less));
        self.ahead = self.ahead.wrapping_sub(by);
    }

    /// Take the places that others have; false if one of them is above the highest.
    pub fn take<Q: Place>(&mut self, other: &Slots<Q>) -> bool {
        let places = || other.short.iter().chain(other.long.as_flattened());
        if places().any(|place| place.number() > P::MOST) {
            return false;
        }
        let copy = |(to, from): (&mut P, &Q)| *to = P::new(from.number());
        self.short.iter_mut().chain(self.long.as_flattened_mut()).zip(places()).for_each(copy);
        self.ahead = other.ahead;
        true
    }

    /// The place of an index.
    #[inline(always)]
    pub fn place(&self, index: usize) -> usize {
        index.wrapping_add(self.ahead)
    }

    /// The highest index that has a place.
    #[inline(always)]
    pub fn last(&self) -> usize {
        P::MOST.wrapping_sub(self.ahead)
    }

    /// The place by the same four bytes.
    #[inline(always)]
    pub fn short(&self, hashes: Hashes) -> usize {
        self.short[hashes.four].number()
    }

    /// The two newest places by the same seven bytes, the newest first.
    #[inline(always)]
    pub fn long(&self, hashes: Hashes) -> (usize, usize) {
        let [newest, older] = self.long[hashes.seven];
        (newest.number(), older.number())
    }

    /// Put an index into the table by four bytes.
    #[inline(always)]
    pub fn put_short(&mut self, index: usize, hashes: Hashes) {
        self.short[hashes.four] = P::new(self.place(index));
    }

    /// Put an index into the table by seven bytes.
    #[inline(always)]
    pub fn put_long(&mut self, index: usize, hashes: Hashes) {
        let pair = &mut self.long[hashes.seven];
        *pair = [P::new(self.ahead.wrapping_add(index)), pair[0]];
    }

    /// Put an index into both tables.
    #[inline(always)]
    pub fn put(&mut self, index: usize, hashes: Hashes) {
        self.put_short(index, hashes);
        self.put_long(index, hashes);
    }
}

/// Whether a match at a place may be so far back.
#[inline(always)]
pub fn reaches(place: usize, known: usize) -> bool {
    place.wrapping_sub(known).wrapping_sub(1) < REACH - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_reaches_32767_bytes_back_and_none_ahead() {
        for place in [REACH, 40_000, u16::MAX as usize] {
            let reached: Vec<_> = (0..place + 2000).filter(|known| reaches(place, *known)).collect();
            assert_eq!(reached, (place - (REACH - 1)..place).collect::<Vec<_>>());
        }
    }

    #[test]
    fn places_that_are_lowered_are_as_far_apart_as_before_or_out_of_reach() {
        let hashes = |n: u64| Hashes::of(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut slots = Slots::<u16>::new();
        let put = |slots: &mut Slots<u16>, index| {
            slots.put(index, hashes(index as u64));
            slots.put(index + 1, hashes(index as u64));
        };
        let indices = [40_000, 40_000 + REACH / 2, 60_000];
        indices.iter().for_each(|index| put(&mut slots, *index));
        assert!(slots.has(65_535) && !slots.has(65_536));
        slots.lower(60_000 + REACH / 2);
        assert!(slots.has(65_536 + 20_000) && slots.place(60_000 + REACH / 2) == REACH);
        for index in &indices[1..] {
            let place = slots.place(*index);
            assert_eq!(slots.short(hashes(*index as u64)), place + 1);
            assert_eq!(slots.long(hashes(*index as u64)), (place + 1, place));
        }
        assert_eq!(slots.long(hashes(40_000)), (0, 0));
        assert!(!reaches(slots.place(60_000 + REACH / 2), 0));
    }

    #[test]
    fn places_that_are_too_high_are_not_taken() {
        let (mut near, mut far) = (Slots::<u16>::new(), Slots::<u32>::new());
        far.put(65_535, Hashes::of(1));
        assert!(near.take(&far));
        far.put_short(65_536, Hashes::of(2));
        assert!(!near.take(&far));
        far.lower(REACH + 1);
        assert!(near.take(&far));
        assert_eq!((near.short(Hashes::of(1)), near.short(Hashes::of(2))), (65_534, 65_535));
    }
}
