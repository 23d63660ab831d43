//! The plain bytes of one gzip member that are in memory: a history, and what lies ahead.

use crate::error::{Error, Result};

/// How much stays in memory behind the current position: the farthest distance, and whatever a unit may store.
pub const HISTORY: usize = (1 << 20) + (1 << 16);

/// What a short copy takes at once, ...
const AT_ONCE: usize = 16;
/// ... and the longest of them.
const SHORT: usize = 64;

/// Consecutive plain bytes; positions count from the member's start.
#[derive(Default)]
pub struct Plain {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The position of the first of them.
    pub base: u64,
}

impl Plain {
    /// The position behind the last byte.
    #[inline]
    pub fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// The bytes from one position to another.
    pub fn span(&self, from: u64, to: u64) -> &[u8] {
        &self.bytes[(from - self.base) as usize..(to - self.base) as usize]
    }

    /// Append one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Append `n` bytes that `fill` provides.
    pub fn append(&mut self, n: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
        let before = self.bytes.len();
        self.bytes.resize(before + n, 0);
        fill(&mut self.bytes[before..])
    }

    /// Append a copy of what lies `distance` back.
    #[inline]
    pub fn copy(&mut self, length: usize, distance: usize) -> Result<()> {
        let end = self.bytes.len();
        if distance > end {
            return Err(Error::Unsupported("a distance reaches before the start"));
        }
        let from = end - distance;
        if distance >= AT_ONCE && length <= SHORT {
            self.copy_short(from, length);
        } else if distance >= length {
            self.bytes.extend_from_within(from..from + length);
        } else {
            self.repeat(from, length);
        }
        Ok(())
    }

    /// Most copies are short: a few bytes too many cost less than a call.
    #[inline]
    fn copy_short(&mut self, from: usize, length: usize) {
        let end = self.bytes.len() + length;
        for from in (from..from + length).step_by(AT_ONCE) {
            let bytes: [u8; AT_ONCE] = self.bytes[from..].first_chunk().copied().unwrap_or_default();
            self.bytes.extend_from_slice(&bytes);
        }
        self.bytes.truncate(end);
    }

    fn repeat(&mut self, from: usize, length: usize) {
        let end = self.bytes.len() + length;
        while self.bytes.len() < end {
            let now = (self.bytes.len() - from).min(end - self.bytes.len());
            self.bytes.extend_from_within(from..from + now);
        }
    }

    /// Forget what is too far behind `position`, if that is much.
    pub fn forget_before(&mut self, position: u64) {
        let behind = (position - self.base) as usize;
        if behind > 3 * HISTORY {
            let gone = behind - HISTORY;
            self.bytes.drain(..gone);
            self.base += gone as u64;
        }
    }

    /// Start the next member.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.base = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_all_lengths_and_distances_are_what_lies_back() {
        for (distance, length) in (1..70).flat_map(|distance| (3..80).map(move |length| (distance, length))) {
            let mut plain = Plain { bytes: (0..70).map(|n| n * 3).collect(), base: 0 };
            let mut expected = plain.bytes.clone();
            (0..length).for_each(|_| expected.push(expected[expected.len() - distance]));
            plain.copy(length, distance).expect("in reach");
            assert_eq!(plain.bytes, expected, "{length} from {distance} back");
        }
        assert!(Plain::default().copy(3, 1).is_err());
    }
}
