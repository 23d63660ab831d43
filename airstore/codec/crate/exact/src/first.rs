//! What a stream's first blocks say of who wrote it, before any model is tried.

use crate::decode::Decoder;
use crate::encoder::{Encoder, Epoch};
use crate::inflate::{Block, Start};
use crate::models::zlib::Variant;
use crate::rules::klauspost::{told, Headers};
use std::io::Read;

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
    /// How the blocks' headers state lengths; unknown if all would be the same either way.
    headers: Option<Headers>,
    /// Whether there is more of the stream than the blocks that were read.
    goes_on: bool,
    /// Whether the stream is flushed where pgzip does so; unknown if it is not so long.
    flushed: Option<bool>,
    /// Whether it is flushed where pigz does so, and goes on.
    pieces: bool,
}

impl First {
    /// Read as much from a member's first block on as says something: what tells pigz, or, if `whole`, what tells
    /// pgzip. And whether what was read is sound: if not, recording says why.
    pub fn read<R: Read>(decoder: &mut Decoder<R>, whole: bool) -> (First, bool) {
        let mut first = First::default();
        // What cannot be read says nothing here.
        let begun = decoder.read_to(1);
        if let Some(block) = decoder.blocks.front().filter(|block| !block.last && !block.tokens.is_empty()) {
            first.size = Some((block.tokens.len(), block.span));
        }
        first.headers = decoder.blocks.front().filter(|block| !block.last).and_then(headers);
        let block = if whole { PGZIP_BLOCK } else { PIGZ_BLOCK };
        let read = decoder.read_to(block + 1);
        first.headers = first.headers.or_else(|| all_headers(decoder));
        first.goes_on = !decoder.blocks.is_empty() && !decoder.ended();
        if read.is_ok() {
            first.pieces = decoder.end == Some(PIGZ_BLOCK) && decoder.flushed;
            first.flushed = match decoder.end {
                Some(end) if end < block => None,
                end => whole.then_some(end == Some(block) && decoder.flushed),
            };
            // A block that goes on to where the stream was flushed is not cut by its encoder.
            first.size = first.size.filter(|(_, span)| decoder.end != Some(*span as u64));
        }
        (first, begun.is_ok() && read.is_ok())
    }

    /// What the first bytes of a stream say.
    #[cfg(test)]
    pub fn of(prefix: &[u8], whole: bool) -> First {
        let mut decoder = Decoder::new(prefix);
        if !matches!(crate::gzip::read_header(&mut decoder.reader), Ok(crate::gzip::Next::Member(_))) {
            return First::default();
        }
        decoder.start();
        First::read(&mut decoder, whole).0
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

    /// Whether nothing so far tells which headers come, and there is more of the stream.
    pub fn is_open(&self) -> bool {
        self.headers.is_none() && self.goes_on
    }

    /// How much of what tells klauspost's encoders apart is otherwise: its version, and whether it is pgzip.
    pub fn strange(&self, epoch: Epoch, parallel: bool) -> u8 {
        let strange = match epoch {
            Epoch::Since1_15_12 => false,
            Epoch::V1_18_2 => self.headers == Some(Headers::Full),
            _ => self.headers == Some(Headers::Used),
        };
        u8::from(strange) + 2 * u8::from(self.flushed.is_some_and(|flushed| flushed != parallel))
    }
}

/// How a block's header states lengths; `None` where it has none of copies.
fn headers(block: &Block) -> Option<Headers> {
    let Start::Dynamic(header) = &block.start else { return None };
    if block.plain {
        None
    } else {
        told(header)
    }
}

/// The first that tells, but for a block that ends where the stream was flushed: there all do alike.
fn all_headers<R: Read>(decoder: &Decoder<R>) -> Option<Headers> {
    let mut end = 0;
    decoder.blocks.iter().find_map(|block| {
        end += block.span as u64;
        if block.last || decoder.end == Some(end) {
            None
        } else {
            headers(block)
        }
    })
}
