//! Rebuilding: plain bytes and side data become the gzip stream again.

mod beside;

use crate::blocks::BlockWriter;
use crate::crc::Trailer;
use crate::encoder::WithModel;
use crate::engine::{Engine, Goal};
use crate::error::{ensure, Error, Result};
use crate::fixes::FixReader;
use crate::models::{Model, View, LOOKAHEAD};
use crate::plain::Plain;
use crate::segment::{Done, Job, Later, Room, MAX_APART};
use crate::side::{read_opening, Frame, Record};
use crate::steer::Steer;
use crate::wire::Wire;
use crate::workers::Workers;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::thread;

/// Plain bytes that a model runs over at once.
const STEP: usize = 1 << 20;

/// Write the gzip stream that was recorded as these plain bytes and side data.
///
/// # Errors
/// `Damaged` if they do not belong together or were damaged; `Io` if a stream fails. What was written until then
/// is worth nothing. The stream's digest is for the caller to compare.
pub fn rebuild(plain: impl Read, side: impl Read, out: impl Write) -> Result<()> {
    let mut side = Wire(side);
    let encoder = read_opening(&mut side)?;
    encoder.with(Work { plain, side, out, segments: encoder.is_parallel() })
}

struct Work<P, S, O> {
    plain: P,
    side: Wire<S>,
    out: O,
    segments: bool,
}

impl<P: Read, S: Read, O: Write> WithModel for Work<P, S, O> {
    type Output = Result<()>;

    fn call<M: Model>(self, engine: Engine<M>) -> Result<()> {
        thread::scope(|scope| {
            let start = move |engine: &Engine<M>| Workers::new(scope, engine, Job::run::<M>);
            self.all(engine, start)
        })
    }
}

impl<P: Read, S: Read, O: Write> Work<P, S, O> {
    fn all<M: Model>(
        self,
        engine: Engine<M>,
        start: impl Fn(&Engine<M>) -> Workers<Job, Done>,
    ) -> Result<()> {
        let mut side = self.side;
        let mut state = Rebuild::new(self.plain, self.out, engine, start, self.segments);
        while state.record(Record::read(&mut side)?)? {}
        state.join()?;
        ensure(side.at_end()?, "side data go on behind their end")?;
        ensure(!state.inside, "side data end inside a member")?;
        let mut one = [0];
        ensure(state.source.read(&mut one)? == 0, "there are more plain bytes than were recorded")?;
        state.out.flush()?;
        Ok(())
    }
}

struct Rebuild<P, O, M, F> {
    source: P,
    out: O,
    engine: Engine<M>,
    /// Starts what rebuilds segments apart: threads are not worth it for a stream of one.
    start_workers: F,
    workers: Option<Workers<Job, Done>>,
    /// Segments know nothing of each other; members never do.
    segments: bool,
    /// Members that have begun.
    members: u64,
    /// What waits for segments that are rebuilt apart.
    later: VecDeque<Later>,
    /// Memory of segments that were written.
    spare: Vec<Room>,
    /// The position is a segment's start.
    fresh: bool,
    plain: Plain,
    position: u64,
    trailer: Trailer,
    blocks: BlockWriter,
    header: Vec<u8>,
    inside: bool,
    ended: bool,
}

impl<P: Read, O: Write, M: Model, F: Fn(&Engine<M>) -> Workers<Job, Done>> Rebuild<P, O, M, F> {
    fn new(source: P, out: O, engine: Engine<M>, start_workers: F, segments: bool) -> Self {
        Rebuild {
            source,
            out,
            engine,
            start_workers,
            workers: None,
            segments,
            members: 0,
            later: VecDeque::new(),
            spare: Vec::new(),
            fresh: true,
            plain: Plain::default(),
            position: 0,
            trailer: Trailer::default(),
            blocks: BlockWriter::default(),
            header: Vec::new(),
            inside: false,
            ended: false,
        }
    }

    /// Do what a record says; false if it was the last.
    fn record(&mut self, record: Record) -> Result<bool> {
        match record {
            Record::Header(header) => {
                self.header = header;
                self.start()?;
            }
            Record::SameHeader => self.start()?,
            Record::Frame(frame) => self.frame(frame)?,
            Record::Trailer(padding, stated) => self.finish(padding, stated)?,
            Record::Rest(bytes) => {
                self.join()?;
                ensure(!self.inside, "side data: bytes inside a member")?;
                self.out.write_all(&bytes)?;
            }
            Record::End => return Ok(false),
        }
        Ok(true)
    }

    fn start(&mut self) -> Result<()> {
        ensure(!self.inside, "side data: a member inside another")?;
        self.inside = true;
        self.members += 1;
        self.plain.clear();
        self.position = 0;
        self.fresh = true;
        self.trailer = Trailer::default();
        self.put(Later::Header(self.header.clone()))
    }

    fn frame(&mut self, frame: Frame) -> Result<()> {
        ensure(self.inside, "side data: a frame outside a member")?;
        let fresh = std::mem::replace(&mut self.fresh, frame.ahead == 0);
        let alone = self.segments || (self.members > 1 && self.position == 0 && frame.last);
        if fresh && frame.ahead == 0 && frame.span <= MAX_APART && alone {
            return self.put_off(frame);
        }
        self.join()?;
        ensure(!self.ended, "side data: blocks follow the last one")?;
        let end = self.position + frame.span;
        let known = end.saturating_add(frame.ahead);
        let goal = match (frame.ahead, frame.last) {
            (1.., _) => Goal::Middle,
            (0, false) => Goal::Segment,
            (0, true) => Goal::Last,
        };
        let mut fixes = FixReader::new(frame.fixes)?;
        loop {
            self.fetch(known.min(self.position + (STEP + LOOKAHEAD) as u64))?;
            let there = self.plain.end().min(known);
            let whole = there == known;
            let stop = if whole { end } else { end.min(there - LOOKAHEAD as u64) };
            let goal = if stop == end { goal } else { Goal::Middle };
            fixes = self.run(stop, there, goal, fixes)?;
            if stop == end {
                break;
            }
        }
        ensure(self.position == end, "side data: a frame ends inside a token")?;
        ensure(fixes.done(), "side data: deviations are left over")?;
        if goal != Goal::Middle {
            self.segment(&frame.tail, frame.last)?;
        }
        self.flush()
    }

    fn run(&mut self, stop: u64, there: u64, goal: Goal, fixes: FixReader) -> Result<FixReader> {
        let base = self.plain.base;
        let view = View { bytes: &self.plain.bytes[..(there - base) as usize], base };
        let mut guide = Steer { fixes, blocks: &mut self.blocks };
        let from = (self.position - base) as usize;
        let at = self.engine.run(&view, from..(stop - base) as usize, goal, &mut guide)?;
        self.position = base + at as u64;
        let fixes = guide.fixes;
        self.plain.forget_before(self.position);
        self.flush()?;
        Ok(fixes)
    }

    /// Have the plain bytes up to a position.
    fn fetch(&mut self, to: u64) -> Result<()> {
        let missing = to.saturating_sub(self.plain.end()) as usize;
        let source = &mut self.source;
        let trailer = &mut self.trailer;
        self.plain.append(missing, |room| {
            source.read_exact(room).map_err(|fault| match fault.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    Error::Damaged("there are fewer plain bytes than recorded")
                }
                _ => Error::Io(fault),
            })?;
            trailer.update(room);
            Ok(())
        })
    }

    fn segment(&mut self, tail: &[crate::guide::Plan], last: bool) -> Result<()> {
        ensure(self.plain.end() == self.position, "side data: a segment ends too early")?;
        if last || !tail.is_empty() {
            self.blocks.close()?;
        }
        for plan in tail {
            ensure(!self.ended, "side data: blocks follow the last one")?;
            self.blocks.empty(plan)?;
            self.ended = plan.last;
        }
        self.ended |= last;
        Ok(())
    }

    fn finish(&mut self, padding: u8, stated: Option<[u8; 8]>) -> Result<()> {
        ensure(self.inside, "side data: a trailer outside a member")?;
        self.inside = false;
        self.put(Later::Trailer(padding, stated.unwrap_or(self.trailer.bytes())))
    }

    fn flush(&mut self) -> Result<()> {
        self.out.write_all(self.blocks.out.bytes())?;
        self.blocks.out.clear_bytes();
        Ok(())
    }
}
