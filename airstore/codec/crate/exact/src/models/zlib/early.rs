//! Where GNU gzip ends a block early: where matches are few but worth much.

use crate::guide::Unit;
use crate::token::{distance_index, DISTANCE_EXTRA};

/// Tokens after each of which it may.
pub const EVERY: usize = 1 << 12;

/// What was seen of a block.
#[derive(Clone, Default)]
pub struct Early {
    tokens: usize,
    copies: usize,
    extra: usize,
}

impl Early {
    /// Whether the block ends with its last token. `put_off`: whether matches are.
    pub fn ends(&mut self, unit: &Unit, put_off: bool) -> bool {
        let tokens = unit.tokens.len();
        for token in unit.tokens[self.tokens..].iter().filter(|token| !token.is_literal()) {
            self.copies += 1;
            self.extra += 5 + usize::from(DISTANCE_EXTRA[distance_index(token.distance())]);
        }
        self.tokens = tokens;
        let last = unit.tokens.last().map_or(0, |token| token.span());
        let read = unit.span - last + usize::from(put_off);
        self.copies < tokens / 2 && (tokens * 8 + self.extra) >> 3 < read / 2
    }
}
