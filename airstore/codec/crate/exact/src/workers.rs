//! Threads that record or rebuild segments, while the next ones are read; they come back in the order in which they
//! were given.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::models::Model;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::thread::Scope;

/// Segments that are worked on at once.
const AT_ONCE: usize = 2;

/// Threads that take jobs `J` and give what was done, `D`.
pub struct Workers<J, D> {
    workers: Vec<(Sender<J>, Receiver<Result<D>>)>,
    given: usize,
    taken: usize,
}

impl<J: Send, D: Send> Workers<J, D> {
    /// Threads with an engine each. They end when this is dropped.
    pub fn new<'scope, M: Model + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        engine: &Engine<M>,
        work: fn(J, &mut Engine<M>) -> Result<D>,
    ) -> Self
    where
        J: 'scope,
        D: 'scope,
    {
        let start = |_| {
            let (jobs, to_do) = channel::<J>();
            let (finished, results) = channel();
            let mut engine = engine.clone();
            scope.spawn(move || {
                to_do.into_iter().all(|job| finished.send(work(job, &mut engine)).is_ok());
            });
            (jobs, results)
        };
        Workers { workers: (0..AT_ONCE).map(start).collect(), given: 0, taken: 0 }
    }

    /// Whether it is time to take a segment before giving the next: what waits takes memory.
    pub fn are_busy(&self) -> bool {
        self.given - self.taken > AT_ONCE
    }

    /// Have a segment done.
    pub fn give(&mut self, job: J) -> Result<()> {
        let (jobs, _) = &self.workers[self.given % AT_ONCE];
        self.given += 1;
        jobs.send(job).map_err(|_| PANICKED)
    }

    /// The next segment that was done; `None` if all were taken.
    pub fn take(&mut self) -> Option<Result<D>> {
        if self.taken == self.given {
            return None;
        }
        let (_, results) = &self.workers[self.taken % AT_ONCE];
        self.taken += 1;
        Some(results.recv().unwrap_or(Err(PANICKED)))
    }
}

/// The scope of the threads panics in its turn; nobody sees this.
const PANICKED: Error = Error::Damaged("a thread of the codec panicked");
