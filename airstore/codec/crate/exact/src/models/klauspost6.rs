//! Level 6 of klauspost/compress, and the default level of Go from Go 1.27 on.
//!
//! After `src/compress/flate/level6.go` of Go 1.27.3; `flate/level6.go` of klauspost/compress 1.19.1 does the same.

use super::chunked::{Chunk, Found, Matcher};
use super::tables::{Seen, Span, Tables, MARGIN};
use super::tagged::{Hashes, Tagged};
use super::window::REACH;
use crate::token::MAX_LENGTH;

/// How many bytes at the start of a match may differ when its end is looked up.
const SKIP: usize = 2;

/// The level's state.
#[derive(Clone)]
pub struct Level6 {
    tables: Tables,
    /// The distance of the chunk's last match.
    repeat: usize,
}

impl Level6 {
    /// The level at a stream's start.
    pub fn new() -> Self {
        Level6 { tables: Tables::new(), repeat: 1 }
    }

    /// A match at `at`, or a longer one at an index after it.
    #[inline]
    fn candidates(&mut self, chunk: &Chunk, seen: &Seen) -> Option<Span> {
        let Seen { at, here, bytes, next, next_bytes, next_hashes, .. } = *seen;
        if let Some(found) = chunk.newest(at, here, bytes, seen.long) {
            self.tables.put(chunk.place(next), next_hashes);
            return Some(found);
        }
        let near = chunk.matching(at, here, seen.short, bytes)?;
        let mut best = (at, chunk.short_length(at, near), near);
        let after = self.tables.long(next_hashes);
        self.tables.put(chunk.place(next), next_hashes);
        if let Some(repeated) = self.repeated(chunk, at + 1, bytes >> 8).filter(|found| found.1 > best.1) {
            return Some(repeated);
        }
        let there = Tagged::new(chunk.place(next), next_hashes);
        if there.reaches(after.newest()) {
            for known in [after.newest(), after.older()] {
                let Some(distance) = chunk.matching(next, there, known, next_bytes) else { continue };
                let length = chunk.short_length(next, distance);
                if length > best.1 {
                    best = (next, length, distance);
                }
            }
        }
        Some(best)
    }

    /// A match at the distance of the one before.
    #[inline]
    fn repeated(&self, chunk: &Chunk, at: usize, bytes: u64) -> Option<Span> {
        let from = at.checked_sub(self.repeat).filter(|from| *from >= chunk.history)?;
        if chunk.window.four(from) != bytes as u32 {
            return None;
        }
        Some((at, chunk.short_length(at, self.repeat).min(MAX_LENGTH), self.repeat))
    }

    fn improve(&self, chunk: &Chunk, literals: usize, found: Span) -> Span {
        let mut best = chunk.whole(found);
        let (at, length, _) = best;
        let behind = at + length;
        if behind < chunk.end - MARGIN {
            let long = self.tables.long(Hashes::of(chunk.window.eight(behind)));
            if chunk.end_distance(at, behind, length, long.newest()) < REACH as i64 {
                for known in [long.newest(), long.older()] {
                    let distance = chunk.end_distance(at, behind, best.1, known);
                    if let Some(longer) = chunk.longer(at + SKIP, distance, best.1) {
                        best = longer;
                    }
                }
            }
        }
        chunk.backwards(best, literals)
    }
}

impl Matcher for Level6 {
    fn shift(&mut self, by: u32) {
        self.tables.shift(by);
    }

    fn start(&mut self) {
        self.repeat = 1;
    }

    fn search(&mut self, chunk: &Chunk, from: usize, literals: usize) -> Option<Found> {
        let mut from = from;
        loop {
            let seen = self.tables.scan(chunk, from, literals, 7)?;
            if let Some(found) = self.candidates(chunk, &seen) {
                let (start, length, distance) = self.improve(chunk, literals, found);
                return Some(Found { start, length, distance, next: seen.next });
            }
            from = seen.next;
        }
    }

    fn after(&mut self, chunk: &Chunk, found: &Found) -> Option<usize> {
        self.repeat = found.distance;
        let end = found.start + found.length;
        let at = if found.next >= end { found.next + 1 } else { end };
        let goes_on = at + MARGIN < chunk.end;
        let stop = if goes_on { at - 1 } else { chunk.end.saturating_sub(8) };
        let mut index = found.next + 1;
        while index < stop {
            let bytes = chunk.window.eight(index);
            self.tables.put(chunk.place(index), Hashes::of(bytes));
            if goes_on {
                self.tables.put_long(chunk.place(index) + 1, Hashes::of(bytes >> 8));
            }
            index += 2;
        }
        goes_on.then_some(at)
    }
}
