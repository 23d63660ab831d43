//! Two tables of places: one by four bytes, one by seven that keeps the two newest. And what levels 5 and 6
//! of klauspost/compress do with both alike.

use super::chunked::Chunk;
use super::tagged::{Hashes, Pair, Tagged, SLOTS};
use super::window::REACH;
use crate::token::MAX_LENGTH;

/// A search ends so many bytes before a chunk does.
pub const MARGIN: usize = 11;

/// Both tables.
#[derive(Clone)]
pub struct Tables {
    /// Places by four bytes.
    short: Box<[Tagged; SLOTS]>,
    /// The two newest places by seven bytes.
    long: Box<[Pair; SLOTS]>,
}

/// A match: where it starts, its length, its distance.
pub type Span = (usize, usize, usize);

impl Tables {
    /// Tables without places.
    pub fn new() -> Self {
        Tables { short: Box::new([Tagged::default(); SLOTS]), long: Box::new([Pair::default(); SLOTS]) }
    }

    /// See `Matcher::shift`.
    pub fn shift(&mut self, by: u32) {
        self.short.iter_mut().for_each(|entry| *entry = entry.lower(by));
        self.long.iter_mut().for_each(|pair| *pair = pair.lower(by));
    }

    /// The places by the same seven bytes.
    #[inline]
    pub fn long(&self, hashes: Hashes) -> Pair {
        self.long[hashes.seven]
    }

    /// Put a place into the table by four bytes.
    #[inline]
    pub fn put_short(&mut self, place: u32, hashes: Hashes) {
        self.short[hashes.four] = Tagged::new(place, hashes);
    }

    /// Put a place into the table by seven bytes.
    #[inline]
    pub fn put_long(&mut self, place: u32, hashes: Hashes) {
        self.long[hashes.seven].put(Tagged::new(place, hashes));
    }

    /// Put a place into both tables.
    #[inline]
    pub fn put(&mut self, place: u32, hashes: Hashes) {
        self.put_short(place, hashes);
        self.put_long(place, hashes);
    }
}

/// An index with what the tables had for it, and the index that comes after it.
pub struct Seen {
    /// The index.
    pub at: usize,
    /// Its place.
    pub here: Tagged,
    /// Eight bytes from it on.
    pub bytes: u64,
    /// The place with the same four bytes, ...
    pub short: Tagged,
    /// ... and those with the same seven.
    pub long: Pair,
    /// The next index, ...
    pub next: usize,
    /// ... eight bytes from it on, ...
    pub next_bytes: u64,
    /// ... and their hashes.
    pub next_hashes: Hashes,
}

impl Tables {
    /// Put indexes into the tables, in steps that grow, up to one where a match may start: four bytes look the same.
    #[inline]
    pub fn scan(&mut self, chunk: &Chunk, from: usize, literals: usize, skip: u32) -> Option<Seen> {
        let limit = chunk.limit();
        let (shorts, longs) = (&mut *self.short, &mut *self.long);
        let mut at = from;
        let mut bytes = chunk.window.eight(at);
        let mut hashes = Hashes::of(bytes);
        while at <= limit {
            let next = at + 1 + ((at - literals) >> skip);
            if next > limit {
                return None;
            }
            let next_bytes = chunk.window.eight(next);
            let (short, long) = (shorts[hashes.four], longs[hashes.seven]);
            let here = Tagged::new(chunk.place(at), hashes);
            shorts[hashes.four] = here;
            longs[hashes.seven].put(here);
            hashes = Hashes::of(next_bytes);
            // Without branches: which of them holds cannot be foreseen.
            if here.resembles(long.newest()) | here.resembles(long.older()) | here.resembles(short) {
                return Some(Seen { at, here, bytes, short, long, next, next_bytes, next_hashes: hashes });
            }
            (at, bytes) = (next, next_bytes);
        }
        None
    }
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
    pub fn matching(&self, at: usize, here: Tagged, known: Tagged, bytes: u64) -> Option<usize> {
        if !here.resembles(known) {
            return None;
        }
        let distance = here.back_to(known) as usize;
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
    pub fn newest(&self, at: usize, here: Tagged, bytes: u64, long: Pair) -> Option<Span> {
        if !here.reaches(long.newest()) {
            return None;
        }
        let newest = self.matching(at, here, long.newest(), bytes);
        let older = self.matching(at, here, long.older(), bytes);
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
    pub fn end_distance(&self, at: usize, behind: usize, length: usize, known: Tagged) -> i64 {
        let back = i64::from(self.place(behind)) - i64::from(known.place());
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
