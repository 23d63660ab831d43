//! Segments and members that are recorded beside each other, as `segment` rebuilds them: what a model misses in one
//! does not depend on the others.

use crate::engine::{Engine, Goal};
use crate::error::{Error, Result};
use crate::follow::Follow;
use crate::inflate::Block;
use crate::models::{Model, View};
use crate::side::{Frame, Record};
use crate::workers::Workers;
use std::collections::VecDeque;

/// The most plain bytes of a segment that is recorded apart: of a frame.
pub const MAX_APART: u64 = 4 << 20;
/// Bytes of segments that wait or are worked on, about: tokens have four each.
const MOST: usize = 12 << 20;

/// A segment to record: its plain bytes with their history in front, and its blocks.
pub struct Job {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The position of the first of them.
    pub base: u64,
    /// The index where the segment starts.
    pub from: usize,
    /// The blocks that were written.
    pub blocks: VecDeque<Block>,
    /// Whether the last of them is the stream's last.
    pub last: bool,
}

/// A segment that was recorded.
pub struct Done {
    /// What the model missed.
    fixes: Vec<u8>,
    /// The job's memory, for the next: fresh pages cost more than what is done in them.
    bytes: Vec<u8>,
}

impl Job {
    /// Record the segment.
    pub fn run<M: Model>(self, engine: &mut Engine<M>) -> Result<Done> {
        let mut follow = Follow::of(self.blocks);
        let view = View { bytes: &self.bytes, base: self.base };
        let goal = if self.last { Goal::Last } else { Goal::Segment };
        engine.run(&view, self.from..self.bytes.len(), goal, &mut follow)?;
        Ok(Done { fixes: follow.fixes.take(), bytes: self.bytes })
    }

    /// Bytes that it takes, about.
    pub fn weight(&self) -> usize {
        let tokens: usize = self.blocks.iter().map(|block| block.tokens.len()).sum();
        self.bytes.len() + 4 * tokens
    }
}

/// What is written next.
enum Later {
    /// The frame of a segment that is recorded apart, without its deviations; and what its job weighs.
    Segment(Frame, usize),
    /// What is known already.
    Record(Record),
}

/// What records segments apart, if anything may.
pub type Crew = Option<Workers<Job, Done>>;

/// Records in their order, some of them of segments that are recorded apart.
#[derive(Default)]
pub struct Queue {
    workers: Crew,
    later: VecDeque<Later>,
    weight: usize,
    /// Memory of segments that were recorded.
    spare: Vec<Vec<u8>>,
}

impl Queue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.later.is_empty()
    }

    /// Whether it is time to take: what waits takes memory.
    pub fn is_full(&self) -> bool {
        self.weight > MOST || self.workers.as_ref().is_some_and(Workers::are_busy)
    }

    /// Whether segments can be recorded apart; `start`: starts what does that, once.
    pub fn can(&mut self, start: impl FnOnce() -> Crew) -> bool {
        if self.workers.is_none() {
            self.workers = start();
        }
        self.workers.is_some()
    }

    /// A copy of a segment's bytes.
    pub fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        copy
    }

    /// Have a segment recorded; `frame` has no deviations yet.
    pub fn give(&mut self, job: Job, frame: Frame) -> Result<()> {
        let weight = job.weight();
        self.weight += weight;
        self.later.push_back(Later::Segment(frame, weight));
        self.workers.as_mut().map_or(Err(NOBODY), |workers| workers.give(job))
    }

    /// A record that is known already.
    pub fn push(&mut self, record: Record) {
        self.later.push_back(Later::Record(record));
    }

    /// The first record; `None` if there is none.
    pub fn take(&mut self) -> Option<Result<Record>> {
        Some(match self.later.pop_front()? {
            Later::Record(record) => Ok(record),
            Later::Segment(frame, weight) => {
                self.weight -= weight;
                let done = self.workers.as_mut().and_then(Workers::take).unwrap_or(Err(NOBODY));
                done.map(|Done { fixes, bytes }| {
                    self.spare.push(bytes);
                    Record::Frame(Frame { fixes, ..frame })
                })
            }
        })
    }
}

/// Nobody sees this: segments are given where there are workers.
const NOBODY: Error = Error::Unsupported("no segment can be recorded apart");
