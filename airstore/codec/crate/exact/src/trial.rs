//! Trying an encoder's model on a stream's first bytes.

use crate::encoder::{Encoder, WithModel};
use crate::engine::Engine;
use crate::models::Model;
use crate::record::Recorder;

/// Plain bytes of a frame where an encoder is tried.
const STEP: u64 = 1 << 16;

/// How far recording goes.
pub struct Limits {
    /// Plain bytes of a frame.
    pub step: u64,
    /// Plain bytes of all frames.
    pub plain: u64,
    /// Bytes of deviations.
    pub deviations: u64,
}

/// How a model did.
#[derive(Clone, Copy)]
pub struct Trial {
    /// Bytes of deviations; about the bound if there are more.
    pub deviations: u64,
    /// Plain bytes that copies saved: without any, each model does well.
    pub copied: u64,
    /// How many plain bytes it was tried on.
    pub plain: u64,
    /// Whether a segment ended there, and another followed.
    pub flushed: bool,
}

/// Run a model over a stream's first bytes, up to so many plain bytes or bytes of deviations.
pub fn try_encoder(encoder: Encoder, prefix: &[u8], plain: u64, bound: u64) -> Trial {
    encoder.with(Attempt { encoder, prefix, limits: Limits { step: STEP, plain, deviations: bound } })
}

struct Attempt<'a> {
    encoder: Encoder,
    prefix: &'a [u8],
    limits: Limits,
}

impl WithModel for Attempt<'_> {
    type Output = Trial;

    fn call<M: Model>(self, mut engine: Engine<M>) -> Trial {
        let mut recorder = Recorder::new(self.prefix, std::io::sink(), std::io::sink(), self.limits);
        // The prefix may end anywhere, and limits end the run as errors do: what the error says is of no use.
        let _ended = recorder.all(self.encoder, &mut engine);
        recorder.so_far
    }
}
