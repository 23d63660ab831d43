//! How encoders build their Huffman codes and choose between kinds of blocks.

pub mod go;
pub mod heap;
pub mod klauspost;
pub mod merge;
pub mod runs;
pub mod zlib;

use crate::token::{
    distance_index, length_index, Token, DISTANCE_EXTRA, END_OF_BLOCK, FIRST_LENGTH, LENGTHS, LENGTH_EXTRA,
    MAX_LENGTH, NO_DISTANCE, VALUES,
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
        // Without branches: which kind comes next cannot be foreseen. A literal's distance, 0, is counted last.
        let (mut values, mut distances) = ([0; VALUES], [0; NO_DISTANCE + 1]);
        for token in tokens {
            values[token.value()] += 1;
            distances[distance_index(token.distance()) & NO_DISTANCE] += 1;
        }
        let mut counts = Counts { literals: [0; 286], distances: [0; 30] };
        counts.literals[..END_OF_BLOCK].copy_from_slice(&values[..END_OF_BLOCK]);
        for length in 3..=MAX_LENGTH {
            counts.literals[FIRST_LENGTH + length_index(length)] += values[LENGTHS + length];
        }
        counts.literals[END_OF_BLOCK] = 1;
        counts.distances.copy_from_slice(&distances[..30]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symbol_is_counted_and_each_of_a_copys_two() {
        let copies = [(3, 1), (10, 2), (11, 5), (257, 24577), (258, 32768), (258, 4)];
        let tokens = [0, 255, 7, 7].map(Token::literal).into_iter();
        let tokens: Vec<_> =
            tokens.chain(copies.map(|(length, distance)| Token::copy(length, distance))).collect();
        let counts = Counts::of(&tokens);
        let few =
            |counts: &[u32]| counts.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect::<Vec<_>>();
        let literals = [(0, 1), (7, 2), (255, 1), (256, 1), (257, 1), (264, 1), (265, 1), (284, 1), (285, 2)];
        assert_eq!(few(&counts.literals), literals);
        assert_eq!(few(&counts.distances), [(0, 1), (1, 1), (3, 1), (4, 1), (29, 2)]);
    }
}
