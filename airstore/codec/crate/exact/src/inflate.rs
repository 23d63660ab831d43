//! Reads the blocks of a DEFLATE stream (RFC 1951) into tokens and plain bytes.

mod quick;

use crate::bits::BitReader;
use crate::error::{Error, Result};
use crate::huffman::Decoder;
use crate::plain::Plain;
use crate::tables::{read_header, Header, Lengths};
use crate::token::{
    Token, DISTANCE_BASE, DISTANCE_EXTRA, END_OF_BLOCK, FIRST_LENGTH, LENGTH_BASE, LENGTH_EXTRA, MAX_LENGTH,
};
use quick::{BYTES, TOKENS};
use std::io::Read;

/// A part of a block holds at most this many tokens, ...
pub const MAX_TOKENS: usize = 1 << 19;
/// ... and ends with the token that reaches this many plain bytes.
pub const MAX_SPAN: usize = 8 << 20;

/// How a block starts.
#[derive(Clone, PartialEq)]
pub enum Start {
    /// It does not: these tokens belong to the block before.
    Continue,
    /// Stored, with these bits up to the next byte.
    Stored(u8),
    /// With the fixed codes.
    Fixed,
    /// With codes of its own.
    Dynamic(Header),
}

/// A block, or a part of a long one.
#[derive(Clone)]
pub struct Block {
    /// How it starts.
    pub start: Start,
    /// Whether it says that it is the stream's last.
    pub last: bool,
    /// Its tokens; none if it is stored.
    pub tokens: Vec<Token>,
    /// How many plain bytes it stands for.
    pub span: usize,
    /// Whether all its tokens are literals, or it is stored.
    pub plain: bool,
}

/// Reads one stream's blocks.
pub struct Inflate {
    literals: Decoder,
    distances: Decoder,
    /// The current block goes on.
    open: bool,
    last: bool,
}

impl Default for Inflate {
    fn default() -> Self {
        Inflate { literals: Decoder::new(11), distances: Decoder::new(9), open: false, last: false }
    }
}

impl Inflate {
    /// Whether the stream's last block was read whole.
    pub fn ended(&self) -> bool {
        self.last && !self.open
    }

    /// Whether a block was read in part only.
    pub fn open(&self) -> bool {
        self.open
    }

    /// Read the next block, or a part of it, and append its plain bytes.
    pub fn block<R: Read>(&mut self, reader: &mut BitReader<R>, plain: &mut Plain) -> Result<Block> {
        if self.open {
            return self.part(reader, plain, Start::Continue);
        }
        self.last = reader.take(1)? == 1;
        match reader.take(2)? {
            0 => self.stored(reader, plain),
            1 => {
                self.set(&Lengths::fixed())?;
                self.part(reader, plain, Start::Fixed)
            }
            2 => {
                let header = read_header(reader)?;
                self.set(&header.lengths)?;
                self.part(reader, plain, Start::Dynamic(header))
            }
            _ => Err(Error::Unsupported("a block is of no known kind")),
        }
    }

    fn set(&mut self, lengths: &Lengths) -> Result<()> {
        self.literals.set(&lengths.literals)?;
        self.distances.set(&lengths.distances)
    }

    fn stored<R: Read>(&mut self, reader: &mut BitReader<R>, plain: &mut Plain) -> Result<Block> {
        let (_, padding) = reader.align()?;
        let span = reader.take(16)?;
        if reader.take(16)? != !span & 0xffff {
            return Err(Error::Unsupported("a stored block's length is damaged"));
        }
        plain.append(span as usize, |out| reader.exact_bytes(out))?;
        let start = Start::Stored(padding as u8);
        Ok(Block { start, last: self.last, tokens: Vec::new(), span: span as usize, plain: true })
    }

    fn part<R: Read>(&mut self, reader: &mut BitReader<R>, plain: &mut Plain, start: Start) -> Result<Block> {
        let mut tokens = Vec::with_capacity(1 << 14);
        let before = plain.end();
        let mut copies = 0;
        self.open = true;
        // Whether there is room for so many tokens, and for these bytes before the last of them.
        let room = |tokens: &[Token], plain: &Plain, more: usize, bytes: usize| {
            tokens.len() + more <= MAX_TOKENS && plain.end() - before + bytes as u64 <= MAX_SPAN as u64
        };
        while room(&tokens, plain, 1, 1) {
            if room(&tokens, plain, TOKENS, BYTES) {
                copies += self.quick(reader, plain, &mut tokens);
                if !room(&tokens, plain, 1, 1) {
                    break;
                }
            }
            reader.refill()?;
            let (symbol, length) = self.literals.decode(reader.peek());
            if symbol < END_OF_BLOCK && length > 0 {
                reader.skip(length)?;
                plain.push(symbol as u8);
                tokens.push(Token::literal(symbol as u8));
                continue;
            }
            if symbol == END_OF_BLOCK {
                reader.skip(length)?;
                self.open = false;
                break;
            }
            let token = self.copy(reader, symbol, length)?;
            plain.copy(token.length(), token.distance())?;
            tokens.push(token);
            copies += 1;
        }
        if tokens.len() < TOKENS {
            // There may be as many blocks as bytes, and they wait together.
            tokens.shrink_to_fit();
        }
        let span = (plain.end() - before) as usize;
        Ok(Block { start, last: self.last, tokens, span, plain: copies == 0 })
    }

    #[inline]
    fn copy<R: Read>(&self, reader: &mut BitReader<R>, symbol: usize, bits: u32) -> Result<Token> {
        let index = symbol.wrapping_sub(FIRST_LENGTH);
        if bits == 0 || index >= LENGTH_BASE.len() {
            return Err(Error::Unsupported("a block has a code that it did not define"));
        }
        let extra = u32::from(LENGTH_EXTRA[index]);
        let rest = (reader.peek() >> bits) & ((1 << extra) - 1);
        let length = usize::from(LENGTH_BASE[index]) + rest as usize;
        if length == MAX_LENGTH && extra > 0 {
            return Err(Error::Unsupported("a length is written the longer way"));
        }
        reader.skip(bits + extra)?;
        let (index, bits) = self.distances.decode(reader.peek());
        if bits == 0 || index >= DISTANCE_BASE.len() {
            return Err(Error::Unsupported("a block has a distance that it did not define"));
        }
        let extra = u32::from(DISTANCE_EXTRA[index]);
        let rest = (reader.peek() >> bits) & ((1 << extra) - 1);
        reader.skip(bits + extra)?;
        Ok(Token::copy(length, usize::from(DISTANCE_BASE[index]) + rest as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::BitWriter;

    /// Literals with the fixed codes: eight bits each, the highest first.
    fn block(bytes: &[u8]) -> Vec<u8> {
        let mut out = BitWriter::default();
        out.put(0b011, 3);
        bytes.iter().for_each(|byte| out.put(u64::from((byte + 0x30).reverse_bits()), 8));
        out.put(0, 7);
        out.into_packed()
    }

    #[test]
    fn blocks_of_few_tokens_take_little_memory() {
        for size in [0, 1, 40, 300, 10_000] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 140) as u8).collect();
            let (mut inflate, mut plain) = (Inflate::default(), Plain::default());
            let mut reader = BitReader::new(std::io::Cursor::new(block(&bytes)));
            let read = inflate.block(&mut reader, &mut plain).expect("sound");
            assert!(inflate.ended() && plain.bytes == bytes && read.tokens.len() == size);
            assert!(size > TOKENS || read.tokens.capacity() < 2 * size + 8, "{size}");
        }
    }
}
