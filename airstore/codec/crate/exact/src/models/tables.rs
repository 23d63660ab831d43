//! What levels 5 and 6 of klauspost/compress do alike: looking for matches with two tables of places.

#[cfg(test)]
mod tests;

use super::chunked::{Chunk, Found};
use super::slots::{reaches, Hashes, Place, Slots};
use super::window::{REACH, START};
use crate::token::MAX_LENGTH;
use std::ops::Range;

/// A search ends so many bytes before a chunk does.
pub const MARGIN: usize = 11;

/// A match: where it starts, its length, its distance.
pub type Span = (usize, usize, usize);

/// What differs between the levels.
pub trait Level: Clone + Send {
    /// The steps from one index to the next grow after so many bytes without a match, as a power of two.
    const SKIP: u32;
    /// A chunk starts.
    fn start(&mut self) {}
    /// The match at an index that was seen, or a longer one behind it.
    fn candidates<P: Place>(&self, slots: &mut Slots<P>, chunk: &Chunk, seen: &Seen) -> Option<Span>;
    /// The match at its full length, or another one that is longer.
    fn improve<P: Place>(&self, slots: &Slots<P>, chunk: &Chunk, found: Span) -> Span;
    /// A match ended: put what it spans into the tables. Returns where the search goes on, if it does.
    fn after<P: Place>(&mut self, slots: &mut Slots<P>, chunk: &Chunk, found: &Found) -> Option<usize>;
}

/// A level with its tables: near places take half the memory of far ones, which are needed where a search is so far ahead
/// of what was written that near ones could not have both.
#[derive(Clone)]
pub struct Tables<L> {
    level: L,
    near: Slots<u16>,
    far: Option<Slots<u32>>,
    is_far: bool,
}

impl<L: Level> Tables<L> {
    /// A level at a stream's start.
    pub fn new(level: L) -> Self {
        Tables { level, near: Slots::new(), far: None, is_far: false }
    }

    /// Nothing from before is in reach.
    pub fn forget(&mut self) {
        self.near.clear();
        self.is_far = false;
    }

    /// A chunk starts, so many bytes behind the start of the one before.
    pub fn start(&mut self, by: usize) {
        self.level.start();
        match self.far.as_mut().filter(|_| self.is_far) {
            Some(far) => {
                far.advance(by);
                far.lower(START);
                self.is_far = !self.near.take(far);
            }
            None => {
                self.near.advance(by);
                if !self.near.has(START + REACH / 2) {
                    self.near.lower(START);
                }
            }
        }
    }

    /// Look for the next match from an index on; all bytes from `literals` on are literals until then. Returns whether there is
    /// one.
    #[inline]
    pub fn search(&mut self, chunk: &Chunk, from: usize, literals: usize, out: &mut Found) -> bool {
        let mut from = from;
        if !self.is_far {
            match search(&self.level, &mut self.near, chunk, from..literals, out) {
                Ok(found) => return found,
                Err(at) => from = at,
            }
        }
        self.search_far(chunk, from..literals, out)
    }

    #[cold]
    #[inline(never)]
    fn search_far(&mut self, chunk: &Chunk, span: Range<usize>, out: &mut Found) -> bool {
        self.go_far();
        let Some(far) = self.far.as_mut() else { return false };
        search(&self.level, far, chunk, span, out).unwrap_or(false)
    }

    fn go_far(&mut self) {
        if !self.is_far {
            self.is_far = self.far.get_or_insert_with(Slots::new).take(&self.near);
        }
    }

    /// A match ended: where the search goes on, if it does.
    #[inline]
    pub fn after(&mut self, chunk: &Chunk, found: &Found) -> Option<usize> {
        match self.far.as_mut().filter(|_| self.is_far) {
            Some(far) => self.level.after(far, chunk, found),
            None => self.level.after(&mut self.near, chunk, found),
        }
    }
}

/// What a step from one index to the next has at most.
const STEP: usize = 1 << 11;

/// As `Tables::search`, from the beginning of a range; its end is where literals begin. An error is the index where it would
/// go on with higher places than there are.
#[inline(always)]
fn search<L: Level, P: Place>(
    level: &L,
    slots: &mut Slots<P>,
    chunk: &Chunk,
    Range { start: mut from, end: literals }: Range<usize>,
    out: &mut Found,
) -> Result<bool, usize> {
    loop {
        match slots.scan(chunk, from, literals, L::SKIP) {
            Scan::Seen(seen) => {
                if let Some(found) = level.candidates(slots, chunk, &seen) {
                    let found = level.improve(slots, chunk, found);
                    let (start, length, distance) = chunk.backwards(found, literals);
                    *out = Found { start, length, distance, next: seen.next };
                    return Ok(true);
                }
                from = seen.next;
            }
            Scan::Full(at) => {
                slots.lower(literals);
                if !slots.has(at + STEP) {
                    return Err(at);
                }
                from = at;
            }
            Scan::End => return Ok(false),
        }
    }
}

/// What a scan comes to.
pub enum Scan {
    /// An index where a match may start.
    Seen(Seen),
    /// The index that comes after this one has no place.
    Full(usize),
    /// The chunk's end.
    End,
}

/// An index with what the tables had for it, and the index that comes after it.
pub struct Seen {
    /// The index.
    pub at: usize,
    /// Eight bytes from it on.
    pub bytes: u64,
    /// The place with the same four bytes, ...
    pub short: usize,
    /// ... and those with the same seven, the newest first.
    pub long: (usize, usize),
    /// The next index, ...
    pub next: usize,
    /// ... eight bytes from it on, ...
    pub next_bytes: u64,
    /// ... and their hashes.
    pub next_hashes: Hashes,
}

impl<P: Place> Slots<P> {
    /// Put indexes into the tables, in steps that grow, up to one where a match may start: four bytes are the same.
    #[inline(always)]
    fn scan(&mut self, chunk: &Chunk, from: usize, literals: usize, skip: u32) -> Scan {
        let limit = chunk.end.saturating_sub(MARGIN);
        let bound = limit.min(self.last());
        let mut at = from;
        let mut bytes = chunk.window.eight(at);
        let mut hashes = Hashes::of(bytes);
        loop {
            let next = at + 1 + ((at - literals) >> skip);
            if next > bound {
                return if next > limit { Scan::End } else { Scan::Full(at) };
            }
            let next_bytes = chunk.window.eight(next);
            let (short, long) = (self.short(hashes), self.long(hashes));
            self.put(at, hashes);
            hashes = Hashes::of(next_bytes);
            let here = self.place(at);
            let same = |known| chunk.same(at, here, known, bytes);
            // Without branches: which of them holds cannot be foreseen.
            if same(long.0) | same(long.1) | same(short) {
                return Scan::Seen(Seen { at, bytes, short, long, next, next_bytes, next_hashes: hashes });
            }
            (at, bytes) = (next, next_bytes);
        }
    }

    /// A match with one of the two newest places by seven bytes; the longer one if both match.
    #[inline(always)]
    pub fn newest(&self, chunk: &Chunk, seen: &Seen) -> Option<Span> {
        let Seen { at, bytes, long, .. } = *seen;
        let here = self.place(at);
        if !reaches(here, long.0) {
            return None;
        }
        let newest = chunk.matching(at, here, long.0, bytes);
        let older = chunk.matching(at, here, long.1, bytes);
        let distance = newest.or(older)?;
        let (Some(_), Some(other)) = (newest, older) else { return Some((at, 0, distance)) };
        let length = chunk.short_length(at, distance);
        let longer = chunk.short_length(at, other);
        Some(if longer > length { (at, longer, other) } else { (at, length, distance) })
    }

    /// A match of `length` at `at` ends at `behind`, and another place has the same bytes there: the distance
    /// to that place from `skip` bytes behind `at`, were the match as long. It may be out of reach.
    #[inline(always)]
    pub fn end_distance(&self, at: usize, behind: usize, length: usize, known: usize) -> i64 {
        let back = self.place(behind) as i64 - known as i64;
        back + at as i64 + length as i64 - behind as i64
    }
}

impl Chunk<'_> {
    /// Whether four bytes are the same at a place that a match reaches.
    #[inline(always)]
    fn same(&self, at: usize, here: usize, known: usize, bytes: u64) -> bool {
        let back = here.wrapping_sub(known);
        reaches(here, known) & (self.window.four(at.wrapping_sub(back)) == bytes as u32)
    }

    /// The distance to a place with the same four bytes.
    #[inline(always)]
    pub fn matching(&self, at: usize, here: usize, known: usize, bytes: u64) -> Option<usize> {
        self.same(at, here, known, bytes).then(|| here.wrapping_sub(known))
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

    /// A match at its full length. A length of 0 is not known yet.
    #[inline]
    pub fn whole(&self, (at, length, distance): Span) -> Span {
        match length {
            0 => (at, 4 + self.length(at + 4, distance), distance),
            MAX_LENGTH => (at, length + self.length(at + length, distance), distance),
            _ => (at, length, distance),
        }
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
