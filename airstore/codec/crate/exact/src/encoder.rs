//! The encoders that are modelled, as side data name them.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::models::go_lazy::GoLazy;
use std::fmt;

/// An encoder and its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoder {
    /// Go 1.19 to 1.26, levels 2 to 9.
    GoLazy(u8),
}

/// Something to do with a model, whichever it is.
pub trait WithModel {
    /// What it gives.
    type Output;
    /// Do it.
    fn call<M: crate::models::Model>(self, engine: Engine<M>) -> Self::Output;
}

impl Encoder {
    /// The two bytes that side data have for it.
    pub fn bytes(self) -> [u8; 2] {
        match self {
            Encoder::GoLazy(level) => [1, level],
        }
    }

    /// The encoder that two bytes stand for.
    pub fn from_bytes(bytes: [u8; 2]) -> Result<Self> {
        match bytes {
            [1, level @ 2..=9] => Ok(Encoder::GoLazy(level)),
            _ => Err(Error::Damaged("side data of an unknown encoder: a newer airstore wrote them")),
        }
    }

    /// All that are modelled.
    pub fn all() -> Vec<Encoder> {
        (2..=9).map(Encoder::GoLazy).collect()
    }

    /// Do something with this encoder's model.
    pub fn with<W: WithModel>(self, work: W) -> W::Output {
        match self {
            Encoder::GoLazy(level) => work.call(Engine::new(GoLazy::new(level))),
        }
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Encoder::GoLazy(level) => write!(out, "Go 1.19 to 1.26, level {level}"),
        }
    }
}
