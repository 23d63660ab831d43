//! Go's `compress/flate` at level 1, as of Go 1.19 to 1.26.
//!
//! After `src/compress/flate/deflatefast.go` of Go 1.26.8: 65535 bytes at a time, one table of the last
//! position of each hash of four bytes, longer steps where nothing matches.

use super::{common, load32, load64, Model, View};
use crate::guide::{Plan, Unit};
use crate::inflate::Start;
use crate::rules::go;
use crate::token::{Token, MAX_DISTANCE, MAX_LENGTH};

const CHUNK: usize = 65535;
const TABLE_BITS: u32 = 14;
const MARGIN: usize = 15;
const NEVER: u32 = 0u32.wrapping_sub(1 << 16);
/// Below so many bytes a chunk is stored, ...
const STORED: usize = 16;
/// ... below so many it has no matches, and the next knows nothing of what was before.
const SMALL: usize = 128;

#[derive(Clone, Copy)]
struct Entry {
    four: u32,
    position: u32,
}

/// What is known of the next match.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// It is to be looked for from this position on.
    Search(u64),
    /// It starts here: position, length, distance.
    Match(u64, usize, usize),
    /// The chunk has no more.
    None,
}

/// The encoder's state.
#[derive(Clone)]
pub struct GoFast {
    table: Vec<Entry>,
    /// The current chunk's first and last position plus one.
    chunk: (u64, u64),
    next: Next,
    /// No match reaches before this position.
    floor: u64,
}

impl Default for GoFast {
    fn default() -> Self {
        let table = vec![Entry { four: 0, position: NEVER }; 1 << TABLE_BITS];
        GoFast { table, chunk: (0, 0), next: Next::None, floor: 0 }
    }
}

#[inline]
fn hash(four: u32) -> usize {
    (four.wrapping_mul(0x1e35_a7bd) >> (32 - TABLE_BITS)) as usize
}

impl GoFast {
    fn start_chunk(&mut self, view: &View, at: usize) {
        let start = view.base + at as u64;
        let size = CHUNK.min(view.bytes.len() - at);
        self.chunk = (start, start + size as u64);
        self.next = if size < SMALL { Next::None } else { Next::Search(start) };
    }

    fn limit(&self, view: &View) -> usize {
        ((self.chunk.1 - view.base) as usize).saturating_sub(MARGIN)
    }

    /// Put an index into the table; returns the distance to what was there, if that matches.
    #[inline]
    fn exchange(&mut self, view: &View, at: usize, four: u32) -> Option<usize> {
        let position = view.position(at);
        let entry = &mut self.table[hash(four) & ((1 << TABLE_BITS) - 1)];
        let before = *entry;
        *entry = Entry { four, position };
        let distance = position.wrapping_sub(before.position) as usize;
        let reach = (view.base + at as u64 - self.floor).min(MAX_DISTANCE as u64) as usize;
        (before.four == four && distance <= reach && distance > 0).then_some(distance)
    }

    fn search(&mut self, view: &View, from: u64) -> Next {
        let limit = self.limit(view);
        let mut at = (from - view.base) as usize;
        let mut skip = 32;
        loop {
            let step = skip >> 5;
            if at + step > limit {
                return Next::None;
            }
            skip += step;
            if let Some(distance) = self.exchange(view, at, load32(view.bytes, at)) {
                return self.found(view, at, distance);
            }
            at += step;
        }
    }

    fn found(&self, view: &View, at: usize, distance: usize) -> Next {
        let room = (self.chunk.1 - view.base) as usize - at - 4;
        let more = common(view.bytes, at + 4 - distance, at + 4, room.min(MAX_LENGTH - 4));
        Next::Match(view.base + at as u64, more + 4, distance)
    }

    /// A match ended before this index: hash around it, and see whether the next follows at once.
    fn after(&mut self, view: &View, at: usize) -> Next {
        if at >= self.limit(view) {
            return Next::None;
        }
        let around = load64(view.bytes, at - 1);
        self.exchange(view, at - 1, around as u32);
        match self.exchange(view, at, (around >> 8) as u32) {
            Some(distance) => self.found(view, at, distance),
            None => Next::Search(view.base + at as u64 + 1),
        }
    }
}

impl Model for GoFast {
    const CHUNKED: bool = false;

    fn begin(&mut self, view: &View, at: usize) {
        if view.base + at as u64 == 0 {
            *self = GoFast::default();
        }
        self.start_chunk(view, at);
    }

    fn hidden(&self, view: &View, at: usize) -> usize {
        CHUNK.min(view.bytes.len() - at)
    }

    #[inline]
    fn predict(&mut self, view: &View, at: usize) -> Token {
        let position = view.base + at as u64;
        if position >= self.chunk.1 {
            self.start_chunk(view, at);
        }
        if let Next::Search(from) = self.next {
            self.next = self.search(view, from);
        }
        match self.next {
            Next::Match(start, length, distance) if start == position => Token::copy(length, distance),
            _ => Token::literal(view.bytes[at]),
        }
    }

    #[inline]
    fn literals(&self, view: &View, at: usize) -> usize {
        let end = match self.next {
            Next::Match(start, ..) => start,
            Next::None => self.chunk.1,
            Next::Search(_) => return 1,
        };
        (end.saturating_sub(view.base + at as u64) as usize).min(view.bytes.len() - at)
    }

    #[inline]
    fn commit(&mut self, view: &View, at: usize, token: Token) {
        let position = view.base + at as u64;
        if !token.is_literal() {
            self.next = self.after(view, at + token.length());
        } else if matches!(self.next, Next::Match(start, ..) if start == position) {
            self.next = Next::Search(position + 1);
        }
    }

    #[inline]
    fn full(&mut self, view: &View, _: &Unit, at: usize) -> bool {
        view.base + at as u64 >= self.chunk.1
    }

    fn plan(&mut self, view: &View, unit: &Unit, at: usize, _: bool) -> Plan {
        let bytes = at.checked_sub(unit.span).map_or(&[][..], |from| &view.bytes[from..at]);
        self.chunk.1 = 0;
        if unit.span < SMALL {
            self.floor = view.base + at as u64;
        }
        let (start, literals) = if unit.span <= STORED {
            (Start::Stored(0), false)
        } else if unit.span < SMALL || unit.tokens.len() > unit.span - (unit.span >> 4) {
            (go::literals(bytes), true)
        } else {
            (go::fast(&unit.tokens, unit.span), false)
        };
        Plan { start, last: false, literals }
    }

    fn follow(&mut self, _: &Plan) {}
}
