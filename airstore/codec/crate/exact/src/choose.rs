//! Which encoder wrote a stream: its header gives an order, the first blocks decide.

use crate::encoder::Encoder;
use crate::error::Result;
use crate::models::zlib::Variant;
use crate::record::try_encoder;
use std::io::{Read, Take};

/// Compressed bytes that all candidates are tried on, ...
const SHORT: usize = 1 << 17;
/// ... and those that did well.
const LONG: usize = 1 << 20;
/// Deviations of more than this part of the stream are worse than its tokens, which delta better.
const WORTHWHILE: u64 = 2;

/// A stream's first bytes, which were read, and the rest of it.
pub struct Prefix<R> {
    /// What was read.
    pub bytes: Vec<u8>,
    /// The rest.
    pub rest: R,
}

impl<R: Read> Prefix<R> {
    /// Read a stream's first bytes.
    pub fn of(mut source: R) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut limited: Take<&mut R> = source.by_ref().take(LONG as u64);
        limited.read_to_end(&mut bytes)?;
        Ok(Prefix { bytes, rest: source })
    }
}

/// The encoder whose model errs least over a stream's first bytes.
pub fn choose(prefix: &[u8]) -> Encoder {
    let candidates = candidates(prefix);
    let short = &prefix[..prefix.len().min(SHORT)];
    let mut tried = Vec::new();
    let mut bound = u64::MAX;
    for encoder in candidates {
        let cost = try_encoder(encoder, short, bound.saturating_mul(2).saturating_add(64));
        if cost == 0 && try_encoder(encoder, prefix, 1) == 0 {
            return encoder;
        }
        bound = bound.min(cost);
        tried.push((cost, encoder));
    }
    tried.retain(|(cost, _)| *cost <= bound.saturating_mul(2).saturating_add(64));
    let mut best = (u64::MAX, Encoder::Tokens);
    for (_, encoder) in tried {
        let cost = try_encoder(encoder, prefix, best.0);
        if cost < best.0 {
            best = (cost, encoder);
        }
    }
    if best.0 > prefix.len() as u64 / WORTHWHILE {
        return Encoder::Tokens;
    }
    best.1
}

/// All encoders, those first that write such headers.
fn candidates(prefix: &[u8]) -> Vec<Encoder> {
    let (time, speed, system) = match prefix {
        [0x1f, 0x8b, 8, _, a, b, c, d, speed, system, ..] => ([*a, *b, *c, *d], *speed, *system),
        _ => ([0; 4], 0, 0),
    };
    let mut all = Encoder::all();
    all.retain(|encoder| *encoder != Encoder::Tokens);
    // pgzip and klauspost write Go's zero time, cut to 32 bits.
    let klauspost = time == [0, 9, 0x6e, 0x88];
    let go = system == 255 && !klauspost;
    all.sort_by_key(|encoder| match encoder {
        Encoder::Klauspost(5, _, true) if klauspost => 0,
        Encoder::Klauspost(..) if klauspost => 1,
        Encoder::GoFast if go && speed == 4 => 0,
        Encoder::GoLazy(9) if go && speed == 2 => 0,
        Encoder::GoLazy(6) | Encoder::Go27(6) if go && speed == 0 => 0,
        Encoder::GoFast | Encoder::GoLazy(_) | Encoder::Go27(_) if go => 1,
        Encoder::Zlib(_, 9) if speed == 2 && system != 255 => 0,
        Encoder::Zlib(_, 1) if speed == 4 && system != 255 => 0,
        Encoder::Zlib(Variant::Zlib(8), 6) => 1,
        Encoder::Zlib(Variant::Gnu | Variant::Pigz, 6) => 2,
        _ => 3,
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Epoch;

    #[test]
    fn headers_give_the_order() {
        let first = |header: &[u8]| candidates(header)[0];
        assert_eq!(first(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]), Encoder::GoLazy(6));
        assert_eq!(first(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]), Encoder::GoFast);
        assert_eq!(
            first(&[0x1f, 0x8b, 8, 0, 0, 9, 0x6e, 0x88, 0, 255]),
            Encoder::Klauspost(5, Epoch::V1_15_12, true)
        );
        assert!(matches!(first(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]), Encoder::Zlib(_, 9)));
        assert_eq!(candidates(&[]).len() + 1, Encoder::all().len());
    }
}
