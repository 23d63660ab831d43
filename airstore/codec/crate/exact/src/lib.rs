//! The exact gzip codec: a gzip stream becomes its plain bytes and small side data, and comes back bit for bit.
//!
//! A model of the encoder runs over the plain bytes beside the real tokens. Where it is right nothing is
//! stored; where it errs the deviation is stored and the model follows the real stream. Rebuilding runs the
//! same model over the plain bytes, with the deviations. Formats: `docs/formats-codec.md`.
#![forbid(unsafe_code)]

mod apart;
mod bits;
mod blocks;
mod choose;
mod crc;
mod decode;
pub mod differ;
mod encoder;
mod engine;
mod error;
mod first;
mod fixes;
mod follow;
mod guess;
mod guide;
mod gzip;
mod huffman;
mod inflate;
mod members;
mod models;
pub mod patch;
mod plain;
mod prove;
mod rebuild;
mod record;
mod rules;
mod segment;
mod side;
mod steer;
mod tables;
mod token;
mod trial;
mod wire;
mod workers;

pub use encoder::Encoder;
pub use error::{Error, Result};
pub use prove::{record, record_as, Report};
pub use rebuild::rebuild;
