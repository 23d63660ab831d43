//! Numbers and pieces of side data: written to a buffer, read from a stream with every length bounded.

use crate::error::{ensure, Error, Result};
use std::io::Read;

/// Append a number, seven bits a byte, the lowest first.
pub fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads side data.
pub struct Wire<R>(pub R);

impl<R: Read> Wire<R> {
    /// Exactly `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; n];
        self.fill(&mut out)?;
        Ok(out)
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<()> {
        self.0.read_exact(out).map_err(|fault| match fault.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::Damaged("side data end too early"),
            _ => Error::Io(fault),
        })
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8> {
        let mut one = [0];
        self.fill(&mut one)?;
        Ok(one[0])
    }

    /// A number.
    pub fn number(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            ensure(shift < 63 || byte < 2, "side data: a number is too large")?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                ensure(byte > 0 || shift == 0, "side data: a number has more bytes than it needs")?;
                return Ok(value);
            }
        }
        Err(Error::Damaged("side data: a number is too large"))
    }

    /// A number up to `limit`.
    pub fn number_to(&mut self, limit: u64) -> Result<u64> {
        let value = self.number()?;
        ensure(value <= limit, "side data: a number is out of bounds")?;
        Ok(value)
    }

    /// Bytes with their number in front, up to `limit`.
    pub fn piece(&mut self, limit: usize) -> Result<Vec<u8>> {
        let n = self.number_to(limit as u64)?;
        self.bytes(n as usize)
    }

    /// Whether nothing follows.
    pub fn at_end(&mut self) -> Result<bool> {
        let mut one = [0];
        Ok(self.0.read(&mut one)? == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_have_one_form() {
        for value in [0, 1, 127, 128, 300, 1 << 20, u64::MAX >> 1, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(Wire(&out[..]).number().unwrap(), value);
        }
        assert!(Wire(&[0x80, 0][..]).number().is_err());
        assert!(Wire(&[0xff; 11][..]).number().is_err());
        assert!(Wire(&[0x80][..]).number().is_err());
    }
}
