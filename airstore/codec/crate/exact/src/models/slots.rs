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

impl Place for u16 {
    const MOST: usize = u16::MAX as usize;

    #[inline(always)]
    fn new(place: usize) -> Self {
        place as u16
    }

    #[inline(always)]
    fn number(self) -> usize {
        usize::from(self)
    }

    #[inline(always)]
    fn lower(self, by: Self) -> Self {
        self.saturating_sub(by)
    }
}

impl Place for u32 {
    const MOST: usize = u32::MAX as usize;

    #[inline(always)]
    fn new(place: usize) -> Self {
        place as u32
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

    /// Take the places that others have. None may be above the highest.
    pub fn take<Q: Place>(&mut self, other: &Slots<Q>) {
        let copy = |(to, from): (&mut P, &Q)| *to = P::new(from.number());
        self.short.iter_mut().zip(other.short.iter()).for_each(copy);
        self.long.as_flattened_mut().iter_mut().zip(other.long.as_flattened()).for_each(copy);
        self.ahead = other.ahead;
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
