//! How encoders build their Huffman codes and choose between kinds of blocks.

pub mod go;
pub mod heap;
pub mod klauspost;
pub mod merge;
pub mod runs;
pub mod zlib;

use crate::token::{
    distance_index, length_index, Token, DISTANCE_EXTRA, END_OF_BLOCK, FIRST_LENGTH, LENGTH_EXTRA,
};

/// How often each symbol occurs in a block.
pub struct Counts {
    /// Literals, the end of the block, lengths.
    pub literals: [u32; 286],
    /// Distances.
    pub distances: [u32; 30],
}

impl Counts {
    /// Those of tokens and an end of block.
    pub fn of(tokens: &[Token]) -> Self {
        let mut counts = Counts { literals: [0; 286], distances: [0; 30] };
        for token in tokens {
            if token.is_literal() {
                counts.literals[usize::from(token.byte())] += 1;
            } else {
                counts.literals[FIRST_LENGTH + length_index(token.length())] += 1;
                counts.distances[distance_index(token.distance())] += 1;
            }
        }
        counts.literals[END_OF_BLOCK] = 1;
        counts
    }

    /// Bits that follow the symbols' codes.
    pub fn extra_bits(&self) -> usize {
        let lengths = self.literals[FIRST_LENGTH..].iter().zip(&LENGTH_EXTRA);
        let distances = self.distances.iter().zip(&DISTANCE_EXTRA);
        lengths.chain(distances).map(|(count, extra)| *count as usize * usize::from(*extra)).sum()
    }
}

/// Bits of the codes of this many symbols.
pub fn code_bits(counts: &[u32], lengths: &[u8]) -> usize {
    counts.iter().zip(lengths).map(|(count, length)| *count as usize * usize::from(*length)).sum()
}

/// How many entries there are up to the last that is not 0.
pub fn used<T: Default + PartialEq>(entries: &[T]) -> usize {
    entries.iter().rposition(|entry| *entry != T::default()).map_or(0, |last| last + 1)
}
