//! zlib's deflate at levels 1 to 9, and programs over it: GNU gzip, pigz, Java.
//!
//! After `deflate.c` of zlib 1.3.1, `deflate.c` and `trees.c` of GNU gzip 1.12 and `pigz.c` of pigz 2.8: hash
//! chains over three bytes; up to level 3 the first match is taken, from level 4 on it is put off for a longer
//! one a byte later. pigz runs it over blocks of 128 KiB, each with the 32 KiB before it as dictionary.
//!
//! And after `deflate.c` and `contrib/optimizations/insert_string.h` of Chromium's zlib 1.2.12.1 and 1.3.0.1, which
//! Node has: the same with other hashes, of four bytes even where fewer are left.

mod castagnoli;
mod early;
mod glide;
mod hash;
mod places;
mod search;

use self::early::{Early, EVERY};
use self::hash::Hash;
use self::places::Places;
use super::ring::Ring;
use super::{Model, View};
use crate::guide::{Glide, Guide, Plan, Unit};
use crate::rules::zlib;
use crate::token::{Token, MAX_LENGTH};
use std::ops::Range;

const MIN: usize = 3;
const NONE: usize = MIN - 1;
const MAX_DISTANCE: u64 = 32768 - 262;
const TOO_FAR: usize = 4096;
const DICTIONARY: usize = 32768;

/// What a level does.
struct Level {
    good: usize,
    lazy: usize,
    nice: usize,
    chain: usize,
}

const LEVELS: [Level; 9] = [
    Level { good: 4, lazy: 4, nice: 8, chain: 4 },
    Level { good: 4, lazy: 5, nice: 16, chain: 8 },
    Level { good: 4, lazy: 6, nice: 32, chain: 32 },
    Level { good: 4, lazy: 4, nice: 16, chain: 16 },
    Level { good: 8, lazy: 16, nice: 32, chain: 32 },
    Level { good: 8, lazy: 16, nice: 128, chain: 128 },
    Level { good: 8, lazy: 32, nice: 128, chain: 256 },
    Level { good: 32, lazy: 128, nice: 258, chain: 1024 },
    Level { good: 32, lazy: 258, nice: 258, chain: 4096 },
];

/// A program that uses zlib's algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// zlib with memLevel 8 or 9.
    Zlib(u8),
    /// GNU gzip: larger blocks that end early where that seems to pay.
    Gnu,
    /// pigz.
    Pigz,
    /// zlib as Chromium had it on processors with CRC-32C, which it hashes by: three bytes from level 6 on, four
    /// below.
    Castagnoli,
    /// zlib as Chromium has it since 2022, which hashes four bytes by a product; with memLevel 8 or 9.
    Product(u8),
}

#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

impl Match {
    fn token(self) -> Token {
        Token::copy(self.length, self.distance)
    }
}

const NO_MATCH: Match = Match { length: NONE, distance: 0 };

/// The encoder's state.
#[derive(Clone)]
pub struct Zlib {
    variant: Variant,
    level: &'static Level,
    slow: bool,
    hash: Hash,
    block_tokens: usize,
    places: Places,
    ring: Ring,
    here: Option<Match>,
    next: Match,
    /// What `next` will be, if it was looked for already.
    looked: Option<Match>,
    hashed: u64,
    /// The first position of the window; no match starts there.
    origin: u64,
    early: Early,
}

impl Zlib {
    /// A variant at a level from 1 to 9.
    pub fn new(variant: Variant, level: u8) -> Self {
        let number = usize::from(level.clamp(1, 9));
        let (bits, block_tokens) = match variant {
            Variant::Zlib(9) | Variant::Product(9) => (16, (1 << 15) - 1),
            Variant::Gnu => (15, (1 << 15) - 1),
            _ => (15, (1 << 14) - 1),
        };
        Zlib {
            variant,
            level: &LEVELS[number - 1],
            slow: number > 3,
            hash: Hash::new(variant, number, bits),
            block_tokens,
            places: Places::new(bits),
            ring: Ring::new(),
            here: None,
            next: NO_MATCH,
            looked: None,
            hashed: 0,
            origin: 0,
            early: Early::default(),
        }
    }

    /// A pigz block starts: nothing is known but its dictionary.
    fn restart(&mut self, view: &View, at: usize) {
        let from = at.saturating_sub(DICTIONARY);
        self.ring.restart(view.base + at as u64);
        self.origin = view.base + from as u64;
        self.places.restart(self.origin);
        self.hashed = self.origin;
    }

    /// Have the bytes around an index, and room for its place.
    #[inline]
    fn reach(&mut self, view: &View, at: usize) {
        if self.ring.reach(view, at) {
            self.places.reach(view.base + at as u64);
        }
    }

    /// Hash this index; returns the newest of the same hash, if there are enough bytes for one.
    #[inline]
    fn insert(&mut self, view: &View, at: usize) -> Option<u16> {
        let position = view.base + at as u64;
        self.hashed = position + 1;
        let hash = self.hash.at(view, &self.ring, at)?;
        Some(self.places.insert(position, hash))
    }

    #[inline]
    fn look(&mut self, view: &View, at: usize, length_before: usize) -> Match {
        let newest = self.insert(view, at);
        let ahead = view.bytes.len() - at;
        let newest = match newest {
            Some(newest) if ahead > length_before && !(self.slow && length_before >= self.level.lazy) => {
                newest
            }
            _ => return NO_MATCH,
        };
        self.worth(self.search(view.base + at as u64, newest, ahead.min(MAX_LENGTH), length_before))
    }
}

impl Model for Zlib {
    const CHUNKED: bool = false;

    fn begin(&mut self, view: &View, at: usize) {
        let start = view.base + at as u64;
        if start == 0 {
            self.places.restart(0);
            self.ring.restart(0);
            (self.origin, self.hashed) = (0, 0);
        } else if self.variant == Variant::Pigz {
            self.restart(view, at);
        }
        self.reach(view, at);
        // What could not be hashed for want of bytes behind it is hashed now.
        let first = self.hashed.max(start.saturating_sub(DICTIONARY as u64)).max(view.base) - view.base;
        for index in first as usize..at {
            self.insert(view, index);
        }
        self.here = None;
        self.hashed = start;
    }

    fn hidden(&self, _: &View, _: usize) -> usize {
        0
    }

    #[inline]
    fn predict(&mut self, view: &View, at: usize) -> Token {
        self.reach(view, at);
        let here = match self.here {
            Some(here) => here,
            None => self.look(view, at, NONE),
        };
        self.here = Some(here);
        self.next = NO_MATCH;
        if self.slow && at + 1 < view.bytes.len() {
            self.next = match self.looked.take() {
                Some(next) => next,
                None => self.look(view, at + 1, here.length),
            };
        }
        if here.length >= MIN && self.next.length <= here.length {
            return here.token();
        }
        Token::literal(view.bytes[at])
    }

    #[inline]
    fn commit(&mut self, view: &View, at: usize, token: Token) {
        let here = self.here.take();
        if token.is_literal() {
            self.here = self.slow.then_some(self.next);
            if self.slow && self.next.length < MIN && here.is_some_and(|here| here.length >= MIN) {
                self.here = Some(self.again(view, at + 1));
            }
            return;
        }
        let end = at + token.length();
        if !self.slow && (token.length() > self.level.lazy || view.bytes.len() - end < MIN) {
            self.hashed = view.base + end as u64;
            return;
        }
        let last = if self.slow { end.min((view.bytes.len() + 1).saturating_sub(MIN)) } else { end };
        for index in (self.hashed - view.base) as usize..last {
            self.insert(view, index);
        }
    }

    #[inline]
    fn full(&mut self, _: &View, unit: &Unit, _: usize) -> bool {
        let tokens = unit.tokens.len();
        let asks = self.variant == Variant::Gnu && tokens % EVERY == 0 && self.level.chain > 8;
        tokens == self.block_tokens || asks && self.early.ends(unit, self.slow)
    }

    fn glide<G: Guide>(&mut self, view: &View, span: Range<usize>, glide: Glide<G>) -> usize {
        self.alone(view, span, glide)
    }

    fn plan(&mut self, _: &View, unit: &Unit, _: usize, last: bool) -> Plan {
        self.early = Early::default();
        Plan { start: zlib::smallest(&unit.tokens, unit.span), last, literals: false }
    }

    fn follow(&mut self, _: &Plan) {}
}
