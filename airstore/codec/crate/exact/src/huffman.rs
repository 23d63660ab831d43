//! Canonical Huffman codes from their lengths (RFC 1951, 3.2.2): tables to decode with and codes to write.

use crate::error::{Error, Result};

/// The longest code.
pub const MAX_BITS: usize = 15;

/// Decodes one code. Codes of up to `fast` bits take one look-up, longer ones a canonical walk.
pub struct Decoder {
    fast: u32,
    /// Symbol << 4 | length, by the next `fast` bits; 0 where the code is longer or unassigned.
    table: Vec<u16>,
    first: [u32; MAX_BITS + 2],
    count: [u32; MAX_BITS + 1],
    sorted: Vec<u16>,
}

impl Decoder {
    /// A decoder with room for look-ups of `fast` bits.
    pub fn new(fast: u32) -> Self {
        let table = vec![0; 1 << fast];
        Decoder { fast, table, first: [0; MAX_BITS + 2], count: [0; MAX_BITS + 1], sorted: Vec::new() }
    }

    /// Take these code lengths, 0 for symbols without a code. Codes may be missing but not too many.
    pub fn set(&mut self, lengths: &[u8]) -> Result<()> {
        self.count = [0; MAX_BITS + 1];
        for length in lengths {
            self.count[usize::from(*length)] += 1;
        }
        self.count[0] = 0;
        let mut next = starts(&self.count)?;
        let mut offset = [0; MAX_BITS + 2];
        for n in 1..=MAX_BITS {
            offset[n + 1] = offset[n] + self.count[n] as usize;
        }
        self.first = next;
        self.sorted.clear();
        self.sorted.resize(offset[MAX_BITS + 1], 0);
        self.table.fill(0);
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let n = usize::from(*length);
            self.sorted[offset[n]] = symbol as u16;
            offset[n] += 1;
            self.fill(next[n], u32::from(*length), symbol as u16);
            next[n] += 1;
        }
        Ok(())
    }

    fn fill(&mut self, code: u32, length: u32, symbol: u16) {
        if length > self.fast {
            return;
        }
        let entry = symbol << 4 | length as u16;
        let mut at = reverse(code, length) as usize;
        while at < self.table.len() {
            self.table[at] = entry;
            at += 1 << length;
        }
    }

    /// The next symbol and the length of its code; a length of 0 means that no code fits.
    #[inline]
    pub fn decode(&self, bits: u64) -> (usize, u32) {
        let entry = self.table[bits as usize & (self.table.len() - 1)];
        if entry != 0 {
            return (usize::from(entry >> 4), u32::from(entry & 15));
        }
        self.walk(bits)
    }

    fn walk(&self, bits: u64) -> (usize, u32) {
        let mut code = 0;
        let mut index = 0;
        for n in 1..=MAX_BITS {
            code = code << 1 | (bits >> (n - 1)) as u32 & 1;
            let above = code.wrapping_sub(self.first[n]);
            if above < self.count[n] {
                return (usize::from(self.sorted[(index + above) as usize]), n as u32);
            }
            index += self.count[n];
        }
        (0, 0)
    }
}

/// The first code of each length.
fn starts(count: &[u32; MAX_BITS + 1]) -> Result<[u32; MAX_BITS + 2]> {
    let mut first = [0; MAX_BITS + 2];
    for n in 1..=MAX_BITS {
        if first[n] + count[n] > 1 << n {
            return Err(Error::Unsupported("a Huffman code has too many short codes"));
        }
        first[n + 1] = (first[n] + count[n]) << 1;
    }
    Ok(first)
}

#[inline]
fn reverse(code: u32, length: u32) -> u32 {
    code.reverse_bits() >> (32 - length)
}

/// One symbol's code, its bits in writing order, and its length; 0 if it has none.
#[derive(Clone, Copy, Default)]
pub struct Code {
    /// The bits, the first one lowest.
    pub bits: u32,
    /// How many there are.
    pub length: u32,
}

/// The codes that belong to these lengths.
pub fn codes(lengths: &[u8], out: &mut [Code]) -> Result<()> {
    let mut count = [0; MAX_BITS + 1];
    for length in lengths {
        count[usize::from(*length)] += 1;
    }
    count[0] = 0;
    let mut next = starts(&count)?;
    out.fill(Code::default());
    for (length, code) in lengths.iter().zip(out) {
        if *length > 0 {
            let n = usize::from(*length);
            *code = Code { bits: reverse(next[n], u32::from(*length)), length: u32::from(*length) };
            next[n] += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_decoded() {
        let lengths = [1, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15, 4];
        let mut out = [Code::default(); 17];
        codes(&lengths, &mut out).unwrap();
        let mut decoder = Decoder::new(9);
        decoder.set(&lengths).unwrap();
        for (symbol, code) in out.iter().enumerate().filter(|(_, code)| code.length > 0) {
            assert_eq!(decoder.decode(u64::from(code.bits)), (symbol, code.length));
            let noise = 0xABCD_EF01_2345_6789 << code.length;
            assert_eq!(decoder.decode(u64::from(code.bits) | noise), (symbol, code.length));
        }
    }

    #[test]
    fn too_many_codes_are_refused_and_missing_ones_noticed() {
        let mut decoder = Decoder::new(9);
        assert!(decoder.set(&[1, 1, 1]).is_err());
        decoder.set(&[0, 1]).unwrap();
        assert_eq!(decoder.decode(0), (1, 1));
        assert_eq!(decoder.decode(1), (0, 0));
        decoder.set(&[]).unwrap();
        assert_eq!(decoder.decode(0), (0, 0));
    }
}
