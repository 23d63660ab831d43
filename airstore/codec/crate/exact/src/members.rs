//! Recording with one encoder's model, with threads for what may be recorded apart.

use crate::apart::Job;
use crate::decode::Stream;
use crate::encoder::{Encoder, WithModel};
use crate::engine::Engine;
use crate::error::Result;
use crate::models::Model;
use crate::record::Recorder;
use crate::trial::Trial;
use crate::workers::Workers;
use std::io::{Read, Write};
use std::thread;

/// Plain bytes of a frame.
const STEP: u64 = 4 << 20;

/// Record a stream with this encoder's model, as long as `watch` agrees.
pub fn record_members(
    encoder: Encoder,
    source: Stream<impl Read>,
    plain: impl Write,
    side: impl Write,
    watch: impl FnMut(&Trial) -> Result<bool>,
) -> Result<()> {
    encoder.with(Members { encoder, recorder: Recorder::new(source, plain, side, STEP, watch) })
}

struct Members<R, P, S, W> {
    encoder: Encoder,
    recorder: Recorder<R, P, S, W>,
}

impl<R: Read, P: Write, S: Write, W: FnMut(&Trial) -> Result<bool>> WithModel for Members<R, P, S, W> {
    type Output = Result<()>;

    fn call<M: Model>(self, engine: Engine<M>) -> Self::Output {
        let Members { encoder, mut recorder } = self;
        thread::scope(move |scope| {
            let start = |engine: &Engine<M>| Some(Workers::new(scope, engine, Job::run::<M>));
            recorder.all(encoder, engine, &start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::Epoch;
    use crate::models::zlib::Variant;
    use std::cell::Cell;
    use std::path::Path;

    /// Records a blob, and counts how often threads are started for it.
    struct Run<'a> {
        encoder: Encoder,
        blob: &'a [u8],
        settled: bool,
        started: &'a Cell<u32>,
    }

    impl WithModel for Run<'_> {
        type Output = Vec<u8>;

        fn call<M: Model>(self, engine: Engine<M>) -> Vec<u8> {
            let mut side = Vec::new();
            thread::scope(|scope| {
                let start = |engine: &Engine<M>| {
                    self.started.set(self.started.get() + 1);
                    Some(Workers::new(scope, engine, Job::run::<M>))
                };
                let watch = |_: &Trial| Ok(self.settled);
                let mut recorder =
                    Recorder::new(Stream::new(self.blob), std::io::sink(), &mut side, STEP, watch);
                recorder.all(self.encoder, engine, &start).expect("recorded");
            });
            side
        }
    }

    #[test]
    fn what_is_recorded_beside_others_is_what_it_is_alone() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../fixtures/codec");
        let read = |name: &str| std::fs::read(directory.join(name)).expect("a vector");
        let (pigz, go) = (read("pigz-level-6.gz"), read("go-1.26.6-level-default.gz"));
        let blob = [&pigz[..], &go, &go, &pigz, b"and what follows"].concat();
        let models = [
            Encoder::Zlib(Variant::Pigz, 6),
            Encoder::Klauspost(5, Epoch::V1_18_2, true),
            Encoder::GoLazy(6),
        ];
        for encoder in models {
            let started = Cell::new(0);
            let run = |settled| encoder.with(Run { encoder, blob: &blob, settled, started: &started });
            let alone = run(false);
            assert_eq!(started.get(), 0);
            assert!(run(true) == alone, "{encoder}");
            assert_eq!(started.get(), 1, "{encoder}");
        }
    }
}
