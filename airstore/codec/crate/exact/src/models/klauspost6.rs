//! Level 6 of klauspost/compress, and the default level of Go from Go 1.27 on.
//!
//! After `src/compress/flate/level6.go` of Go 1.27.3; `flate/level6.go` of klauspost/compress 1.19.1 does the same.

use super::chunked::{Chunk, Found, Matcher};
use super::tables::{hash7, hashes, Hashes, Span, Tables, MARGIN};
use super::{load32, load64};
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
    fn candidates(
        &mut self,
        chunk: &Chunk,
        (at, bytes, here): (usize, u64, (u32, [u32; 2])),
        (next, next_bytes, hashes): (usize, u64, Hashes),
    ) -> Option<Span> {
        if let Some(found) = chunk.newest(at, bytes, here.1) {
            self.tables.put(chunk.view, next, hashes);
            return Some(found);
        }
        let distance = chunk.matching(at, here.0, bytes)?;
        let mut best = (at, chunk.short_length(at, distance), distance);
        let after = self.tables.long[hashes.1];
        self.tables.put(chunk.view, next, hashes);
        if let Some(repeated) = self.repeated(chunk, at + 1, bytes >> 8).filter(|found| found.1 > best.1) {
            return Some(repeated);
        }
        if chunk.distance(next, after[0]).is_some() {
            for position in after {
                let Some(distance) = chunk.matching(next, position, next_bytes) else { continue };
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
        if load32(chunk.view.bytes, from) != bytes as u32 {
            return None;
        }
        Some((at, chunk.short_length(at, self.repeat).min(MAX_LENGTH), self.repeat))
    }

    fn improve(&self, chunk: &Chunk, literals: usize, found: Span) -> Span {
        let mut best = chunk.whole(found);
        let (at, length, _) = best;
        let behind = at + length;
        if behind < chunk.end - MARGIN {
            let known = self.tables.long[hash7(load64(chunk.view.bytes, behind))];
            if chunk.end_distance(at, behind, length, known[0]) < super::chunked::REACH as i64 {
                for position in known {
                    let distance = chunk.end_distance(at, behind, best.1, position);
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
    fn forget(&mut self) {
        self.tables.forget();
    }

    fn start(&mut self) {
        self.repeat = 1;
    }

    fn search(&mut self, chunk: &Chunk, from: usize, literals: usize) -> Option<Found> {
        let view = chunk.view;
        let limit = chunk.limit();
        let mut at = from;
        if at > limit {
            return None;
        }
        let mut bytes = load64(view.bytes, at);
        let mut places = hashes(bytes);
        loop {
            let next = at + 1 + ((at - literals) >> 7);
            if next > limit {
                return None;
            }
            let here = (self.tables.short[places.0], self.tables.long[places.1]);
            let next_bytes = load64(view.bytes, next);
            self.tables.put(view, at, places);
            places = hashes(next_bytes);
            if let Some(found) = self.candidates(chunk, (at, bytes, here), (next, next_bytes, places)) {
                let (start, length, distance) = self.improve(chunk, literals, found);
                return Some(Found { start, length, distance, next });
            }
            at = next;
            bytes = next_bytes;
        }
    }

    fn after(&mut self, chunk: &Chunk, found: &Found) -> Option<usize> {
        let view = chunk.view;
        self.repeat = found.distance;
        let end = found.start + found.length;
        let at = if found.next >= end { found.next + 1 } else { end };
        let goes_on = at + MARGIN < chunk.end;
        let stop = if goes_on { at - 1 } else { chunk.end.saturating_sub(8) };
        let mut index = found.next + 1;
        while index < stop {
            let bytes = load64(view.bytes, index);
            self.tables.put(view, index, hashes(bytes));
            if goes_on {
                self.tables.put_long(hash7(bytes >> 8), view.position(index).wrapping_add(1));
            }
            index += 2;
        }
        goes_on.then_some(at)
    }
}
