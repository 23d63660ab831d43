//! A chunk's plain bytes behind those that matches reach back to, in memory of a fixed size: what an index is masked
//! with makes it sound, so that no access needs a check of its own.

use super::{common_eights, View};

/// Matches are nearer than this.
pub const REACH: usize = 1 << 15;
/// The index of a chunk's first byte.
pub const START: usize = REACH;
const MASK: usize = (1 << 17) - 1;
const SIZE: usize = MASK + 8;

/// The bytes of a chunk of at most 65535, and of the 32 KiB before it.
#[derive(Clone)]
pub struct Window(Box<[u8; SIZE]>);

impl Window {
    /// An empty window.
    pub fn new() -> Self {
        Window(Box::new([0; SIZE]))
    }

    /// Take the chunk of `size` bytes at an index of the view.
    pub fn take(&mut self, view: &View, at: usize, size: usize) {
        let before = at.min(REACH);
        self.0[START - before..START + size].copy_from_slice(&view.bytes[at - before..at + size]);
    }

    /// The byte at an index.
    #[inline]
    pub fn byte(&self, at: usize) -> u8 {
        self.0[at & MASK]
    }

    /// Four bytes, the first one lowest.
    #[inline]
    pub fn four(&self, at: usize) -> u32 {
        self.eight(at) as u32
    }

    /// Eight bytes, the first one lowest.
    #[inline]
    pub fn eight(&self, at: usize) -> u64 {
        let at = at & MASK;
        let mut eight = [0; 8];
        eight.copy_from_slice(&self.0[at..at + 8]);
        u64::from_le_bytes(eight)
    }

    /// Length of the common prefix of the bytes at `a` and `b`, at most `limit`.
    #[inline]
    pub fn common(&self, a: usize, b: usize, limit: usize) -> usize {
        common_eights(limit, |n| self.eight(a + n) ^ self.eight(b + n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_prefixes_end_where_bytes_differ_and_at_the_limit() {
        let mut bytes = [7; 600];
        for (at, length) in [(100, 0), (101, 1), (102, 2), (109, 9), (163, 63), (357, 257)] {
            bytes[at] = 8;
            let mut window = Window::new();
            window.take(&View { bytes: &bytes, base: 0 }, 0, bytes.len());
            assert_eq!(window.common(START, START + 100, 500), length);
            assert_eq!(window.common(START, START + 100, length / 2), length / 2);
            bytes[at] = 7;
        }
    }

    #[test]
    fn a_window_has_what_is_before_its_chunk() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut window = Window::new();
        for (at, size) in [(0, 65535), (65535, 65535), (131_070, 100), (10, 5)] {
            window.take(&View { bytes: &bytes, base: 0 }, at, size);
            for (back, byte) in bytes[at.saturating_sub(REACH)..at + size].iter().rev().enumerate() {
                assert_eq!(window.byte(START + size - 1 - back), *byte);
            }
            assert_eq!(window.eight(START - at.min(8)), super::super::load64(&bytes, at - at.min(8)));
        }
    }
}
