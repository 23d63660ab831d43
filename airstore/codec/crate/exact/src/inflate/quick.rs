//! Most of a block: where enough of the stream is at hand and there is room, symbols are decoded with all that changes
//! in registers. What is out of the ordinary is left to the slow loop, which reads one symbol.

use super::Inflate;
use crate::bits::BitReader;
use crate::plain::{copy_within, Plain, ROOM};
use crate::token::{
    Token, DISTANCE_BASE, DISTANCE_EXTRA, END_OF_BLOCK, FIRST_LENGTH, LENGTH_BASE, LENGTH_EXTRA, MAX_LENGTH,
};
use std::io::Read;

/// Tokens that are decoded at once, ...
pub const TOKENS: usize = 1 << 12;
/// ... and plain bytes.
pub const BYTES: usize = 1 << 14;

/// With fewer bytes of the stream at hand, making room is not worth it.
const WORTHWHILE: usize = 32;

/// The bits that are read, and where the next are.
#[derive(Clone, Copy)]
struct Bits {
    bits: u64,
    count: u32,
    at: usize,
}

impl Bits {
    /// Leave bits behind.
    #[inline(always)]
    fn skip(&mut self, n: u32) {
        self.bits >>= n;
        self.count -= n;
    }
}

impl Inflate {
    /// Decode tokens and append them and their bytes, up to so many, as long as nothing is out of the ordinary.
    /// Returns how many of them are copies.
    pub(super) fn quick<R: Read>(
        &self,
        reader: &mut BitReader<R>,
        plain: &mut Plain,
        tokens: &mut Vec<Token>,
    ) -> usize {
        if reader.at_hand().0.len() < WORTHWHILE {
            return 0;
        }
        let (first, start) = (tokens.len(), plain.bytes.len());
        tokens.resize(first + TOKENS, Token(0));
        plain.bytes.resize(start + BYTES + ROOM, 0);
        let (bytes, slots) = (&mut plain.bytes[..], &mut tokens[first..]);
        let (input, bits, count) = reader.at_hand();
        let mut next = Bits { bits, count, at: 0 };
        let (mut end, mut n, mut copies) = (start, 0, 0);
        while n < TOKENS && end < start + BYTES {
            let Some(eight) = input.get(next.at..).and_then(|input| input.first_chunk::<8>()) else { break };
            let mut now = next;
            now.bits |= u64::from_le_bytes(*eight) << now.count;
            let taken = (63 - now.count) >> 3;
            now.at += taken as usize;
            now.count += taken * 8;
            let (symbol, length) = self.literals.decode(now.bits);
            if symbol < END_OF_BLOCK && length > 0 {
                bytes[end] = symbol as u8;
                slots[n] = Token::literal(symbol as u8);
                end += 1;
            } else {
                let Some(token) = self.quick_copy(&mut now, symbol, length) else { break };
                if !copy_within(bytes, end, token.length(), token.distance()) {
                    break;
                }
                slots[n] = token;
                end += token.length();
                copies += 1;
                n += 1;
                next = now;
                continue;
            }
            now.skip(length);
            n += 1;
            next = now;
        }
        tokens.truncate(first + n);
        plain.bytes.truncate(end);
        reader.leave(next.at, next.bits, next.count);
        copies
    }

    /// A copy; `None` if it is none, or one that no stream has.
    #[inline(always)]
    fn quick_copy(&self, now: &mut Bits, symbol: usize, length: u32) -> Option<Token> {
        let index = symbol.wrapping_sub(FIRST_LENGTH);
        let (base, extra) = (*LENGTH_BASE.get(index)?, u32::from(LENGTH_EXTRA[index]));
        now.skip(length);
        let length = usize::from(base) + (now.bits & ((1 << extra) - 1)) as usize;
        now.skip(extra);
        let (index, bits) = self.distances.decode(now.bits);
        let (base, extra_bits) = (*DISTANCE_BASE.get(index)?, u32::from(*DISTANCE_EXTRA.get(index)?));
        if bits == 0 || length == MAX_LENGTH && extra > 0 {
            return None;
        }
        now.skip(bits);
        let distance = usize::from(base) + (now.bits & ((1 << extra_bits) - 1)) as usize;
        now.skip(extra_bits);
        Some(Token::copy(length, distance))
    }
}
