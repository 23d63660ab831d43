//! Encoders that look for matches in chunks of 65535 bytes: klauspost/compress at levels 1 to 6, pgzip over
//! it, and Go's `compress/flate` from Go 1.27 on, which descends from it.
//!
//! After `flate/deflate.go` and `flate/fast_encoder.go` of klauspost/compress 1.18.0, `gzip.go` of
//! klauspost/pgzip 1.2.6, and `src/compress/flate/deflate.go` of Go 1.27.3.

mod glide;

use super::tables::{Level, Tables};
use super::window::{Window, REACH, START};
use super::{Model, View};
use crate::guide::{Glide, Guide, Plan, Unit};
use crate::rules::klauspost::{Planner, Rules};
use crate::token::Token;
use std::ops::Range;

const CHUNK: usize = 65535;
/// The encoder keeps up to so many bytes before it forgets all but 32 KiB.
const KEPT: u64 = 5 * 65535;
/// pgzip starts each block with so many bytes of the one before.
const DICTIONARY: usize = 16384;
/// Below so many bytes a chunk has no matches, and the next knows nothing of what was before.
const SMALL: usize = 128;

/// Where an encoder looks for matches. Indices are into the window.
pub struct Chunk<'a> {
    /// The plain bytes.
    pub window: &'a Window,
    /// The chunk's end.
    pub end: usize,
    /// Where the encoder's history starts.
    pub history: usize,
}

/// A match that was found.
#[derive(Clone, Default)]
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

#[derive(Clone, Copy)]
enum Next {
    Search(u64),
    /// The match that was found; from this position on, so much of it is still to be written.
    Match(u64, usize),
    None,
}

/// An encoder over chunks.
#[derive(Clone)]
pub struct Chunked<L> {
    tables: Tables<L>,
    window: Window,
    chunk_start: u64,
    chunk_end: u64,
    next: Next,
    /// What `Next::Match` is about. It stays where it is: copies of what was just written have to wait for it.
    found: Found,
    history: u64,
    parallel: bool,
    cut: bool,
    planner: Planner,
}

impl<L: Level> Chunked<L> {
    /// The encoder; `parallel`: pgzip over it.
    pub fn new(level: L, rules: Rules, parallel: bool) -> Self {
        Chunked {
            tables: Tables::new(level),
            window: Window::new(),
            chunk_start: 0,
            chunk_end: 0,
            next: Next::None,
            found: Found::default(),
            history: 0,
            parallel,
            cut: rules.filled,
            planner: Planner::new(rules),
        }
    }

    /// Nothing before a position is known: what tables hold is out of reach.
    fn forget(&mut self, position: u64) {
        self.tables.forget();
        self.chunk_start = position;
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
        if start.saturating_sub(self.history) + size as u64 > KEPT {
            self.history = start - REACH as u64;
        }
        self.tables.start(start.saturating_sub(self.chunk_start) as usize);
        self.window.take(view, at, size);
        self.chunk_start = start;
        self.chunk_end = start + size as u64;
        self.next = if size < SMALL { Next::None } else { Next::Search(start) };
    }

    /// The token for the next part of the match, of which so much is left.
    #[inline(always)]
    fn part(&self, left: usize) -> Token {
        Token::copy(token_length(left, self.cut), self.found.distance)
    }

    /// The window's index of a position.
    #[inline]
    fn index(&self, position: u64) -> usize {
        START + position.saturating_sub(self.chunk_start) as usize
    }

    #[inline]
    fn search(&mut self, from: u64, literals: u64) {
        let (from, literals) = (self.index(from), self.index(literals));
        let (chunk, tables, found) = self.chunk();
        self.next = if tables.search(&chunk, from, literals, found) {
            Next::Match(self.chunk_start + (self.found.start - START) as u64, self.found.length)
        } else {
            Next::None
        };
    }

    /// The match ended.
    #[inline]
    fn after(&mut self) {
        let (chunk, tables, found) = self.chunk();
        let next = tables.after(&chunk, found);
        self.next = next.map_or(Next::None, |at| Next::Search(self.chunk_start + (at - START) as u64));
    }

    #[inline]
    fn chunk(&mut self) -> (Chunk<'_>, &mut Tables<L>, &mut Found) {
        let before = self.chunk_start.saturating_sub(self.history);
        let chunk = Chunk {
            window: &self.window,
            end: self.index(self.chunk_end),
            history: START.saturating_sub(before as usize),
        };
        (chunk, &mut self.tables, &mut self.found)
    }
}

/// How much of a long match is written next; `cut`: any long match is cut after 255 (before 1.15.0).
fn token_length(left: usize, cut: bool) -> usize {
    match left {
        0..=258 => left,
        259..=261 => 255,
        _ if cut => 255,
        _ => 258,
    }
}

impl<L: Level> Model for Chunked<L> {
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
            self.search(from.max(position), position);
        }
        match self.next {
            Next::Match(start, left) if start == position => self.part(left),
            _ => Token::literal(view.bytes[at]),
        }
    }

    #[inline]
    fn literals(&self, view: &View, at: usize) -> usize {
        let end = match self.next {
            Next::Match(start, _) => start,
            Next::None => self.chunk_end,
            Next::Search(_) => return 1,
        };
        (end.saturating_sub(view.base + at as u64) as usize).min(view.bytes.len() - at)
    }

    #[inline]
    fn commit(&mut self, view: &View, at: usize, token: Token) {
        let position = view.base + at as u64;
        let here = match self.next {
            Next::Match(start, left) if start == position => Some(left),
            _ => None,
        };
        if token.is_literal() {
            if here.is_some() {
                self.next = Next::Search(position + 1);
            }
            return;
        }
        match here.filter(|left| self.part(*left) == token) {
            Some(left) if left > token.length() => {
                self.next = Next::Match(position + token.length() as u64, left - token.length());
            }
            Some(_) => self.after(),
            None => {
                let start = self.index(position);
                let (length, distance) = (token.length(), token.distance());
                self.found = Found { start, length, distance, next: start + 1 };
                self.after();
            }
        }
    }

    #[inline]
    fn full(&mut self, view: &View, _: &Unit, at: usize) -> bool {
        view.base + at as u64 >= self.chunk_end
    }

    fn glide<G: Guide>(&mut self, view: &View, span: Range<usize>, glide: Glide<G>) -> usize {
        self.alone(view, span, glide)
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
