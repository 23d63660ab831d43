//! How zlib, and Chromium's, hash the bytes at a position.

use super::castagnoli::CASTAGNOLI;
use super::Variant;
use crate::models::ring::Ring;
use crate::models::View;

/// Bytes of zlib's window.
const WINDOW: usize = 65536;

/// How a position is hashed.
#[derive(Clone, Copy)]
pub enum Hash {
    /// Three bytes, each shifted by so much more.
    Rolling(u32),
    /// CRC-32C of those of four bytes that this mask leaves.
    Castagnoli(u32),
    /// A product of four bytes.
    Product,
}

impl Hash {
    /// As a variant hashes at a level, with hashes of so many bits.
    pub fn new(variant: Variant, level: usize, bits: u32) -> Self {
        match variant {
            Variant::Castagnoli if level < 6 => Hash::Castagnoli(u32::MAX),
            Variant::Castagnoli => Hash::Castagnoli(0xff_ffff),
            Variant::Product(_) => Hash::Product,
            _ => Hash::Rolling(bits.div_ceil(3)),
        }
    }

    /// The hash at an index, if enough bytes follow.
    #[inline]
    pub fn at(self, view: &View, ring: &Ring, at: usize) -> Option<usize> {
        let left = view.bytes.len().saturating_sub(at);
        let four = ring.four(view.position(at));
        match self {
            Hash::Rolling(_) if left >= 3 => Some(self.of(four)),
            Hash::Castagnoli(_) | Hash::Product if left >= 4 => Some(self.of(four)),
            Hash::Product => Some(product(beyond(view, at)?)),
            _ => None,
        }
    }

    /// The hash of four bytes, or of as many of them as it takes.
    #[inline(always)]
    pub fn of(self, four: u32) -> usize {
        match self {
            Hash::Rolling(shift) => {
                let [a, b, c, _] = four.to_le_bytes().map(usize::from);
                (a << (2 * shift)) ^ (b << shift) ^ c
            }
            Hash::Castagnoli(mask) => CASTAGNOLI.hash((four & mask).to_le_bytes()),
            Hash::Product => product(four),
        }
    }
}

#[inline]
fn product(four: u32) -> usize {
    (four.wrapping_mul(66521).wrapping_add(66521) >> 16) as usize
}

/// Three bytes, and what the encoder's window holds behind them: what was there 32 KiB ago, if it was full once.
fn beyond(view: &View, at: usize) -> Option<u32> {
    let [a, b, c] = *view.bytes[at..].first_chunk::<3>()?;
    let full = view.base + view.bytes.len() as u64 >= WINDOW as u64;
    let d = if full { view.bytes[view.bytes.len() - WINDOW / 2] } else { 0 };
    Some(u32::from_le_bytes([a, b, c, d]))
}
