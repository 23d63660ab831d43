//! The code lengths of a block: those of fixed blocks, and those that a dynamic block's header states.

use crate::bits::{BitReader, BitWriter};
use crate::error::{Error, Result};
use crate::huffman::Decoder;
use std::io::Read;
use std::sync::Arc;

/// Symbols of literals and lengths that a header can give a code.
pub const LITERALS: usize = 288;
/// Symbols of distances that a header can give a code.
pub const DISTANCES: usize = 32;
/// The order in which a header states the lengths of its own code.
pub const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The most bits of a header behind its block's first three: 14, 19 of 3, 320 of 7 + 7.
pub const MAX_HEADER_BITS: usize = 14 + 19 * 3 + 320 * 14;

/// Code lengths of one block.
#[derive(Clone, PartialEq, Eq)]
pub struct Lengths {
    /// Of literals, the end of the block, and lengths.
    pub literals: [u8; LITERALS],
    /// Of distances.
    pub distances: [u8; DISTANCES],
}

impl Lengths {
    /// Those of fixed blocks (RFC 1951, 3.2.6).
    pub fn fixed() -> Self {
        let mut literals = [8; LITERALS];
        literals[144..256].fill(9);
        literals[256..280].fill(7);
        Lengths { literals, distances: [5; DISTANCES] }
    }
}

/// The header of a dynamic block, as the bits behind the block's first three, and what they state.
#[derive(Clone)]
pub struct Header {
    /// The bits, packed.
    pub packed: Vec<u8>,
    /// How many bits there are.
    pub bits: usize,
    /// What they state.
    pub lengths: Arc<Lengths>,
}

impl Header {
    /// How many lengths it states, of literals and of distances.
    pub fn stated(&self) -> (usize, usize) {
        let sizes = self.packed.first_chunk().map_or(0, |two| u16::from_le_bytes(*two));
        (usize::from(sizes & 31) + 257, usize::from(sizes >> 5 & 31) + 1)
    }
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits && self.packed == other.packed
    }
}

/// Reads bits and keeps a copy of them.
struct Copying<'a, R> {
    reader: &'a mut BitReader<R>,
    copy: BitWriter,
}

impl<R: Read> Copying<'_, R> {
    fn take(&mut self, n: u32) -> Result<u32> {
        let value = self.reader.take(n)?;
        self.copy.put(u64::from(value), n);
        Ok(value)
    }

    fn symbol(&mut self, decoder: &Decoder) -> Result<usize> {
        self.reader.refill()?;
        let (symbol, length) = decoder.decode(self.reader.peek());
        if length == 0 {
            return Err(Error::Unsupported("a block's header has a code that it did not define"));
        }
        self.take(length)?;
        Ok(symbol)
    }
}

/// Read a dynamic block's header.
pub fn read_header<R: Read>(reader: &mut BitReader<R>) -> Result<Header> {
    let mut input = Copying { reader, copy: BitWriter::default() };
    let literals = input.take(5)? as usize + 257;
    let distances = input.take(5)? as usize + 1;
    let own = input.take(4)? as usize + 4;
    let mut own_lengths = [0; 19];
    for symbol in &ORDER[..own] {
        own_lengths[*symbol] = input.take(3)? as u8;
    }
    let mut decoder = Decoder::new(7);
    decoder.set(&own_lengths)?;
    let stated = read_lengths(&mut input, &decoder, literals + distances)?;
    let mut lengths = Lengths { literals: [0; LITERALS], distances: [0; DISTANCES] };
    lengths.literals[..literals].copy_from_slice(&stated[..literals]);
    lengths.distances[..distances].copy_from_slice(&stated[literals..literals + distances]);
    let bits = input.copy.length();
    Ok(Header { packed: input.copy.into_packed(), bits, lengths: Arc::new(lengths) })
}

fn read_lengths<R: Read>(input: &mut Copying<R>, decoder: &Decoder, total: usize) -> Result<[u8; 320]> {
    let mut stated = [0; LITERALS + DISTANCES];
    let mut at = 0;
    while at < total {
        let symbol = input.symbol(decoder)?;
        let (value, times) = match symbol {
            16 if at == 0 => return Err(Error::Unsupported("a block's header repeats nothing")),
            16 => (stated[at - 1], 3 + input.take(2)? as usize),
            17 => (0, 3 + input.take(3)? as usize),
            18 => (0, 11 + input.take(7)? as usize),
            length => (length as u8, 1),
        };
        if times > total - at {
            return Err(Error::Unsupported("a block's header states too many code lengths"));
        }
        stated[at..at + times].fill(value);
        at += times;
    }
    Ok(stated)
}
