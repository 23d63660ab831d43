//! Level 5 of klauspost/compress, its default.
//!
//! After `flate/level5.go` of klauspost/compress 1.18.0.

use super::chunked::{Chunk, Found};
use super::slots::{reaches, Hashes, Place, Slots};
use super::tables::{Level, Seen, Span, MARGIN};

/// The level's state.
#[derive(Clone)]
pub struct Level5 {
    /// How many bytes at the start of a match may differ when its end is looked up, if it is: 0 before 1.15.12,
    /// and not at all before 1.13.
    skip: Option<usize>,
}

impl Level5 {
    /// The level as a version has it.
    pub fn new(skip: Option<usize>) -> Self {
        Level5 { skip }
    }
}

impl Level for Level5 {
    const SKIP: u32 = 6;

    #[inline(always)]
    fn candidates<P: Place>(&self, slots: &mut Slots<P>, chunk: &Chunk, seen: &Seen) -> Option<Span> {
        let Seen { at, bytes, short, next, next_bytes, next_hashes, .. } = *seen;
        if let Some(found) = slots.newest(chunk, seen) {
            slots.put(next, next_hashes);
            return Some(found);
        }
        let near = chunk.matching(at, slots.place(at), short, bytes)?;
        let best = (at, chunk.short_length(at, near), near);
        let after = slots.long(next_hashes);
        slots.put(next, next_hashes);
        let there = slots.place(next);
        if reaches(there, after.0) {
            for known in [after.0, after.1] {
                let Some(distance) = chunk.matching(next, there, known, next_bytes) else { continue };
                let length = chunk.short_length(next, distance);
                if length > best.1 {
                    return Some((next, length, distance));
                }
            }
        }
        Some(best)
    }

    #[inline(always)]
    fn improve<P: Place>(&self, slots: &Slots<P>, chunk: &Chunk, found: Span) -> Span {
        let best = chunk.whole(found);
        let (at, length, _) = best;
        let behind = at + length;
        let Some(skip) = self.skip.filter(|_| length < 30 && behind < chunk.end - MARGIN) else {
            return best;
        };
        let (known, _) = slots.long(Hashes::of(chunk.window.eight(behind)));
        let distance = slots.end_distance(at, behind, length, known);
        chunk.longer(at + skip, distance, length).unwrap_or(best)
    }

    #[inline(always)]
    fn after<P: Place>(&mut self, slots: &mut Slots<P>, chunk: &Chunk, found: &Found) -> Option<usize> {
        let end = found.start + found.length;
        let at = if found.next >= end { found.next + 1 } else { end };
        if at + MARGIN >= chunk.end {
            return None;
        }
        let mut index = at + 1 - found.length;
        slots.make_room(index);
        if index < at - 1 {
            let bytes = chunk.window.eight(index);
            slots.put(index, Hashes::of(bytes));
            slots.put_long(index + 1, Hashes::of(bytes >> 8));
            slots.put_short(index + 2, Hashes::of(bytes >> 16));
            index += 4;
            while index < at - 1 {
                let bytes = chunk.window.eight(index);
                slots.make_room(index);
                slots.put_long(index, Hashes::of(bytes));
                slots.put_short(index + 1, Hashes::of(bytes >> 8));
                index += 3;
            }
        }
        slots.put(at - 1, Hashes::of(chunk.window.eight(at - 1)));
        Some(at)
    }
}
