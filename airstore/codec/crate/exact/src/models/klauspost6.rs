//! Level 6 of klauspost/compress, and the default level of Go from Go 1.27 on.
//!
//! After `src/compress/flate/level6.go` of Go 1.27.3; `flate/level6.go` of klauspost/compress 1.19.1 does the same.

use super::chunked::{Chunk, Found};
use super::slots::{reaches, Hashes, Place, Slots};
use super::tables::{Level, Seen, Span, MARGIN};
use super::window::REACH;
use crate::token::MAX_LENGTH;

/// How many bytes at the start of a match may differ when its end is looked up.
const SKIP: usize = 2;

/// The level's state.
#[derive(Clone)]
pub struct Level6 {
    /// The distance of the chunk's last match.
    repeat: usize,
}

impl Level6 {
    /// The level at a stream's start.
    pub fn new() -> Self {
        Level6 { repeat: 1 }
    }

    /// A match at the distance of the one before.
    #[inline(always)]
    fn repeated(&self, chunk: &Chunk, at: usize, bytes: u64) -> Option<Span> {
        let from = at.checked_sub(self.repeat).filter(|from| *from >= chunk.history)?;
        if chunk.window.four(from) != bytes as u32 {
            return None;
        }
        Some((at, chunk.short_length(at, self.repeat).min(MAX_LENGTH), self.repeat))
    }
}

impl Level for Level6 {
    const SKIP: u32 = 7;

    fn start(&mut self) {
        self.repeat = 1;
    }

    #[inline(always)]
    fn candidates<P: Place>(&self, slots: &mut Slots<P>, chunk: &Chunk, seen: &Seen) -> Option<Span> {
        let Seen { at, bytes, short, next, next_bytes, next_hashes, .. } = *seen;
        if let Some(found) = slots.newest(chunk, seen) {
            slots.put(next, next_hashes);
            return Some(found);
        }
        let near = chunk.matching(at, slots.place(at), short, bytes)?;
        let mut best = (at, chunk.short_length(at, near), near);
        let after = slots.long(next_hashes);
        slots.put(next, next_hashes);
        if let Some(repeated) = self.repeated(chunk, at + 1, bytes >> 8).filter(|found| found.1 > best.1) {
            return Some(repeated);
        }
        let there = slots.place(next);
        if reaches(there, after.0) {
            for known in [after.0, after.1] {
                let Some(distance) = chunk.matching(next, there, known, next_bytes) else { continue };
                let length = chunk.short_length(next, distance);
                if length > best.1 {
                    best = (next, length, distance);
                }
            }
        }
        Some(best)
    }

    #[inline(always)]
    fn improve<P: Place>(&self, slots: &Slots<P>, chunk: &Chunk, found: Span) -> Span {
        let mut best = chunk.whole(found);
        let (at, length, _) = best;
        let behind = at + length;
        if behind < chunk.end - MARGIN {
            let (newest, older) = slots.long(Hashes::of(chunk.window.eight(behind)));
            if slots.end_distance(at, behind, length, newest) < REACH as i64 {
                for known in [newest, older] {
                    let distance = slots.end_distance(at, behind, best.1, known);
                    if let Some(longer) = chunk.longer(at + SKIP, distance, best.1) {
                        best = longer;
                    }
                }
            }
        }
        best
    }

    #[inline(always)]
    fn after<P: Place>(&mut self, slots: &mut Slots<P>, chunk: &Chunk, found: &Found) -> Option<usize> {
        self.repeat = found.distance;
        let end = found.start + found.length;
        let at = if found.next >= end { found.next + 1 } else { end };
        let goes_on = at + MARGIN < chunk.end;
        let stop = if goes_on { at - 1 } else { chunk.end.saturating_sub(8) };
        let mut index = found.next + 1;
        while index < stop {
            let bytes = chunk.window.eight(index);
            slots.make_room(index);
            slots.put(index, Hashes::of(bytes));
            if goes_on {
                slots.put_long(index + 1, Hashes::of(bytes >> 8));
            }
            index += 2;
        }
        goes_on.then_some(at)
    }
}
