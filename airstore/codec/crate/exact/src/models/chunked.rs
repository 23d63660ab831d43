//! Encoders that look for matches in chunks of 65535 bytes: klauspost/compress at levels 1 to 6, pgzip over
//! it, and Go's `compress/flate` from Go 1.27 on, which descends from it.
//!
//! After `flate/deflate.go` and `flate/fast_encoder.go` of klauspost/compress 1.18.0, `gzip.go` of
//! klauspost/pgzip 1.2.6, and `src/compress/flate/deflate.go` of Go 1.27.3.

use super::{Model, View};
use crate::guide::{Plan, Unit};
use crate::rules::klauspost::{Planner, Rules};
use crate::token::Token;

const CHUNK: usize = 65535;
/// Matches are nearer than this.
pub const REACH: usize = 1 << 15;
/// The encoder keeps up to so many bytes before it forgets all but 32 KiB.
const KEPT: u64 = 5 * 65535;
/// pgzip starts each block with so many bytes of the one before.
const DICTIONARY: usize = 16384;
/// Below so many bytes a chunk has no matches, and the next knows nothing of what was before.
const SMALL: usize = 128;

/// Where an encoder looks for matches. Indices are into the bytes.
pub struct Chunk<'a> {
    /// The plain bytes.
    pub view: &'a View<'a>,
    /// The chunk's end.
    pub end: usize,
    /// Where the encoder's history starts.
    pub history: usize,
}

/// A match that was found.
#[derive(Clone, Copy)]
pub struct Found {
    /// Where it starts.
    pub start: usize,
    /// How long it is; several tokens if that is more than one can say.
    pub length: usize,
    /// How far back it reaches.
    pub distance: usize,
    /// The index that the search would have looked at next.
    pub next: usize,
}

/// Looks for matches as one level does.
pub trait Matcher: Clone + Send {
    /// Forget all positions.
    fn forget(&mut self);
    /// A chunk starts.
    fn start(&mut self) {}
    /// The next match, looked for from an index on; all bytes from `literals` on are literals until then.
    fn search(&mut self, chunk: &Chunk, from: usize, literals: usize) -> Option<Found>;
    /// A match ended: where the search goes on, if it does.
    fn after(&mut self, chunk: &Chunk, found: &Found) -> Option<usize>;
}

#[derive(Clone, Copy)]
enum Next {
    Search(u64),
    /// A match; of which so much is still to be written, from this position on.
    Match(Found, u64, usize),
    None,
}

/// An encoder over chunks.
#[derive(Clone)]
pub struct Chunked<M> {
    matcher: M,
    chunk_end: u64,
    next: Next,
    history: u64,
    parallel: bool,
    cut: bool,
    planner: Planner,
}

impl<M: Matcher> Chunked<M> {
    /// The encoder; `parallel`: pgzip over it.
    pub fn new(matcher: M, rules: Rules, parallel: bool) -> Self {
        let (planner, cut) = (Planner::new(rules), rules.filled);
        Chunked { matcher, chunk_end: 0, next: Next::None, history: 0, parallel, cut, planner }
    }

    fn forget(&mut self, position: u64) {
        self.matcher.forget();
        self.history = position;
    }

    /// A pgzip block starts: run over its dictionary, for the tables only.
    fn restart(&mut self, view: &View, at: usize) {
        let dictionary = if at >= DICTIONARY { DICTIONARY } else { 0 };
        let from = at - dictionary;
        self.forget(view.base + from as u64);
        let view = View { bytes: &view.bytes[..at], base: view.base };
        let mut position = from;
        if dictionary > 0 {
            self.start_chunk(&view, from);
        }
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
            self.history = start - REACH as u64;
        }
        self.chunk_end = start + size as u64;
        self.next = if size < SMALL { Next::None } else { Next::Search(start) };
        self.matcher.start();
    }

    fn chunk<'a>(&self, view: &'a View<'a>) -> Chunk<'a> {
        let end = self.chunk_end.saturating_sub(view.base) as usize;
        Chunk {
            view,
            end: end.min(view.bytes.len()),
            history: self.history.saturating_sub(view.base) as usize,
        }
    }

    fn search(&mut self, view: &View, from: usize, literals: usize) -> Next {
        let chunk = self.chunk(view);
        match self.matcher.search(&chunk, from, literals) {
            Some(found) => Next::Match(found, view.base + found.start as u64, found.length),
            None => Next::None,
        }
    }

    fn after(&mut self, view: &View, found: &Found) -> Next {
        let chunk = self.chunk(view);
        let next = self.matcher.after(&chunk, found);
        next.map_or(Next::None, |at| Next::Search(view.base + at as u64))
    }
}

/// The part of a long match that is written next; `cut`: any long match is cut after 255 (before 1.15.0).
fn token_length(left: usize, cut: bool) -> usize {
    match left {
        0..=258 => left,
        259..=261 => 255,
        _ if cut => 255,
        _ => 258,
    }
}

impl<M: Matcher> Model for Chunked<M> {
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
            self.next = self.search(view, (from.max(position) - view.base) as usize, at);
        }
        match self.next {
            Next::Match(found, start, left) if start == position => {
                Token::copy(token_length(left, self.cut), found.distance)
            }
            _ => Token::literal(view.bytes[at]),
        }
    }

    #[inline]
    fn literals(&self, view: &View, at: usize) -> usize {
        let end = match self.next {
            Next::Match(_, start, _) => start,
            Next::None => self.chunk_end,
            Next::Search(_) => return 1,
        };
        (end.saturating_sub(view.base + at as u64) as usize).min(view.bytes.len() - at)
    }

    #[inline]
    fn commit(&mut self, view: &View, at: usize, token: Token) {
        let position = view.base + at as u64;
        let here = match self.next {
            Next::Match(found, start, left) if start == position => Some((found, left)),
            _ => None,
        };
        if token.is_literal() {
            if here.is_some() {
                self.next = Next::Search(position + 1);
            }
            return;
        }
        let expected =
            here.filter(|(found, left)| Token::copy(token_length(*left, self.cut), found.distance) == token);
        let end = at + token.length();
        self.next = match expected {
            Some((found, left)) if left > token.length() => {
                Next::Match(found, position + token.length() as u64, left - token.length())
            }
            // The view may have moved under a long match.
            Some((found, _)) => {
                let next = (found.next + end).saturating_sub(found.start + found.length);
                self.after(view, &Found { start: end - found.length, next, ..found })
            }
            None => {
                let (length, distance) = (token.length(), token.distance());
                self.after(view, &Found { start: at, length, distance, next: at + 1 })
            }
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
