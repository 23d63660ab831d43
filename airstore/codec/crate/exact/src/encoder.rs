//! The encoders that are modelled, as side data name them.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::models::go_fast::GoFast;
use crate::models::go_lazy::GoLazy;
use crate::models::klauspost5::Klauspost5;
use crate::models::null::Null;
use crate::models::zlib::{Variant, Zlib};
use crate::models::Model;
use crate::rules::klauspost::Rules;
use std::fmt;

/// An encoder and its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoder {
    /// None that is modelled: the tokens themselves are stored.
    Tokens,
    /// Go 1.19 to 1.26, level 1.
    GoFast,
    /// Go 1.19 to 1.26, levels 2 to 9.
    GoLazy(u8),
    /// klauspost/compress, level 5.
    Klauspost5(Epoch),
    /// pgzip, level 5.
    Pgzip5(Epoch),
    /// zlib or a program over it, levels 1 to 9.
    Zlib(Variant, u8),
}

/// Versions of klauspost/compress with the same output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Epoch {
    /// 1.15.12 to 1.18.0.
    V1_15_12,
    /// From 1.18.2 on.
    V1_18_2,
}

/// Something to do with a model, whichever it is.
pub trait WithModel {
    /// What it gives.
    type Output;
    /// Do it.
    fn call<M: Model>(self, engine: Engine<M>) -> Self::Output;
}

const VARIANTS: [Variant; 4] = [Variant::Zlib(8), Variant::Zlib(9), Variant::Gnu, Variant::Pigz];
const EPOCHS: [Epoch; 2] = [Epoch::V1_15_12, Epoch::V1_18_2];

impl Epoch {
    fn rules(self) -> Rules {
        Rules { full_headers: self == Epoch::V1_15_12, penalty: 7 }
    }
}

impl Encoder {
    /// All that side data can name.
    pub fn all() -> Vec<Encoder> {
        let mut all = vec![Encoder::Tokens, Encoder::GoFast];
        all.extend((2..=9).map(Encoder::GoLazy));
        all.extend(EPOCHS.map(Encoder::Klauspost5));
        all.extend(EPOCHS.map(Encoder::Pgzip5));
        for variant in VARIANTS {
            all.extend((1..=9).map(|level| Encoder::Zlib(variant, level)));
        }
        all
    }

    /// The two bytes that side data have for it.
    pub fn bytes(self) -> [u8; 2] {
        match self {
            Encoder::Tokens => [0, 0],
            Encoder::GoFast => [1, 1],
            Encoder::GoLazy(level) => [1, level],
            Encoder::Klauspost5(epoch) => [2, epoch as u8],
            Encoder::Pgzip5(epoch) => [3, epoch as u8],
            Encoder::Zlib(Variant::Gnu, level) => [4, level],
            Encoder::Zlib(Variant::Pigz, level) => [5, level],
            Encoder::Zlib(Variant::Zlib(memory), level) => [memory, level],
        }
    }

    /// The encoder that two bytes stand for.
    pub fn from_bytes(bytes: [u8; 2]) -> Result<Self> {
        Encoder::all()
            .into_iter()
            .find(|encoder| encoder.bytes() == bytes)
            .ok_or(Error::Damaged("side data of an unknown encoder: a newer airstore wrote them"))
    }

    /// Do something with this encoder's model.
    pub fn with<W: WithModel>(self, work: W) -> W::Output {
        match self {
            Encoder::Tokens => work.call(Engine::new(Null)),
            Encoder::GoFast => work.call(Engine::new(GoFast::default())),
            Encoder::GoLazy(level) => work.call(Engine::new(GoLazy::new(level))),
            Encoder::Klauspost5(epoch) => work.call(Engine::new(Klauspost5::new(epoch.rules(), false, 2))),
            Encoder::Pgzip5(epoch) => work.call(Engine::new(Klauspost5::new(epoch.rules(), true, 2))),
            Encoder::Zlib(variant, level) => work.call(Engine::new(Zlib::new(variant, level))),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Epoch::V1_15_12 => "1.15.12 to 1.18.0",
            Epoch::V1_18_2 => "1.18.2 and later",
        })
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoder::Tokens => out.write_str("tokens"),
            Encoder::GoFast => out.write_str("Go 1.19 to 1.26, level 1"),
            Encoder::GoLazy(level) => write!(out, "Go 1.19 to 1.26, level {level}"),
            Encoder::Klauspost5(epoch) => write!(out, "klauspost/compress {epoch}, level 5"),
            Encoder::Pgzip5(epoch) => write!(out, "pgzip with klauspost/compress {epoch}, level 5"),
            Encoder::Zlib(Variant::Gnu, level) => write!(out, "GNU gzip, level {level}"),
            Encoder::Zlib(Variant::Pigz, level) => write!(out, "pigz, level {level}"),
            Encoder::Zlib(Variant::Zlib(8), level) => write!(out, "zlib, level {level}"),
            Encoder::Zlib(Variant::Zlib(_), level) => write!(out, "zlib, level {level}, memLevel 9"),
        }
    }
}
