//! klauspost/compress at level 5, its default, and pgzip, which runs it over blocks of 1 MiB.
//!
//! After `flate/level5.go`, `flate/fast_encoder.go` and `flate/deflate.go` of klauspost/compress 1.18.0 and
//! `gzip.go` of klauspost/pgzip 1.2.6: chunks of 65535 bytes, one table by four bytes and one by seven that
//! keeps two positions, matches extended both ways.

use super::{common, load32, load64, Model, View};
use crate::guide::{Plan, Unit};
use crate::rules::klauspost::{Planner, Rules};
use crate::token::{Token, MAX_LENGTH};

const CHUNK: usize = 65535;
const BITS: u32 = 15;
const SLOTS: usize = 1 << BITS;
const MARGIN: usize = 11;
/// Matches are nearer than this.
const REACH: u64 = 1 << 15;
/// The encoder keeps up to so many bytes before it forgets all but 32 KiB.
const KEPT: u64 = 5 * 65535;
/// pgzip starts each block with so many bytes of the one before.
const DICTIONARY: usize = 16384;
const NEVER: u32 = 0u32.wrapping_sub(1 << 16);
/// Below so many bytes a chunk has no matches, and the next knows nothing of what was before.
const SMALL: usize = 128;

/// A match that was found, as a whole and what is still to be written of it.
#[derive(Clone, Copy)]
struct Found {
    start: u64,
    left: usize,
    distance: usize,
    length: usize,
    /// The next index that the search would have looked at.
    next: u64,
}

#[derive(Clone, Copy)]
enum Next {
    Search(u64),
    Match(Found),
    None,
}

/// The encoder's state.
pub struct Klauspost5 {
    short: Box<[u32; SLOTS]>,
    long: Box<[[u32; 2]; SLOTS]>,
    chunk_end: u64,
    next: Next,
    /// Where the encoder's history starts.
    history: u64,
    parallel: bool,
    /// How many bytes at the start of a match may differ when its end is looked up.
    skip: usize,
    planner: Planner,
}

#[inline]
fn hash4(bytes: u64) -> usize {
    ((bytes as u32).wrapping_mul(2_654_435_761) >> (32 - BITS)) as usize & (SLOTS - 1)
}

#[inline]
fn hash7(bytes: u64) -> usize {
    ((bytes << 8).wrapping_mul(58_295_818_150_454_627) >> (64 - BITS)) as usize & (SLOTS - 1)
}

impl Klauspost5 {
    /// The encoder, or pgzip over it.
    pub fn new(rules: Rules, parallel: bool, skip: usize) -> Self {
        Klauspost5 {
            short: Box::new([NEVER; SLOTS]),
            long: Box::new([[NEVER; 2]; SLOTS]),
            chunk_end: 0,
            next: Next::None,
            history: 0,
            parallel,
            skip,
            planner: Planner::new(rules),
        }
    }

    fn forget(&mut self, position: u64) {
        self.short.fill(NEVER);
        self.long.fill([NEVER; 2]);
        self.history = position;
    }

    /// A pgzip block starts: run over its dictionary, for the tables only.
    fn restart(&mut self, view: &View, at: usize) {
        let dictionary = if at >= DICTIONARY { DICTIONARY } else { 0 };
        let from = at - dictionary;
        self.forget(view.base + from as u64);
        if dictionary == 0 {
            return;
        }
        let view = View { bytes: &view.bytes[..at], base: view.base };
        self.start_chunk(&view, from);
        let mut position = from;
        while position < at {
            let token = self.predict(&view, position);
            self.commit(&view, position, token);
            position += token.span();
        }
    }

    fn start_chunk(&mut self, view: &View, at: usize) {
        let start = view.base + at as u64;
        let size = CHUNK.min(view.bytes.len() - at);
        if start - self.history + size as u64 > KEPT {
            self.history = start - REACH;
        }
        self.chunk_end = start + size as u64;
        self.next = if size < SMALL { Next::None } else { Next::Search(start) };
    }

    /// The distance from an index to an entry, if a match may be so far.
    #[inline]
    fn distance(&self, view: &View, at: usize, entry: u32) -> Option<usize> {
        let distance = u64::from(view.position(at).wrapping_sub(entry));
        let reach = (REACH - 1).min(view.base + at as u64 - self.history);
        (distance <= reach && distance > 0).then_some(distance as usize)
    }

    /// The distance to an entry with the same four bytes.
    #[inline]
    fn matching(&self, view: &View, at: usize, entry: u32, bytes: u64) -> Option<usize> {
        self.distance(view, at, entry).filter(|distance| load32(view.bytes, at - distance) == bytes as u32)
    }

    #[inline]
    fn put_long(&mut self, hash: usize, position: u32) {
        self.long[hash] = [position, self.long[hash][0]];
    }

    #[inline]
    fn put_both(&mut self, view: &View, at: usize, hashes: (usize, usize)) {
        let position = view.position(at);
        self.short[hashes.0] = position;
        self.put_long(hashes.1, position);
    }

    /// Length of a match at an index, up to the longest token.
    #[inline]
    fn short_length(&self, view: &View, end: usize, at: usize, distance: usize) -> usize {
        common(view.bytes, at - distance, at, MAX_LENGTH.min(end - at))
    }

    fn search(&mut self, view: &View, from: u64, literals_from: usize) -> Next {
        let end = (self.chunk_end - view.base) as usize;
        let limit = end.saturating_sub(MARGIN);
        let mut at = (from - view.base) as usize;
        if at > limit {
            return Next::None;
        }
        let mut bytes = load64(view.bytes, at);
        let mut hashes = (hash4(bytes), hash7(bytes));
        loop {
            let next = at + 1 + ((at - literals_from) >> 6);
            if next > limit {
                return Next::None;
            }
            let short = self.short[hashes.0];
            let long = self.long[hashes.1];
            let next_bytes = load64(view.bytes, next);
            self.put_both(view, at, hashes);
            hashes = (hash4(next_bytes), hash7(next_bytes));
            if let Some(found) =
                self.candidates(view, end, (at, bytes, short, long), (next, next_bytes, hashes))
            {
                return self.improve(view, end, literals_from, next, found);
            }
            at = next;
            bytes = next_bytes;
        }
    }

    /// A match at `at`, or a longer one at the index after: index, length, distance. Length 0: not known yet.
    #[inline]
    fn candidates(
        &mut self,
        view: &View,
        end: usize,
        (at, bytes, short, long): (usize, u64, u32, [u32; 2]),
        (next, next_bytes, hashes): (usize, u64, (usize, usize)),
    ) -> Option<(usize, usize, usize)> {
        let older = || self.matching(view, at, long[1], bytes);
        if self.distance(view, at, long[0]).is_some() {
            let (newest, older) = (self.matching(view, at, long[0], bytes), older());
            if let Some(distance) = newest.or(older) {
                self.put_both(view, next, hashes);
                let (Some(_), Some(other)) = (newest, older) else { return Some((at, 0, distance)) };
                let length = self.short_length(view, end, at, distance);
                let longer = self.short_length(view, end, at, other);
                return Some(if longer > length { (at, longer, other) } else { (at, length, distance) });
            }
        }
        let distance = self.matching(view, at, short, bytes)?;
        let mut best = (at, self.short_length(view, end, at, distance), distance);
        let after = self.long[hashes.1];
        self.put_both(view, next, hashes);
        if self.distance(view, next, after[0]).is_some() {
            for entry in after {
                if let Some(distance) = self.matching(view, next, entry, next_bytes) {
                    let length = self.short_length(view, end, next, distance);
                    if length > best.1 {
                        best = (next, length, distance);
                        break;
                    }
                }
            }
        }
        Some(best)
    }

    /// Extend a match: to its full length, by looking up its end, and backwards.
    fn improve(
        &self,
        view: &View,
        end: usize,
        literals_from: usize,
        next: usize,
        (mut at, mut length, mut distance): (usize, usize, usize),
    ) -> Next {
        if length == 0 {
            length = 4 + common(view.bytes, at + 4 - distance, at + 4, end - at - 4);
        } else if length == MAX_LENGTH {
            length += common(view.bytes, at + length - distance, at + length, end - at - length);
        }
        let behind = at + length;
        if length < 30 && behind < end - MARGIN {
            let entry = self.long[hash7(load64(view.bytes, behind))][0];
            let other = self.end_distance(view, behind, at + self.skip, entry);
            if let Some(other) = other {
                let from = at + self.skip;
                let longer = common(view.bytes, from - other, from, end - from);
                if longer > length {
                    (at, length, distance) = (from, longer, other);
                }
            }
        }
        let first = (self.history.saturating_sub(view.base)) as usize;
        while at > literals_from
            && at - distance > first
            && view.bytes[at - 1] == view.bytes[at - 1 - distance]
        {
            at -= 1;
            length += 1;
        }
        let start = view.base + at as u64;
        Next::Match(Found { start, left: length, distance, length, next: view.base + next as u64 })
    }

    /// The distance to an entry by a match's end, if the match's start lies in the history with it.
    fn end_distance(&self, view: &View, behind: usize, start: usize, entry: u32) -> Option<usize> {
        let distance = u64::from(view.position(behind).wrapping_sub(entry));
        let reach = (view.base + start as u64 - self.history).min(REACH - 1);
        (distance <= reach && distance > 0).then_some(distance as usize)
    }

    /// A match of this length ended before `at`; the search had `next` in view.
    fn after(&mut self, view: &View, at: usize, length: usize, next: u64) -> Next {
        let next = next.saturating_sub(view.base) as usize;
        let at = if next >= at { next + 1 } else { at };
        if at + MARGIN >= (self.chunk_end.saturating_sub(view.base)) as usize {
            return Next::None;
        }
        let mut index = at + 1 - length;
        if index < at - 1 {
            let bytes = load64(view.bytes, index);
            let position = view.position(index);
            self.short[hash4(bytes)] = position;
            self.put_long(hash7(bytes), position);
            self.put_long(hash7(bytes >> 8), position.wrapping_add(1));
            self.short[hash4(bytes >> 16)] = position.wrapping_add(2);
            index += 4;
            while index < at - 1 {
                let bytes = load64(view.bytes, index);
                let position = view.position(index);
                self.put_long(hash7(bytes), position);
                self.short[hash4(bytes >> 8)] = position.wrapping_add(1);
                index += 3;
            }
        }
        let bytes = load64(view.bytes, at - 1);
        self.put_both(view, at - 1, (hash4(bytes), hash7(bytes)));
        Next::Search(view.base + at as u64)
    }
}

/// The part of a long match that is written next.
fn token_length(left: usize) -> usize {
    match left {
        0..=258 => left,
        259..=261 => 255,
        _ => 258,
    }
}

impl Model for Klauspost5 {
    const CHUNKED: bool = true;

    fn begin(&mut self, view: &View, at: usize) {
        self.planner.begin();
        if self.parallel {
            self.restart(view, at);
        } else if view.base + at as u64 == 0 {
            self.forget(0);
        }
        self.start_chunk(view, at);
    }

    fn hidden(&self, view: &View, at: usize) -> usize {
        match self.chunk_end.saturating_sub(view.base + at as u64) {
            0 => CHUNK.min(view.bytes.len() - at),
            left => left as usize,
        }
    }

    #[inline]
    fn predict(&mut self, view: &View, at: usize) -> Token {
        let position = view.base + at as u64;
        if position >= self.chunk_end {
            self.start_chunk(view, at);
        }
        if let Next::Search(from) = self.next {
            self.next = self.search(view, from.max(position), at);
        }
        match self.next {
            Next::Match(found) if found.start == position => {
                Token::copy(token_length(found.left), found.distance)
            }
            _ => Token::literal(view.bytes[at]),
        }
    }

    #[inline]
    fn commit(&mut self, view: &View, at: usize, token: Token) {
        let position = view.base + at as u64;
        let here = match self.next {
            Next::Match(found) if found.start == position => Some(found),
            _ => None,
        };
        if token.is_literal() {
            if here.is_some() {
                self.next = Next::Search(position + 1);
            }
            return;
        }
        let end = at + token.length();
        let expected = here.filter(|found| Token::copy(token_length(found.left), found.distance) == token);
        self.next = match expected {
            Some(found) if found.left > token.length() => {
                let start = position + token.length() as u64;
                Next::Match(Found { start, left: found.left - token.length(), ..found })
            }
            Some(found) => self.after(view, end, found.length, found.next),
            None => self.after(view, end, token.length(), position + 1),
        };
    }

    #[inline]
    fn full(&mut self, view: &View, _: &Unit, at: usize) -> bool {
        view.base + at as u64 >= self.chunk_end
    }

    fn plan(&mut self, view: &View, unit: &Unit, at: usize, _: bool) -> Plan {
        let bytes = at.checked_sub(unit.span).map_or(&[][..], |from| &view.bytes[from..at]);
        let end = at == view.bytes.len();
        if end && unit.span < SMALL {
            self.forget(view.base + at as u64);
        }
        self.planner.plan(unit, bytes, end)
    }

    fn follow(&mut self, plan: &Plan) {
        self.planner.follow(plan);
    }
}
