//! Models of encoders. A model need not be right: whatever it says is compared with the real stream.

pub mod chain;
pub mod chunked;
pub mod go_fast;
pub mod go_lazy;
pub mod klauspost5;
pub mod klauspost6;
pub mod null;
pub mod ring;
pub mod slots;
pub mod tables;
pub mod window;
pub mod zlib;

use crate::guide::{Glide, Guide, Plan, Unit};
use crate::token::Token;
use std::ops::Range;

/// Models look at most this far ahead; a segment's end that is farther away makes no difference to them.
pub const LOOKAHEAD: usize = 1 << 17;

/// The plain bytes that a model sees: one member's, up to its segment's end or at least `LOOKAHEAD` ahead.
pub struct View<'a> {
    /// The bytes, with at least 32 KiB before the current position, if there are so many.
    pub bytes: &'a [u8],
    /// The first byte's position in the member.
    pub base: u64,
}

impl View<'_> {
    /// The position in the member of the byte at this index; it wraps round at 4 GiB.
    #[inline]
    pub fn position(&self, at: usize) -> u32 {
        self.base.wrapping_add(at as u64) as u32
    }
}

/// What an encoder does. Indices are into the view's bytes.
pub trait Model: Clone + Send {
    /// Whether a unit's end need not be the end of a block.
    const CHUNKED: bool;
    /// A segment starts here: the encoder was flushed, or started.
    fn begin(&mut self, view: &View, at: usize);
    /// How many plain bytes from here on may be written as literals, whatever the tokens.
    fn hidden(&self, view: &View, at: usize) -> usize;
    /// The next token.
    fn predict(&mut self, view: &View, at: usize) -> Token;
    /// How many literals are sure to be expected from here on; asked where one is.
    #[inline]
    fn literals(&self, _: &View, _: usize) -> usize {
        1
    }
    /// Append tokens from a span's start as long as the guide agrees to each, and that is all that would be asked about
    /// it: the unit is not full, the view's end is far. Returns where that ends. A model that cannot appends none.
    #[inline(always)]
    fn glide<G: Guide>(&mut self, _: &View, span: Range<usize>, _: Glide<G>) -> usize {
        span.start
    }
    /// The token that was written.
    fn commit(&mut self, view: &View, at: usize, token: Token);
    /// Whether the unit ends with the token before this index.
    fn full(&mut self, view: &View, unit: &Unit, at: usize) -> bool;
    /// How a unit that ends here is written; `last`: it is the stream's end.
    fn plan(&mut self, view: &View, unit: &Unit, at: usize, last: bool) -> Plan;
    /// How it was written.
    fn follow(&mut self, plan: &Plan);
}

/// Length of the common prefix of the bytes at `a` and `b`, `a` before `b`, at most `limit`.
#[inline]
pub fn common(bytes: &[u8], a: usize, b: usize, limit: usize) -> usize {
    let left = &bytes[a..a + limit];
    let right = &bytes[b..b + limit];
    let mut n = 0;
    for (x, y) in left.chunks_exact(8).zip(right.chunks_exact(8)) {
        let differing = load64(x, 0) ^ load64(y, 0);
        if differing != 0 {
            return n + (differing.trailing_zeros() >> 3) as usize;
        }
        n += 8;
    }
    while n < limit && left[n] == right[n] {
        n += 1;
    }
    n
}

/// As `common`, of bytes that are had eight at a time: `differing` has the bits in which both differ from so many bytes
/// on. Bytes beyond the limit may be anything.
#[inline(always)]
pub fn common_eights(limit: usize, differing: impl Fn(usize) -> u64) -> usize {
    let mut n = 0;
    while n < limit {
        let bits = differing(n);
        if bits != 0 {
            return limit.min(n + (bits.trailing_zeros() >> 3) as usize);
        }
        n += 8;
    }
    limit
}

/// Four bytes, the first one lowest.
#[inline]
pub fn load32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk::<4>().map_or(0, |four| u32::from_le_bytes(*four))
}

/// Eight bytes, the first one lowest.
#[inline]
pub fn load64(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight))
}
