//! The search for a longer match along the places with the same hash.

use super::places::WINDOW;
use super::{Match, Zlib, MAX_DISTANCE, MIN, NONE, NO_MATCH, TOO_FAR};
use crate::models::View;
use crate::token::MAX_LENGTH;

impl Zlib {
    /// A match, unless it costs more than it saves.
    #[inline]
    pub(super) fn worth(&self, found: Match) -> Match {
        if self.slow && found.length == MIN && found.distance > TOO_FAR {
            return NO_MATCH;
        }
        found
    }

    /// The longest match that is longer than the one before, if there is one; `newest`: the first candidate's low bits.
    #[inline]
    pub(super) fn search(&self, position: u64, newest: u16, limit: usize, length_before: usize) -> Match {
        let (mut best, mut length) = (NO_MATCH, length_before);
        let (here, mut from) = (position as u16, newest);
        let reach = (position - self.origin).saturating_sub(1).min(MAX_DISTANCE) as u16;
        if here.wrapping_sub(from) > reach {
            return best;
        }
        let reach = reach.min(MAX_DISTANCE as u16 - 1); // of the others
        let nice = self.level.nice.min(limit);
        let tries = if length_before >= self.level.good { self.level.chain >> 2 } else { self.level.chain };
        let mut tail = self.ring.tail(u32::from(here), length);
        for _ in 0..tries {
            if self.ring.has(u32::from(from), &tail) {
                let longer = self.ring.common(u32::from(from), u32::from(here), limit);
                if longer > length {
                    length = longer;
                    best = Match { length, distance: usize::from(here.wrapping_sub(from)) };
                    if length >= nice {
                        break;
                    }
                    tail = self.ring.tail(u32::from(here), length);
                }
            }
            from = self.places.before(from);
            if here.wrapping_sub(from) > reach {
                break;
            }
        }
        best
    }

    /// Look again at an index that is hashed already, as if nothing had been found before it.
    pub(super) fn again(&self, view: &View, at: usize) -> Match {
        if at + MIN > view.bytes.len() {
            return NO_MATCH;
        }
        let position = view.base + at as u64;
        let here = position as u16;
        // Where there were too few bytes for a hash, the place is that of 32 KiB before. What was recorded so has to
        // come back.
        let distance = here.wrapping_sub(self.places.before(here)) % WINDOW as u16;
        if distance == 0 {
            return NO_MATCH;
        }
        let limit = MAX_LENGTH.min(view.bytes.len() - at);
        self.search(position, here.wrapping_sub(distance), limit, NONE)
    }
}
