//! Level 5 of klauspost/compress, its default.
//!
//! After `flate/level5.go` of klauspost/compress 1.18.0.

use super::chunked::{Chunk, Found, Matcher};
use super::tables::{Seen, Span, Tables, MARGIN};
use super::tagged::{Hashes, Tagged};

/// The level's state.
#[derive(Clone)]
pub struct Level5 {
    tables: Tables,
    /// How many bytes at the start of a match may differ when its end is looked up, if it is: 0 before 1.15.12,
    /// and not at all before 1.13.
    skip: Option<usize>,
}

impl Level5 {
    /// The level as a version has it.
    pub fn new(skip: Option<usize>) -> Self {
        Level5 { tables: Tables::new(), skip }
    }

    /// A match at `at`, or a longer one at the index after it.
    #[inline]
    fn candidates(&mut self, chunk: &Chunk, seen: &Seen) -> Option<Span> {
        let Seen { at, here, bytes, next, next_bytes, next_hashes, .. } = *seen;
        if let Some(found) = chunk.newest(at, here, bytes, seen.long) {
            self.tables.put(chunk.place(next), next_hashes);
            return Some(found);
        }
        let near = chunk.matching(at, here, seen.short, bytes)?;
        let best = (at, chunk.short_length(at, near), near);
        let after = self.tables.long(next_hashes);
        self.tables.put(chunk.place(next), next_hashes);
        let there = Tagged::new(chunk.place(next), next_hashes);
        if there.reaches(after.newest()) {
            for known in [after.newest(), after.older()] {
                let Some(distance) = chunk.matching(next, there, known, next_bytes) else { continue };
                let length = chunk.short_length(next, distance);
                if length > best.1 {
                    return Some((next, length, distance));
                }
            }
        }
        Some(best)
    }

    fn improve(&self, chunk: &Chunk, literals: usize, found: Span) -> Span {
        let mut best = chunk.whole(found);
        let (at, length, _) = best;
        let behind = at + length;
        if let Some(skip) = self.skip.filter(|_| length < 30 && behind < chunk.end - MARGIN) {
            let known = self.tables.long(Hashes::of(chunk.window.eight(behind))).newest();
            let distance = chunk.end_distance(at, behind, length, known);
            if let Some(longer) = chunk.longer(at + skip, distance, length) {
                best = longer;
            }
        }
        chunk.backwards(best, literals)
    }
}

impl Matcher for Level5 {
    fn shift(&mut self, by: u32) {
        self.tables.shift(by);
    }

    fn search(&mut self, chunk: &Chunk, from: usize, literals: usize) -> Option<Found> {
        let mut from = from;
        loop {
            let seen = self.tables.scan(chunk, from, literals, 6)?;
            if let Some(found) = self.candidates(chunk, &seen) {
                let (start, length, distance) = self.improve(chunk, literals, found);
                return Some(Found { start, length, distance, next: seen.next });
            }
            from = seen.next;
        }
    }

    fn after(&mut self, chunk: &Chunk, found: &Found) -> Option<usize> {
        let end = found.start + found.length;
        let at = if found.next >= end { found.next + 1 } else { end };
        if at + MARGIN >= chunk.end {
            return None;
        }
        let mut index = at + 1 - found.length;
        if index < at - 1 {
            let bytes = chunk.window.eight(index);
            let place = chunk.place(index);
            self.tables.put(place, Hashes::of(bytes));
            self.tables.put_long(place + 1, Hashes::of(bytes >> 8));
            self.tables.put_short(place + 2, Hashes::of(bytes >> 16));
            index += 4;
            while index < at - 1 {
                let bytes = chunk.window.eight(index);
                let place = chunk.place(index);
                self.tables.put_long(place, Hashes::of(bytes));
                self.tables.put_short(place + 1, Hashes::of(bytes >> 8));
                index += 3;
            }
        }
        self.tables.put(chunk.place(at - 1), Hashes::of(chunk.window.eight(at - 1)));
        Some(at)
    }
}
