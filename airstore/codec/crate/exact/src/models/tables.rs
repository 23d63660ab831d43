//! Two tables of places: one by four bytes, one by seven that keeps the two newest. And what levels 5 and 6
//! of klauspost/compress do with both alike.

use super::chunked::Chunk;
use super::window::REACH;
use crate::token::MAX_LENGTH;

const BITS: u32 = 15;
const SLOTS: usize = 1 << BITS;
/// A search ends so many bytes before a chunk does.
pub const MARGIN: usize = 11;

/// A slot of each table.
pub type Hashes = (usize, usize);

/// Both tables.
#[derive(Clone)]
pub struct Tables {
    /// Places by four bytes.
    pub short: Box<[u32; SLOTS]>,
    /// Places by seven bytes, the newest first.
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
    /// Tables without places.
    pub fn new() -> Self {
        Tables { short: Box::new([0; SLOTS]), long: Box::new([[0; 2]; SLOTS]) }
    }

    /// See `Matcher::shift`.
    pub fn shift(&mut self, by: u32) {
        let places = self.short.iter_mut().chain(self.long.iter_mut().flatten());
        places.for_each(|place| *place = place.saturating_sub(by));
    }

    /// Put a place into the table by seven bytes.
    #[inline]
    pub fn put_long(&mut self, hash: usize, place: u32) {
        self.long[hash] = [place, self.long[hash][0]];
    }

    /// Put a place into both tables.
    #[inline]
    pub fn put(&mut self, place: u32, hashes: Hashes) {
        self.short[hashes.0] = place;
        self.put_long(hashes.1, place);
    }
}

/// An index with what the tables had for it, and the index that comes after it.
pub struct Seen {
    /// The index.
    pub at: usize,
    /// Eight bytes from it on.
    pub bytes: u64,
    /// The places with the same four bytes, and with the same seven.
    pub known: (u32, [u32; 2]),
    /// The next index, ...
    pub next: usize,
    /// ... eight bytes from it on, ...
    pub next_bytes: u64,
    /// ... and their slots.
    pub next_slots: Hashes,
}

impl Tables {
    /// Put indexes into the tables, in steps that grow, up to one where a match may start: four bytes are the same.
    #[inline]
    pub fn scan(&mut self, chunk: &Chunk, from: usize, literals: usize, skip: u32) -> Option<Seen> {
        let limit = chunk.limit();
        let (short, long) = (&mut *self.short, &mut *self.long);
        let mut at = from;
        let mut bytes = chunk.window.eight(at);
        let mut slots = hashes(bytes);
        while at <= limit {
            let next = at + 1 + ((at - literals) >> skip);
            if next > limit {
                return None;
            }
            let next_bytes = chunk.window.eight(next);
            let known = (short[slots.0], long[slots.1]);
            let here = chunk.place(at);
            short[slots.0] = here;
            long[slots.1] = [here, known.1[0]];
            // Without branches: which of them holds cannot be foreseen.
            let same = |place: u32| {
                let back = here.wrapping_sub(place);
                let four = chunk.window.four(at.wrapping_sub(back as usize));
                (back.wrapping_sub(1) < REACH as u32 - 1) & (four == bytes as u32)
            };
            slots = hashes(next_bytes);
            if same(known.1[0]) | same(known.1[1]) | same(known.0) {
                return Some(Seen { at, bytes, known, next, next_bytes, next_slots: slots });
            }
            (at, bytes) = (next, next_bytes);
        }
        None
    }
}

/// The distance back to a place, if a match may be so far.
#[inline]
pub fn distance(here: u32, place: u32) -> Option<usize> {
    let distance = here.wrapping_sub(place);
    (distance.wrapping_sub(1) < REACH as u32 - 1).then_some(distance as usize)
}

impl Chunk<'_> {
    /// Where a search ends.
    #[inline]
    pub fn limit(&self) -> usize {
        self.end.saturating_sub(MARGIN)
    }

    /// The place of an index.
    #[inline]
    pub fn place(&self, at: usize) -> u32 {
        self.cur.wrapping_add(at as u32)
    }

    /// The distance to a place with the same four bytes.
    #[inline]
    pub fn matching(&self, at: usize, place: u32, bytes: u64) -> Option<usize> {
        let distance = distance(self.place(at), place)?;
        (self.window.four(at - distance) == bytes as u32).then_some(distance)
    }

    /// Length of a match, up to the longest token.
    #[inline]
    pub fn short_length(&self, at: usize, distance: usize) -> usize {
        self.window.common(at - distance, at, MAX_LENGTH.min(self.end - at))
    }

    /// Length of a match.
    #[inline]
    pub fn length(&self, at: usize, distance: usize) -> usize {
        self.window.common(at - distance, at, self.end - at)
    }

    /// A match with one of the two newest places by seven bytes; the longer one if both match.
    #[inline]
    pub fn newest(&self, at: usize, bytes: u64, long: [u32; 2]) -> Option<Span> {
        distance(self.place(at), long[0])?;
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
    pub fn end_distance(&self, at: usize, behind: usize, length: usize, place: u32) -> i64 {
        let back = i64::from(self.place(behind).wrapping_sub(place) as i32);
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
        let window = self.window;
        while at > literals
            && at - distance > self.history
            && window.byte(at - 1) == window.byte(at - 1 - distance)
        {
            at -= 1;
            length += 1;
        }
        (at, length, distance)
    }
}
