//! Trying an encoder's model on a stream's first bytes.

use crate::decode::Stream;
use crate::encoder::{Encoder, WithModel};
use crate::engine::Engine;
use crate::error::Error;
use crate::models::Model;
use crate::record::Recorder;

/// Plain bytes of a frame where an encoder is tried.
const STEP: u64 = 1 << 16;

/// How a model did.
#[derive(Clone, Copy, Default)]
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

/// Run a model over a stream's first bytes, until `stop` says that this is enough.
pub fn try_until(encoder: Encoder, prefix: &[u8], stop: impl FnMut(&Trial) -> bool) -> Trial {
    encoder.with(Attempt { encoder, prefix, stop })
}

/// Run a model over a stream's first bytes, up to so many plain bytes or bytes of deviations.
pub fn try_encoder(encoder: Encoder, prefix: &[u8], plain: u64, bound: u64) -> Trial {
    try_until(encoder, prefix, |so_far| so_far.deviations > bound || so_far.plain >= plain)
}

struct Attempt<'a, F> {
    encoder: Encoder,
    prefix: &'a [u8],
    stop: F,
}

impl<F: FnMut(&Trial) -> bool> WithModel for Attempt<'_, F> {
    type Output = Trial;

    fn call<M: Model>(mut self, engine: Engine<M>) -> Trial {
        let mut result = Trial::default();
        let watch = |so_far: &Trial| {
            result = *so_far;
            if (self.stop)(so_far) {
                Err(Error::Unsupported("tried enough"))
            } else {
                Ok(false)
            }
        };
        let prefix = Stream::new(self.prefix);
        let mut recorder = Recorder::new(prefix, std::io::sink(), std::io::sink(), STEP, watch);
        // The prefix may end anywhere, and limits end the run as errors do: what the error says is of no use.
        let _ended = recorder.all(self.encoder, engine, &|_| None);
        drop(recorder);
        result
    }
}
