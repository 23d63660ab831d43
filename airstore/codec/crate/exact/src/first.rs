//! What a stream's first blocks say of who wrote it, before any model is tried.

use crate::decode::Decoder;
use crate::encoder::{Encoder, Epoch};
use crate::gzip::{self, Next};
use crate::inflate::{Block, Start};
use crate::models::zlib::Variant;

/// Go's encoders over chunks look for matches in so many bytes, and write what they found.
const CHUNK: usize = 65535;
/// pgzip ends its blocks after so many bytes unless it is told otherwise.
const PGZIP_BLOCK: u64 = 1 << 20;
/// As pigz does.
const PIGZ_BLOCK: u64 = 1 << 17;

/// The first block of a stream, and the end of its first segment.
#[derive(Default)]
pub struct First {
    /// Tokens and plain bytes, of a block with tokens that is not the only one.
    size: Option<(usize, usize)>,
    /// Whether it states all lengths there can be, if it states such of distances.
    full: Option<bool>,
    /// Whether the stream is flushed where pgzip does so; unknown if it is not so long.
    flushed: Option<bool>,
    /// Whether it is flushed where pigz does so, and goes on.
    pieces: bool,
}

impl First {
    /// Read as much of a stream as says something: what tells pigz, or, if `whole`, what tells pgzip.
    pub fn of(prefix: &[u8], whole: bool) -> First {
        let mut decoder = Decoder::new(prefix);
        let mut first = First::default();
        if !matches!(gzip::read_header(&mut decoder.reader), Ok(Next::Member(_))) {
            return first;
        }
        decoder.start();
        // What cannot be read says nothing here; recording says why.
        let _ = decoder.read_to(1);
        if let Some(block) = decoder.blocks.front().filter(|block| !block.last && !block.tokens.is_empty()) {
            first.size = Some((block.tokens.len(), block.span));
            first.full = full(block);
        }
        let block = if whole { PGZIP_BLOCK } else { PIGZ_BLOCK };
        if decoder.read_to(block + 1).is_ok() {
            first.pieces = decoder.end == Some(PIGZ_BLOCK) && decoder.flushed;
            first.flushed = match decoder.end {
                Some(end) if end < block => None,
                end => whole.then_some(end == Some(block) && decoder.flushed),
            };
            // A block that goes on to where the stream was flushed is not cut by its encoder.
            first.size = first.size.filter(|(_, span)| decoder.end != Some(*span as u64));
        }
        first
    }

    /// Whether an encoder's first block may look like this one.
    pub fn suits(&self, encoder: Encoder) -> bool {
        // zlib's model would err where pigz's pieces start, if at all: their dictionary is all that matches reach.
        if matches!(encoder, Encoder::Zlib(variant, _) if self.pieces && variant != Variant::Pigz) {
            return false;
        }
        let Some((tokens, span)) = self.size else { return true };
        match encoder {
            Encoder::Tokens => false,
            Encoder::GoLazy(_) => tokens == 1 << 14,
            Encoder::GoFast | Encoder::Go27(_) | Encoder::Klauspost(..) => span % CHUNK == 0,
            Encoder::Zlib(Variant::Gnu, _) => tokens == (1 << 15) - 1 || tokens % (1 << 12) == 0,
            Encoder::Zlib(Variant::Zlib(9) | Variant::Product(9), _) => tokens == (1 << 15) - 1,
            Encoder::Zlib(..) => tokens == (1 << 14) - 1,
        }
    }

    /// How much of what tells klauspost's encoders apart is otherwise: its version, and whether it is pgzip.
    pub fn strange(&self, epoch: Epoch, parallel: bool) -> u8 {
        let other_version = self.full.is_some_and(|full| full == (epoch == Epoch::V1_18_2));
        u8::from(other_version) + 2 * u8::from(self.flushed.is_some_and(|flushed| flushed != parallel))
    }
}

/// Whether a block's header states all 286 and 30 lengths; `None` where it has none of copies.
fn full(block: &Block) -> Option<bool> {
    let Start::Dynamic(header) = &block.start else { return None };
    let sizes = u16::from_le_bytes(*header.packed.first_chunk::<2>()?);
    let (literals, distances) = (sizes & 31, sizes >> 5 & 31);
    (!block.plain).then_some((literals, distances) == (29, 29))
}
