//! Bits in DEFLATE's order: the least significant bit of each byte first.

mod writer;

use crate::error::{Error, Result};
use std::io::Read;

pub use writer::BitWriter;

const CHUNK: usize = 1 << 16;
const SHORT: Error = Error::Unsupported("the gzip stream ends too early");

/// Reads bits and bytes of a stream.
pub struct BitReader<R> {
    source: R,
    chunk: Box<[u8]>,
    at: usize,
    end: usize,
    bits: u64,
    count: u32,
    ended: bool,
}

impl<R: Read> BitReader<R> {
    /// A reader that starts at a byte's first bit.
    pub fn new(source: R) -> Self {
        let chunk = vec![0; CHUNK].into_boxed_slice();
        BitReader { source, chunk, at: 0, end: 0, bits: 0, count: 0, ended: false }
    }

    fn fetch(&mut self) -> Result<()> {
        self.at = 0;
        self.end = 0;
        loop {
            match self.source.read(&mut self.chunk) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end = n,
                Err(fault) if fault.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(fault) => return Err(fault.into()),
            }
            return Ok(());
        }
    }

    /// Have at least 56 bits at hand, or all there are.
    #[inline]
    pub fn refill(&mut self) -> Result<()> {
        if self.count >= 56 {
            return Ok(());
        }
        if let Some(next) = self.chunk[self.at..self.end].first_chunk::<8>() {
            let taken = (63 - self.count) >> 3;
            self.bits |= u64::from_le_bytes(*next) << self.count;
            self.at += taken as usize;
            self.count += taken * 8;
            // Bits above count were set too; they are the very bits that the next refill sets again.
            return Ok(());
        }
        self.refill_slowly()
    }

    #[cold]
    fn refill_slowly(&mut self) -> Result<()> {
        self.bits &= low(self.count);
        while self.count < 56 {
            if self.at == self.end {
                if self.ended {
                    return Ok(());
                }
                self.fetch()?;
                continue;
            }
            self.bits |= u64::from(self.chunk[self.at]) << self.count;
            self.at += 1;
            self.count += 8;
        }
        Ok(())
    }

    /// The next bits; those behind the stream's end are 0. Valid for as many as `refill` brought.
    #[inline]
    pub fn peek(&self) -> u64 {
        self.bits
    }

    /// Leave `n` bits behind.
    #[inline]
    pub fn skip(&mut self, n: u32) -> Result<()> {
        if n > self.count {
            return Err(SHORT);
        }
        self.bits >>= n;
        self.count -= n;
        Ok(())
    }

    /// Whether the source's end was met.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The bytes that are at hand behind the bits that are, those bits, and how many: those above are 0.
    pub fn at_hand(&self) -> (&[u8], u64, u32) {
        (&self.chunk[self.at..self.end], self.bits & low(self.count), self.count)
    }

    /// Leave so many of those bytes behind; these bits are at hand.
    pub fn leave(&mut self, bytes: usize, bits: u64, count: u32) {
        self.at += bytes;
        (self.bits, self.count) = (bits, count);
    }

    /// The next `n` bits, at most 32.
    pub fn take(&mut self, n: u32) -> Result<u32> {
        self.refill()?;
        let value = self.bits & low(n);
        self.skip(n)?;
        Ok(value as u32)
    }

    /// The bits up to the next byte: their number and value.
    pub fn align(&mut self) -> Result<(u32, u32)> {
        let n = self.count % 8;
        Ok((n, self.take(n)?))
    }

    /// Read bytes; the reader must stand at a byte's first bit. Fewer than asked for only at the end.
    pub fn bytes(&mut self, mut out: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        self.bits &= low(self.count);
        while self.count >= 8 && !out.is_empty() {
            out[0] = self.bits as u8;
            self.bits >>= 8;
            self.count -= 8;
            out = &mut out[1..];
            done += 1;
        }
        while !out.is_empty() {
            if self.at == self.end {
                self.fetch()?;
                if self.ended {
                    break;
                }
            }
            let n = out.len().min(self.end - self.at);
            out[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
            self.at += n;
            out = &mut out[n..];
            done += n;
        }
        Ok(done)
    }

    /// Read exactly as many bytes as fit.
    pub fn exact_bytes(&mut self, out: &mut [u8]) -> Result<()> {
        if self.bytes(out)? < out.len() {
            return Err(SHORT);
        }
        Ok(())
    }
}

#[inline]
fn low(n: u32) -> u64 {
    if n >= 64 {
        u64::MAX
    } else {
        (1 << n) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_over_every_border() {
        let mut writer = BitWriter::default();
        for n in 0..2000u64 {
            let width = (n * 7 % 33) as u32;
            writer.put(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) & low(width), width);
        }
        let packed = writer.into_packed();
        let mut reader = BitReader::new(Trickle(&packed));
        for n in 0..2000u64 {
            let width = (n * 7 % 33) as u32;
            let expected = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) & low(width);
            assert_eq!(u64::from(reader.take(width).unwrap()), expected, "{n}");
        }
        reader.align().unwrap();
        assert_eq!(reader.bytes(&mut [0]).unwrap(), 0);
        assert!(reader.take(1).is_err());
    }

    /// Gives 1 to 13 bytes a call.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = (self.0.len() % 13 + 1).min(out.len()).min(self.0.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }
}
