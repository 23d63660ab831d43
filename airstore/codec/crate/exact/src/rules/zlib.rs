//! Blocks as zlib writes them.
//!
//! After `trees.c` of zlib 1.3.1; GNU gzip 1.12 decides the same.

use super::heap::{self, Tree};
use super::runs::Runs;
use super::{code_bits, used, Counts};
use crate::inflate::Start;
use crate::tables::Lengths;
use crate::token::Token;

const MAX_STORED: usize = 65535;

/// The smallest kind of block, by whole bytes.
pub fn smallest(tokens: &[Token], span: usize) -> Start {
    let counts = Counts::of(tokens);
    let extra = counts.extra_bits();
    let mut lit = [0; 286];
    let mut dist = [0; 30];
    heap::lengths(&counts.literals, Tree { limit: 15 }, &mut lit);
    heap::lengths(&counts.distances, Tree { limit: 15 }, &mut dist);
    let (literals, distances) = (used(&lit), used(&dist));
    let runs = Runs::zlib(&lit[..literals], &dist[..distances]);
    let mut own = [0; 19];
    heap::lengths(&runs.counts, Tree { limit: 7 }, &mut own);
    let codes = code_bits(&counts.literals, &lit) + code_bits(&counts.distances, &dist);
    let own_bytes = (3 + runs.bits(&own) + codes + extra).div_ceil(8);
    let fixed = Lengths::fixed();
    let codes = code_bits(&counts.literals, &fixed.literals) + code_bits(&counts.distances, &fixed.distances);
    let fixed_bytes = (3 + codes + extra).div_ceil(8);
    if span + 4 <= own_bytes.min(fixed_bytes) && span <= MAX_STORED {
        Start::Stored(0)
    } else if fixed_bytes <= own_bytes {
        Start::Fixed
    } else {
        Start::Dynamic(runs.header(&lit[..literals], &dist[..distances], &own))
    }
}
