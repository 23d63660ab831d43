//! zlib's deflate at levels 1 to 9, and programs over it: GNU gzip, pigz, Java.
//!
//! After `deflate.c` of zlib 1.3.1, `deflate.c` and `trees.c` of GNU gzip 1.12 and `pigz.c` of pigz 2.8: hash
//! chains over three bytes; up to level 3 the first match is taken, from level 4 on it is put off for a longer
//! one a byte later. pigz runs it over blocks of 128 KiB, each with the 32 KiB before it as dictionary.
//!
//! And after `deflate.c` and `contrib/optimizations/insert_string.h` of Chromium's zlib 1.2.12.1 and 1.3.0.1, which
//! Node has: the same with other hashes, of four bytes even where fewer are left.

mod castagnoli;
mod hash;

use self::hash::Hash;
use super::chain::Chains;
use super::ring::Ring;
use super::{Model, View};
use crate::guide::{Plan, Unit};
use crate::rules::zlib;
use crate::token::{distance_index, Token, DISTANCE_EXTRA, MAX_LENGTH};

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

const NO_MATCH: Match = Match { length: NONE, distance: 0 };

/// The encoder's state.
#[derive(Clone)]
pub struct Zlib {
    variant: Variant,
    level: &'static Level,
    slow: bool,
    hash: Hash,
    block_tokens: usize,
    chains: Chains,
    ring: Ring,
    here: Option<Match>,
    next: Match,
    hashed: u64,
    /// The first position of the window; no match starts there.
    origin: u64,
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
            chains: Chains::new(bits),
            ring: Ring::new(),
            here: None,
            next: NO_MATCH,
            hashed: 0,
            origin: 0,
        }
    }

    /// A pigz block starts: nothing is known but its dictionary.
    fn restart(&mut self, view: &View, at: usize) {
        let from = at.saturating_sub(DICTIONARY);
        self.chains.clear();
        self.ring.restart(view.base + at as u64);
        self.origin = view.base + from as u64;
        self.hashed = self.origin;
    }

    /// Hash this index; returns the newest of the same hash, plus one.
    #[inline]
    fn insert(&mut self, view: &View, at: usize) -> u32 {
        self.hashed = view.base + at as u64 + 1;
        match self.hash.at(view, &self.ring, at) {
            Some(hash) => self.chains.insert(view, at, hash),
            None => 0,
        }
    }

    #[inline]
    fn look(&mut self, view: &View, at: usize, length_before: usize) -> Match {
        let entry = self.insert(view, at);
        let ahead = view.bytes.len() - at;
        if entry == 0 || ahead <= length_before || self.slow && length_before >= self.level.lazy {
            return NO_MATCH;
        }
        let newest = view.position(at).wrapping_sub(entry.wrapping_sub(1));
        let found = self.search(view, at, newest, length_before);
        if self.slow && found.length == MIN && found.distance > TOO_FAR {
            return NO_MATCH;
        }
        found
    }

    /// The longest match that is longer than the one before, if there is one; the newest candidate is so far away.
    #[inline]
    fn search(&self, view: &View, at: usize, newest: u32, length_before: usize) -> Match {
        let limit = MAX_LENGTH.min(view.bytes.len() - at);
        let nice = self.level.nice.min(limit);
        let position = view.position(at);
        let reach = (view.base + at as u64 - self.origin).saturating_sub(1).min(MAX_DISTANCE) as u32;
        let (mut best, mut length) = (NO_MATCH, length_before);
        let tries = if length_before >= self.level.good { self.level.chain >> 2 } else { self.level.chain };
        let mut distance = newest;
        if distance > reach {
            return best;
        }
        let mut tail = self.ring.tail(position, length);
        for _ in 0..tries {
            let from = position.wrapping_sub(distance);
            if self.ring.has(from, &tail) {
                let longer = self.ring.common(from, position, limit);
                if longer > length {
                    length = longer;
                    best = Match { length, distance: distance as usize };
                    if length >= nice {
                        break;
                    }
                    tail = self.ring.tail(position, length);
                }
            }
            let step = self.chains.back(from);
            distance += step;
            if step == 0 || distance > reach.min(MAX_DISTANCE as u32 - 1) {
                break;
            }
        }
        best
    }

    /// GNU gzip ends a block early if matches are few but worth much.
    fn ends_early(&self, unit: &Unit) -> bool {
        let tokens = unit.tokens.len();
        if self.level.chain <= 8 || tokens & 0xfff != 0 {
            return false;
        }
        let mut copies = 0;
        let mut out = tokens * 8;
        for token in unit.tokens.iter().filter(|token| !token.is_literal()) {
            copies += 1;
            out += 5 + usize::from(DISTANCE_EXTRA[distance_index(token.distance())]);
        }
        let last = unit.tokens.last().map_or(0, |token| token.span());
        let read = unit.span - last + usize::from(self.slow);
        copies < tokens / 2 && out >> 3 < read / 2
    }
}

impl Model for Zlib {
    const CHUNKED: bool = false;

    fn begin(&mut self, view: &View, at: usize) {
        let start = view.base + at as u64;
        if start == 0 {
            self.chains.clear();
            self.ring.restart(0);
            (self.origin, self.hashed) = (0, 0);
        } else if self.variant == Variant::Pigz {
            self.restart(view, at);
        }
        self.ring.reach(view, at);
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
        self.ring.reach(view, at);
        let here = match self.here {
            Some(here) => here,
            None => self.look(view, at, NONE),
        };
        self.here = Some(here);
        self.next = NO_MATCH;
        if self.slow && at + 1 < view.bytes.len() {
            self.next = self.look(view, at + 1, here.length);
        }
        if here.length >= MIN && self.next.length <= here.length {
            return Token::copy(here.length, here.distance);
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
        unit.tokens.len() == self.block_tokens || self.variant == Variant::Gnu && self.ends_early(unit)
    }

    fn plan(&mut self, _: &View, unit: &Unit, _: usize, last: bool) -> Plan {
        Plan { start: zlib::smallest(&unit.tokens, unit.span), last, literals: false }
    }

    fn follow(&mut self, _: &Plan) {}
}

impl Zlib {
    /// Look again at an index that is hashed already, as if nothing had been found before it.
    fn again(&self, view: &View, at: usize) -> Match {
        if at + MIN > view.bytes.len() {
            return NO_MATCH;
        }
        match self.chains.back(view.position(at)) {
            0 => NO_MATCH,
            newest => self.search(view, at, newest, NONE),
        }
    }
}
