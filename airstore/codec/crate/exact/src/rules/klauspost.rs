//! Blocks as klauspost/compress writes them: a chunk goes on with the codes of the one before if that is cheap.
//!
//! After `flate/huffman_bit_writer.go`, `flate/token.go` and `flate/deflate.go` (`storeFast`) of
//! klauspost/compress 1.18.0, and of 1.18.2 where that differs.

mod estimate;

use super::merge::lengths;
use super::runs::Runs;
use super::{code_bits, used, Counts};
use crate::guide::{Plan, Unit};
use crate::inflate::Start;
use crate::tables::{Header, Lengths};
use crate::token::{Token, END_OF_BLOCK, FIRST_LENGTH};
use estimate::{estimated_bits, flat};
use std::sync::Arc;

/// Units of fewer tokens may be written with the fixed codes.
const FEW: usize = 250;
/// What a header of literals is thought to take.
const GUESSED_HEADER: usize = 70 * 8;

/// How many code lengths headers of blocks that may go on state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Headers {
    /// All 286 and 30 (before 1.18.2).
    Full,
    /// As many as are used (from 1.18.2 on).
    Used,
    /// As the last header did that tells; before, all.
    AsBefore,
}

/// Which of both a header was written as; `None` if it would be the same.
pub fn told(header: &Header) -> Option<Headers> {
    let (literals, distances) = header.stated();
    if (literals, distances) != (286, 30) {
        return Some(Headers::Used);
    }
    let Lengths { literals, distances } = &*header.lengths;
    (literals[285] == 0 || distances[29] == 0).then_some(Headers::Full)
}

/// What differs between versions and levels.
#[derive(Clone, Copy)]
pub struct Rules {
    /// What headers of blocks that may go on state.
    pub headers: Headers,
    /// As before 1.15.0: symbols that do not occur get codes too, so that codes always fit; no fixed blocks;
    /// long matches are cut after 255 bytes.
    pub filled: bool,
    /// New codes are thought to cost this fraction (as a power of two) of the chunk.
    pub penalty: u32,
}

/// The block that is open.
#[derive(Clone)]
struct Open {
    header_bits: usize,
    lengths: Arc<Lengths>,
    literals: bool,
}

/// Decides how chunks are written.
#[derive(Clone)]
pub struct Planner {
    rules: Rules,
    /// Whether headers state all lengths.
    full: bool,
    open: Option<Open>,
}

impl Planner {
    /// A planner at a stream's start.
    pub fn new(rules: Rules) -> Self {
        Planner { rules, full: rules.headers != Headers::Used, open: None }
    }

    /// The stream was flushed.
    pub fn begin(&mut self) {
        self.open = None;
        // A segment knows nothing of the one before: they are rebuilt beside each other.
        self.full = self.rules.headers != Headers::Used;
    }

    /// How a chunk is written; `flush`: it is the last before a flush.
    pub fn plan(&self, unit: &Unit, bytes: &[u8], flush: bool) -> Plan {
        let span = unit.span;
        let whole = |start, literals| Plan { start, last: false, literals };
        if flush && span < 128 {
            return if span <= 32 {
                whole(Start::Stored(0), false)
            } else {
                whole(self.literals(bytes), true)
            };
        }
        if unit.tokens.len() == span {
            return whole(Start::Stored(0), false);
        }
        if unit.tokens.len() > span - (span >> 4) {
            return whole(self.literals(bytes), true);
        }
        whole(self.tokens(&unit.tokens, span, flush), false)
    }

    /// How it was written.
    pub fn follow(&mut self, plan: &Plan) {
        match &plan.start {
            Start::Continue => {}
            Start::Stored(_) | Start::Fixed => self.open = None,
            Start::Dynamic(header) => {
                if self.rules.headers == Headers::AsBefore && !plan.literals {
                    self.full = told(header).map_or(self.full, |headers| headers == Headers::Full);
                }
                let lengths = header.lengths.clone();
                self.open = Some(Open { header_bits: header.bits + 3, lengths, literals: plan.literals });
            }
        }
    }

    /// As before 1.15.0.
    fn filled(&self, tokens: &[Token], span: usize, flush: bool) -> Start {
        let mut counts = Counts::of(tokens);
        let mut number = tokens.len();
        if !flush {
            counts.literals[END_OF_BLOCK] = 0;
            for count in counts.literals.iter_mut().filter(|count| **count == 0) {
                *count = 1;
                number += 1;
            }
            counts.distances.iter_mut().for_each(|count| *count = (*count).max(1));
        } else if used(&counts.distances) == 0 {
            counts.distances[0] = 1;
        }
        let extra = counts.extra_bits();
        let stored = (span + 5) * 8;
        let poor = |size: usize| stored < size + (size >> 4);
        if let Some(open) = self.open.as_ref().filter(|open| !open.literals) {
            let new = open.header_bits + estimated_bits(&counts, number);
            let new = new + (new >> self.rules.penalty);
            let reused = bits(&counts, &open.lengths) + extra;
            if poor(new.min(reused)) {
                return Start::Stored(0);
            }
            if reused <= new {
                return Start::Continue;
            }
        }
        let numbers = if flush { (used(&counts.literals), used(&counts.distances)) } else { (286, 30) };
        let header = header(&counts, numbers);
        if poor(3 + header.bits + bits(&counts, &header.lengths) + extra) {
            return Start::Stored(0);
        }
        Start::Dynamic(header)
    }

    fn tokens(&self, tokens: &[Token], span: usize, flush: bool) -> Start {
        if self.rules.filled {
            return self.filled(tokens, span, flush);
        }
        let mut counts = Counts::of(tokens);
        counts.literals[END_OF_BLOCK] = u32::from(flush);
        let number = tokens.len() + usize::from(flush);
        let extra = counts.extra_bits();
        let stored = (span + 5) * 8;
        let open = self.open.as_ref().filter(|open| !open.literals && fits(&counts, &open.lengths));
        let estimate = estimated_bits(&counts, number);
        let ended = !self.full;
        if ended {
            counts.literals[END_OF_BLOCK] = 1;
        }
        if let Some(open) = open {
            let new = open.header_bits + estimate;
            let new = new + usize::from(open.lengths.literals[END_OF_BLOCK]) + (new >> self.rules.penalty);
            let reused = bits(&counts, &open.lengths) + extra;
            let size = new.min(reused);
            if number < FEW && fixed_bits(&counts, extra) + 7 < size {
                return if stored <= size { Start::Stored(0) } else { Start::Fixed };
            }
            if stored <= size {
                return Start::Stored(0);
            }
            if reused <= new {
                return Start::Continue;
            }
        }
        let full = self.full && !flush;
        self.new_block(counts, number, extra, stored, full)
    }

    fn new_block(&self, mut counts: Counts, number: usize, extra: usize, stored: usize, full: bool) -> Start {
        if !full && used(&counts.distances) == 0 {
            counts.distances[0] = 1;
        }
        counts.literals[END_OF_BLOCK] = 1;
        let numbers = if full { (286, 30) } else { (used(&counts.literals), used(&counts.distances)) };
        let header = header(&counts, numbers);
        let size = 3 + header.bits + bits(&counts, &header.lengths) + extra;
        let fixed = fixed_bits(&counts, extra);
        if number < FEW && fixed <= size {
            return if stored <= fixed { Start::Stored(0) } else { Start::Fixed };
        }
        if stored <= size {
            return Start::Stored(0);
        }
        Start::Dynamic(header)
    }

    /// Bytes as literals, or stored.
    fn literals(&self, bytes: &[u8]) -> Start {
        let mut counts = Counts::of(&[]);
        counts.literals[END_OF_BLOCK] = 0;
        bytes.iter().for_each(|byte| counts.literals[usize::from(*byte)] += 1);
        if !self.rules.filled && bytes.len() > 1024 && flat(&counts, bytes.len()) {
            return Start::Stored(0);
        }
        let open = self.open.as_ref();
        counts.literals[END_OF_BLOCK] = 1;
        counts.distances[0] = 1;
        let mut own = [0; 286];
        lengths(&counts.literals[..FIRST_LENGTH], 15, &mut own[..FIRST_LENGTH]);
        let estimate =
            code_bits(&counts.literals, &own) + open.map_or(GUESSED_HEADER, |open| open.header_bits);
        let estimate = estimate + (estimate >> self.rules.penalty);
        if (bytes.len() + 5) * 8 <= estimate {
            return Start::Stored(0);
        }
        counts.literals[END_OF_BLOCK] = 0;
        let reused = open.filter(|open| fit(&counts.literals, &open.lengths.literals));
        if reused.is_some_and(|open| code_bits(&counts.literals, &open.lengths.literals) <= estimate) {
            return Start::Continue;
        }
        counts.literals[END_OF_BLOCK] = 1;
        Start::Dynamic(header(&counts, (FIRST_LENGTH, 1)))
    }
}

fn bits(counts: &Counts, lengths: &Lengths) -> usize {
    code_bits(&counts.literals, &lengths.literals) + code_bits(&counts.distances, &lengths.distances)
}

fn fixed_bits(counts: &Counts, extra: usize) -> usize {
    3 + bits(counts, &Lengths::fixed()) + extra
}

fn fits(counts: &Counts, lengths: &Lengths) -> bool {
    fit(&counts.literals, &lengths.literals) && fit(&counts.distances, &lengths.distances)
}

fn fit(counts: &[u32], lengths: &[u8]) -> bool {
    counts.iter().zip(lengths).all(|(count, length)| *count == 0 || *length > 0)
}

fn header(counts: &Counts, (literals, distances): (usize, usize)) -> Header {
    let mut lit = [0; 286];
    let mut dist = [0; 30];
    lengths(&counts.literals, 15, &mut lit);
    lengths(&counts.distances, 15, &mut dist);
    let runs = Runs::go(lit[..literals].iter().chain(&dist[..distances]).copied());
    let mut own = [0; 19];
    lengths(&runs.counts, 7, &mut own);
    runs.header(&lit[..literals], &dist[..distances], &own)
}
