//! Segments that are rebuilt beside each other, and what is written between them.

use super::Rebuild;
use crate::engine::Engine;
use crate::error::{ensure, Result};
use crate::models::Model;
use crate::segment::{Done, Job, Later};
use crate::side::Frame;
use crate::token::MAX_DISTANCE;
use crate::workers::Workers;
use std::io::{Read, Write};

impl<P: Read, O: Write, M: Model, F: Fn(&Engine<M>) -> Workers<Job, Done>> Rebuild<P, O, M, F> {
    /// Keep a whole segment to be rebuilt beside others.
    pub(super) fn put_off(&mut self, frame: Frame) -> Result<()> {
        let end = self.position + frame.span;
        self.fetch(end)?;
        let start = self.position.saturating_sub(MAX_DISTANCE as u64).max(self.plain.base);
        let mut room = self.spare.pop().unwrap_or_default();
        room.bytes.clear();
        room.bytes.extend_from_slice(self.plain.span(start, end));
        let job = Job { room, base: start, from: (self.position - start) as usize, frame };
        self.position = end;
        self.plain.forget_before(end);
        let (start, engine) = (&self.start_workers, &self.engine);
        self.workers.get_or_insert_with(|| start(engine)).give(job)?;
        self.later.push_back(Later::Segment);
        while self.workers.as_ref().is_some_and(Workers::are_busy) {
            self.take()?;
        }
        self.flush()
    }

    /// Write something now, or behind the segments that are rebuilt apart.
    pub(super) fn put(&mut self, later: Later) -> Result<()> {
        if self.later.is_empty() {
            return self.write(later);
        }
        self.later.push_back(later);
        Ok(())
    }

    /// Write the segments that are rebuilt apart, and what is behind them.
    pub(super) fn join(&mut self) -> Result<()> {
        while self.take()? {}
        self.flush()
    }

    /// Write the first of them, if there is one.
    fn take(&mut self) -> Result<bool> {
        let Some(later) = self.later.pop_front() else { return Ok(false) };
        self.write(later)?;
        Ok(true)
    }

    fn write(&mut self, later: Later) -> Result<()> {
        match later {
            Later::Segment => {
                let Some(done) = self.workers.as_mut().and_then(Workers::take) else { return Ok(()) };
                let mut done = done?;
                ensure(!self.ended, "side data: blocks follow the last one")?;
                self.ended = done.ended;
                self.blocks.append(&mut done.room.blocks)?;
                self.spare.push(done.room);
                Ok(())
            }
            Later::Header(header) => {
                self.ended = false;
                Ok(self.out.write_all(&header)?)
            }
            Later::Trailer(padding, trailer) => {
                ensure(self.ended, "side data: a trailer outside a member")?;
                let free = self.blocks.out.free();
                ensure(u32::from(padding) >> free == 0, "side data: a member has too much padding")?;
                self.blocks.out.align(u32::from(padding));
                self.flush()?;
                Ok(self.out.write_all(&trailer)?)
            }
        }
    }
}
