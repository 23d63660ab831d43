//! The encoders that are modelled, as side data name them.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::models::chunked::Chunked;
use crate::models::go_fast::GoFast;
use crate::models::go_lazy::GoLazy;
use crate::models::klauspost5::Level5;
use crate::models::klauspost6::Level6;
use crate::models::null::Null;
use crate::models::zlib::{Variant, Zlib};
use crate::models::Model;
use crate::rules::klauspost::{Headers, Rules};
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
    /// Go from 1.27 on, level 6.
    Go27(u8),
    /// klauspost/compress, levels 5 and 6; or pgzip over it.
    Klauspost(u8, Epoch, bool),
    /// zlib or a program over it, levels 1 to 9.
    Zlib(Variant, u8),
}

/// Versions of klauspost/compress with the same output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Epoch {
    /// As 1.11.13.
    V1_11_13,
    /// As 1.13.6.
    V1_13_6,
    /// As 1.15.9.
    V1_15_9,
    /// 1.15.12 to 1.18.0.
    V1_15_12,
    /// From 1.18.2 on.
    V1_18_2,
    /// From 1.15.12 on: which of both the stream's headers tell, if any does.
    Since1_15_12,
}

/// Something to do with a model, whichever it is.
pub trait WithModel {
    /// What it gives.
    type Output;
    /// Do it.
    fn call<M: Model>(self, engine: Engine<M>) -> Self::Output;
}

const VARIANTS: [Variant; 7] = [
    Variant::Zlib(8),
    Variant::Zlib(9),
    Variant::Gnu,
    Variant::Pigz,
    Variant::Product(8),
    Variant::Product(9),
    Variant::Castagnoli,
];
const EPOCHS: [Epoch; 6] =
    [Epoch::Since1_15_12, Epoch::V1_15_12, Epoch::V1_18_2, Epoch::V1_15_9, Epoch::V1_13_6, Epoch::V1_11_13];

impl Epoch {
    fn rules(self) -> Rules {
        let filled = matches!(self, Epoch::V1_11_13 | Epoch::V1_13_6);
        let headers = match self {
            Epoch::V1_18_2 => Headers::Used,
            Epoch::Since1_15_12 => Headers::AsBefore,
            _ => Headers::Full,
        };
        Rules { headers, filled, penalty: if filled { 8 } else { 7 } }
    }

    /// See `Level5`.
    fn skip(self) -> Option<usize> {
        match self {
            Epoch::V1_11_13 => None,
            Epoch::V1_13_6 | Epoch::V1_15_9 => Some(0),
            Epoch::V1_15_12 | Epoch::V1_18_2 | Epoch::Since1_15_12 => Some(2),
        }
    }
}

fn klauspost<W: WithModel>(level: u8, epoch: Epoch, parallel: bool, work: W) -> W::Output {
    let rules = epoch.rules();
    match level {
        6 => work.call(Engine::new(Chunked::new(Level6::new(), rules, parallel))),
        _ => work.call(Engine::new(Chunked::new(Level5::new(epoch.skip()), rules, parallel))),
    }
}

impl Encoder {
    /// All that side data can name.
    pub fn all() -> Vec<Encoder> {
        let mut all = vec![Encoder::Tokens, Encoder::GoFast];
        all.extend((2..=9).map(Encoder::GoLazy));
        all.push(Encoder::Go27(6));
        for epoch in EPOCHS {
            for parallel in [true, false] {
                all.extend([5, 6].map(|level| Encoder::Klauspost(level, epoch, parallel)));
            }
        }
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
            Encoder::Go27(level) => [2, level],
            Encoder::Klauspost(level, epoch, parallel) => [16 + 2 * epoch as u8 + u8::from(parallel), level],
            Encoder::Zlib(Variant::Gnu, level) => [4, level],
            Encoder::Zlib(Variant::Pigz, level) => [5, level],
            Encoder::Zlib(Variant::Castagnoli, level) => [6, level],
            Encoder::Zlib(Variant::Product(8), level) => [7, level],
            Encoder::Zlib(Variant::Product(_), level) => [10, level],
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

    /// Whether its segments know nothing of each other but plain bytes, and end with whole bytes.
    pub fn is_parallel(self) -> bool {
        matches!(self, Encoder::Klauspost(_, _, true) | Encoder::Zlib(Variant::Pigz, _))
    }

    /// Do something with this encoder's model.
    pub fn with<W: WithModel>(self, work: W) -> W::Output {
        match self {
            Encoder::Tokens => work.call(Engine::new(Null)),
            Encoder::GoFast => work.call(Engine::new(GoFast::default())),
            Encoder::GoLazy(level) => work.call(Engine::new(GoLazy::new(level))),
            Encoder::Klauspost(level, epoch, parallel) => klauspost(level, epoch, parallel, work),
            Encoder::Go27(level) => klauspost(level, Epoch::V1_18_2, false, work),
            Encoder::Zlib(variant, level) => work.call(Engine::new(Zlib::new(variant, level))),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Epoch::V1_11_13 => "as 1.11.13",
            Epoch::V1_13_6 => "as 1.13.6",
            Epoch::V1_15_9 => "as 1.15.9",
            Epoch::V1_15_12 => "1.15.12 to 1.18.0",
            Epoch::V1_18_2 => "1.18.2 and later",
            Epoch::Since1_15_12 => "1.15.12 and later",
        })
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoder::Tokens => out.write_str("tokens"),
            Encoder::GoFast => out.write_str("Go 1.19 to 1.26, level 1"),
            Encoder::GoLazy(level) => write!(out, "Go 1.19 to 1.26, level {level}"),
            Encoder::Go27(level) => write!(out, "Go 1.27, level {level}"),
            Encoder::Klauspost(level, epoch, parallel) => {
                let name = if *parallel { "pgzip with klauspost/compress" } else { "klauspost/compress" };
                write!(out, "{name} {epoch}, level {level}")
            }
            Encoder::Zlib(Variant::Gnu, level) => write!(out, "GNU gzip, level {level}"),
            Encoder::Zlib(Variant::Pigz, level) => write!(out, "pigz, level {level}"),
            Encoder::Zlib(Variant::Castagnoli, level) => {
                write!(out, "Chromium's zlib until 2022 (Node to 18), level {level}")
            }
            Encoder::Zlib(Variant::Product(memory), level) => {
                let memory = if *memory == 8 { "" } else { ", memLevel 9" };
                write!(out, "Chromium's zlib (Node), level {level}{memory}")
            }
            Encoder::Zlib(Variant::Zlib(8), level) => write!(out, "zlib, level {level}"),
            Encoder::Zlib(Variant::Zlib(_), level) => write!(out, "zlib, level {level}, memLevel 9"),
        }
    }
}
