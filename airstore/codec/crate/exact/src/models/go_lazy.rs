//! Go's `compress/flate` at levels 2 to 9, as of Go 1.19 to 1.26.
//!
//! After `src/compress/flate/deflate.go` of Go 1.26.8: hash chains over four bytes, matches of four and more,
//! from level 4 on a match is put off for a longer one that starts a byte later; 16384 tokens a block.

use super::chain::Chains;
use super::ring::Ring;
use super::{Model, View};
use crate::guide::{Plan, Unit};
use crate::rules::go;
use crate::token::{Token, MAX_DISTANCE, MAX_LENGTH};

const MIN: usize = 4;
const NONE: usize = MIN - 1;
const BLOCK_TOKENS: usize = 1 << 14;
const HASH_BITS: u32 = 17;
const BUFFER: u64 = 1 << 16;

/// What a level does.
struct Level {
    lazy: usize,
    nice: usize,
    chain: usize,
    /// Without lazy matching: the longest match whose bytes are all hashed.
    hashed: usize,
}

const LEVELS: [Level; 8] = [
    Level { lazy: 0, nice: 16, chain: 8, hashed: 5 },
    Level { lazy: 0, nice: 32, chain: 32, hashed: 6 },
    Level { lazy: 4, nice: 16, chain: 16, hashed: 0 },
    Level { lazy: 16, nice: 32, chain: 32, hashed: 0 },
    Level { lazy: 16, nice: 128, chain: 128, hashed: 0 },
    Level { lazy: 32, nice: 128, chain: 256, hashed: 0 },
    Level { lazy: 128, nice: 258, chain: 1024, hashed: 0 },
    Level { lazy: 258, nice: 258, chain: 4096, hashed: 0 },
];

/// A match that was found; one of length 3 is none.
#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

const NO_MATCH: Match = Match { length: NONE, distance: 0 };

/// The encoder's state.
#[derive(Clone)]
pub struct GoLazy {
    level: &'static Level,
    chains: Chains,
    ring: Ring,
    /// What is known of the current position, if it was looked at.
    here: Option<Match>,
    /// What is known of the next one.
    next: Match,
    /// The next position to be hashed.
    hashed: u64,
    /// Where the encoder's buffer starts: it keeps 32 to 64 KiB.
    buffer: u64,
}

impl GoLazy {
    /// The encoder at a level from 2 to 9.
    pub fn new(level: u8) -> Self {
        let level = &LEVELS[usize::from(level.clamp(2, 9)) - 2];
        let chains = Chains::new(HASH_BITS);
        let ring = Ring::new();
        GoLazy { level, chains, ring, here: None, next: NO_MATCH, hashed: 0, buffer: 0 }
    }

    /// The encoder moves its buffer when it has too little ahead and there is more to come.
    fn slide(&mut self, view: &View, at: usize, threshold: u64) {
        let position = view.base + at as u64;
        let end = view.base + view.bytes.len() as u64;
        if position - self.buffer >= threshold && end - self.buffer > BUFFER {
            self.buffer += BUFFER / 2;
        }
    }

    /// Hash this index; returns the newest of the same hash, plus one.
    #[inline]
    fn insert(&mut self, view: &View, at: usize) -> u32 {
        self.hashed = view.base + at as u64 + 1;
        if at + MIN > view.bytes.len() {
            return 0;
        }
        let four = self.ring.four(view.position(at)).swap_bytes();
        let hash = four.wrapping_mul(0x1e35_a7bd) >> (32 - HASH_BITS);
        self.chains.insert(view, at, hash as usize)
    }

    /// Hash this index and look for a match, unless the one before is good enough.
    #[inline]
    fn look(&mut self, view: &View, at: usize, length_before: usize) -> Match {
        self.slide(view, at, BUFFER - 261);
        let entry = self.insert(view, at);
        let ahead = view.bytes.len() - at;
        let lazy = self.level.lazy == 0 || length_before < self.level.lazy;
        if entry == 0 || ahead <= length_before || !lazy {
            return NO_MATCH;
        }
        self.search(view, at, entry, ahead.min(MAX_LENGTH))
    }

    #[inline]
    fn search(&self, view: &View, at: usize, newest: u32, limit: usize) -> Match {
        let position = view.position(at);
        let reach = (view.base + at as u64 - self.buffer).min(MAX_DISTANCE as u64) as u32;
        let nice = self.level.nice.min(limit);
        let mut best = NO_MATCH;
        let mut distance = position.wrapping_sub(newest.wrapping_sub(1));
        let mut tail = self.ring.tail(position, NONE);
        for _ in 0..self.level.chain {
            if distance > reach {
                break;
            }
            let from = position.wrapping_sub(distance);
            if self.ring.has(from, &tail) {
                let length = self.ring.common(from, position, limit);
                if length > best.length && (length > MIN || distance <= 4096) {
                    best = Match { length, distance: distance as usize };
                    if length >= nice {
                        break;
                    }
                    tail = self.ring.tail(position, length);
                }
            }
            let step = self.chains.back(from);
            if step == 0 || distance == MAX_DISTANCE as u32 {
                break;
            }
            distance += step;
        }
        best
    }
}

impl Model for GoLazy {
    const CHUNKED: bool = false;

    fn begin(&mut self, view: &View, at: usize) {
        if view.base + at as u64 == 0 {
            self.chains.clear();
            self.ring.restart(0);
            self.buffer = 0;
        }
        self.slide(view, at, BUFFER - 262);
        self.here = None;
        self.hashed = view.base + at as u64;
    }

    fn hidden(&self, _: &View, _: usize) -> usize {
        usize::MAX
    }

    #[inline]
    fn predict(&mut self, view: &View, at: usize) -> Token {
        self.ring.reach(view, at);
        let here = match self.here {
            Some(here) => here,
            None => self.look(view, at, NONE),
        };
        self.here = Some(here);
        if self.level.lazy > 0 && at + 1 < view.bytes.len() {
            self.next = self.look(view, at + 1, here.length);
        } else {
            self.next = NO_MATCH;
        }
        if here.length >= MIN && self.next.length <= here.length {
            return Token::copy(here.length, here.distance);
        }
        Token::literal(view.bytes[at])
    }

    #[inline]
    fn commit(&mut self, view: &View, at: usize, token: Token) {
        if token.is_literal() {
            self.here = (self.level.lazy > 0).then_some(self.next);
            return;
        }
        self.here = None;
        if self.level.lazy == 0 && token.length() > self.level.hashed {
            return;
        }
        let first = (self.hashed - view.base) as usize;
        for index in first..at + token.length() {
            self.insert(view, index);
        }
    }

    #[inline]
    fn full(&mut self, _: &View, unit: &Unit, _: usize) -> bool {
        unit.tokens.len() == BLOCK_TOKENS
    }

    fn plan(&mut self, view: &View, unit: &Unit, at: usize, last: bool) -> Plan {
        let start = view.base + at as u64 - unit.span as u64;
        let stored = (start >= self.buffer).then_some(unit.span);
        Plan { start: go::smallest(&unit.tokens, stored), last, literals: false }
    }

    fn follow(&mut self, _: &Plan) {}
}
