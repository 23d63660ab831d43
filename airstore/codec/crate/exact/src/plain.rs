//! The plain bytes of one gzip member that are in memory: a history, and what lies ahead.

use crate::error::{Error, Result};

/// How much stays in memory behind the current position: the farthest distance, and whatever a unit may store.
pub const HISTORY: usize = (1 << 20) + (1 << 16);

/// What a copy takes at once: most are short, and a few bytes too many cost less than a call.
const AT_ONCE: usize = 16;
/// What is written beyond a copy's end at most.
pub const ROOM: usize = 512;

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
    pub fn copy(&mut self, length: usize, distance: usize) -> Result<()> {
        let end = self.bytes.len();
        self.bytes.resize(end + length + ROOM, 0);
        let copied = copy_within(&mut self.bytes, end, length, distance);
        self.bytes.truncate(end + length);
        if copied {
            Ok(())
        } else {
            Err(Error::Unsupported("a distance reaches before the start"))
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

/// Copy to an index what lies `distance` before it; false if nothing lies there. At most `ROOM` bytes behind are
/// overwritten; they have to be there.
#[inline(always)]
pub fn copy_within(bytes: &mut [u8], end: usize, length: usize, distance: usize) -> bool {
    let Some(from) = end.checked_sub(distance) else { return false };
    if distance >= AT_ONCE {
        for n in (0..length).step_by(AT_ONCE) {
            let some: [u8; AT_ONCE] = bytes[from + n..].first_chunk().copied().unwrap_or_default();
            bytes[end + n..end + n + AT_ONCE].copy_from_slice(&some);
        }
    } else {
        repeat(bytes, end, length, distance);
    }
    true
}

/// As `copy_within`, where what is copied is among what is copied: what was written repeats itself twice as far each time.
fn repeat(bytes: &mut [u8], end: usize, length: usize, distance: usize) {
    let (from, mut have) = (end - distance, distance);
    while have < distance + length {
        let now = have.min(distance + length - have);
        bytes.copy_within(from..from + now, from + have);
        have += now;
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
