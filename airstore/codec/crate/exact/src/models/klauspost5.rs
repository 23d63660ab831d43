//! Level 5 of klauspost/compress, its default.
//!
//! After `flate/level5.go` of klauspost/compress 1.18.0.

use super::chunked::{Chunk, Found, Matcher};
use super::load64;
use super::tables::{hash4, hash7, hashes, Hashes, Span, Tables, MARGIN};

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
        let best = (at, chunk.short_length(at, distance), distance);
        let after = self.tables.long[hashes.1];
        self.tables.put(chunk.view, next, hashes);
        if chunk.distance(next, after[0]).is_some() {
            for position in after {
                let Some(distance) = chunk.matching(next, position, next_bytes) else { continue };
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
            let position = self.tables.long[hash7(load64(chunk.view.bytes, behind))][0];
            let distance = chunk.end_distance(at, behind, length, position);
            if let Some(longer) = chunk.longer(at + skip, distance, length) {
                best = longer;
            }
        }
        chunk.backwards(best, literals)
    }
}

impl Matcher for Level5 {
    fn forget(&mut self) {
        self.tables.forget();
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
            let next = at + 1 + ((at - literals) >> 6);
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
        let end = found.start + found.length;
        let at = if found.next >= end { found.next + 1 } else { end };
        if at + MARGIN >= chunk.end {
            return None;
        }
        let mut index = at + 1 - found.length;
        if index < at - 1 {
            let bytes = load64(view.bytes, index);
            let position = view.position(index);
            self.tables.put(view, index, hashes(bytes));
            self.tables.put_long(hash7(bytes >> 8), position.wrapping_add(1));
            self.tables.short[hash4(bytes >> 16)] = position.wrapping_add(2);
            index += 4;
            while index < at - 1 {
                let bytes = load64(view.bytes, index);
                let position = view.position(index);
                self.tables.put_long(hash7(bytes), position);
                self.tables.short[hash4(bytes >> 8)] = position.wrapping_add(1);
                index += 3;
            }
        }
        self.tables.put(view, at - 1, hashes(load64(view.bytes, at - 1)));
        Some(at)
    }
}
