//! Blocks as Go's `compress/flate` of Go 1.19 to 1.26 writes them.
//!
//! After `src/compress/flate/huffman_bit_writer.go` of Go 1.26.8.

use super::merge::lengths;
use super::runs::Runs;
use super::{code_bits, used, Counts};
use crate::inflate::Start;
use crate::tables::{Header, Lengths};
use crate::token::{Token, FIRST_LENGTH};

const MAX_STORED: usize = 65535;

/// A block's own codes, and how many bits it takes with them.
struct Dynamic {
    header: Header,
    bits: usize,
}

/// `extra`: bits behind the symbols' codes.
fn dynamic(counts: &Counts, literals: usize, extra: usize) -> Dynamic {
    let mut lit = [0; 286];
    let mut dist = [0; 30];
    lengths(&counts.literals, 15, &mut lit);
    lengths(&counts.distances, 15, &mut dist);
    let distances = used(&counts.distances);
    let runs = Runs::go(lit[..literals].iter().chain(&dist[..distances]).copied());
    let mut own = [0; 19];
    lengths(&runs.counts, 7, &mut own);
    let header = runs.header(&lit[..literals], &dist[..distances], &own);
    let codes = code_bits(&counts.literals, &lit) + code_bits(&counts.distances, &dist);
    Dynamic { bits: 3 + header.bits + codes + extra, header }
}

fn counts_of(tokens: &[Token]) -> Counts {
    let mut counts = Counts::of(tokens);
    if used(&counts.distances) == 0 {
        counts.distances[0] = 1; // one code is defined where none is needed
    }
    counts
}

fn stored_bits(span: Option<usize>) -> Option<usize> {
    span.filter(|span| *span <= MAX_STORED).map(|span| (span + 5) * 8)
}

/// The smallest kind of block; `span`: how many bytes it would store, if the encoder still has them.
pub fn smallest(tokens: &[Token], span: Option<usize>) -> Start {
    let counts = counts_of(tokens);
    let stored = stored_bits(span);
    let extra = if stored.is_some() { counts.extra_bits() } else { 0 };
    let fixed = Lengths::fixed();
    let codes = code_bits(&counts.literals, &fixed.literals) + code_bits(&counts.distances, &fixed.distances);
    let fixed_bits = 3 + codes + extra;
    let own = dynamic(&counts, used(&counts.literals), extra);
    if stored.is_some_and(|stored| stored < fixed_bits.min(own.bits)) {
        return Start::Stored(0);
    }
    if own.bits < fixed_bits {
        Start::Dynamic(own.header)
    } else {
        Start::Fixed
    }
}

/// As level 1 writes tokens: with their own codes, or stored if that saves little.
pub fn fast(tokens: &[Token], span: usize) -> Start {
    let counts = counts_of(tokens);
    worthwhile(dynamic(&counts, used(&counts.literals), 0), span)
}

/// As level 1 writes bytes without matches: as literals, or stored if that saves little.
pub fn literals(bytes: &[u8]) -> Start {
    let mut counts = Counts::of(&[]);
    bytes.iter().for_each(|byte| counts.literals[usize::from(*byte)] += 1);
    counts.distances[0] = 1;
    worthwhile(dynamic(&counts, FIRST_LENGTH, 0), bytes.len())
}

fn worthwhile(own: Dynamic, span: usize) -> Start {
    if stored_bits(Some(span)).is_some_and(|stored| stored < own.bits + (own.bits >> 4)) {
        return Start::Stored(0);
    }
    Start::Dynamic(own.header)
}
