//! Recording: a gzip stream becomes plain bytes and side data.

use crate::apart::{Crew, Job, Queue, MAX_APART};
use crate::crc::Trailer;
use crate::decode::{Decoder, Stream};
use crate::encoder::Encoder;
use crate::engine::{Engine, Goal};
use crate::error::{Error, Result};
use crate::follow::Follow;
use crate::gzip::{self, Next};
use crate::models::{Model, View, LOOKAHEAD};
use crate::side::{opening, Frame, Record, MAX_FIXES, MAX_REST};
use crate::token::MAX_DISTANCE;
use crate::trial::Trial;
use std::io::{Read, Write};

/// Plain bytes that the model runs over at once: they are still in the cache, as their tokens are.
const NEAR: u64 = 1 << 17;

/// What reads a gzip stream and writes what it is recorded as.
pub struct Recorder<R, P, S, W> {
    decoder: Decoder<R>,
    /// The first header, if it was read.
    ready: Option<Vec<u8>>,
    plain_out: P,
    side_out: S,
    written: u64,
    trailer: Trailer,
    follow: Follow,
    position: u64,
    /// Where the current frame starts.
    from: u64,
    header: Vec<u8>,
    step: u64,
    /// Asked at each step whether to go on, and whether the model is settled on.
    watch: W,
    settled: bool,
    so_far: Trial,
    /// Members that have begun.
    members: u64,
    /// Records that wait for segments that are recorded apart.
    queue: Queue,
}

/// Starts what records segments apart.
pub type Start<'a, M> = &'a dyn Fn(&Engine<M>) -> Crew;

impl<R: Read, P: Write, S: Write, W: FnMut(&Trial) -> Result<bool>> Recorder<R, P, S, W> {
    /// A recorder of one stream, in frames of so many plain bytes.
    pub fn new(source: Stream<R>, plain: P, side: S, step: u64, watch: W) -> Self {
        Recorder {
            decoder: source.decoder,
            ready: source.header,
            plain_out: plain,
            side_out: side,
            written: 0,
            trailer: Trailer::default(),
            follow: Follow::default(),
            position: 0,
            from: 0,
            header: Vec::new(),
            step,
            watch,
            settled: false,
            so_far: Trial::default(),
            members: 0,
            queue: Queue::default(),
        }
    }

    /// Record all members.
    pub fn all<M: Model>(&mut self, encoder: Encoder, mut engine: Engine<M>, start: Start<M>) -> Result<()> {
        let header = self.first_header()?;
        self.side_out.write_all(&opening(encoder))?;
        self.begin(header)?;
        loop {
            self.member(&mut engine, encoder.is_parallel(), start)?;
            match gzip::read_header(&mut self.decoder.reader)? {
                Next::Member(header) => {
                    self.decoder.start();
                    self.begin(header)?;
                }
                Next::Other(bytes) => {
                    self.rest(bytes)?;
                    break;
                }
                Next::End => break,
            }
        }
        self.join()?;
        self.put(Record::End)?;
        self.plain_out.flush()?;
        self.side_out.flush()?;
        Ok(())
    }

    fn first_header(&mut self) -> Result<Vec<u8>> {
        if let Some(header) = self.ready.take() {
            return Ok(header);
        }
        match gzip::read_header(&mut self.decoder.reader)? {
            Next::Member(header) => Ok(header),
            _ => Err(Error::Unsupported("not a gzip stream")),
        }
    }

    /// The decoder stands at the first block of a member.
    fn begin(&mut self, header: Vec<u8>) -> Result<()> {
        if header == self.header {
            self.put(Record::SameHeader)?;
        } else {
            self.put(Record::Header(header.clone()))?;
            self.header = header;
        }
        self.members += 1;
        self.position = 0;
        self.from = 0;
        self.written = 0;
        self.trailer = Trailer::default();
        Ok(())
    }

    fn member<M: Model>(&mut self, engine: &mut Engine<M>, parallel: bool, start: Start<M>) -> Result<()> {
        let ahead = LOOKAHEAD as u64;
        loop {
            let whole = self.from + self.step + ahead;
            let alone = parallel || self.members > 1 && self.position == 0;
            let near = if self.settled && alone { whole } else { self.position + NEAR + ahead };
            self.decoder.read_to(whole.min(near))?;
            self.write_plain()?;
            let apart = self.settled && alone && self.is_apart(parallel);
            if apart && self.queue.can(|| start(engine)) {
                self.put_off()?;
                self.decoder.next_segment();
                if self.decoder.ended() {
                    return self.finish();
                }
                continue;
            }
            self.join()?;
            self.run(engine)?;
            let ended = self.decoder.end == Some(self.position);
            if ended || self.decoder.plain.end() >= whole {
                self.frame(ended)?;
            }
            if ended && self.decoder.ended() {
                return self.finish();
            }
            if ended {
                self.decoder.next_segment();
            }
        }
    }

    /// Run the model as far as enough lies ahead.
    fn run<M: Model>(&mut self, engine: &mut Engine<M>) -> Result<()> {
        let decoder = &mut self.decoder;
        let there = decoder.end.unwrap_or(decoder.plain.end());
        let stop = decoder.end.unwrap_or_else(|| there - LOOKAHEAD as u64);
        let last = decoder.end.is_some() && decoder.ended() && decoder.tail.is_empty();
        let goal = match (decoder.end, last) {
            (None, _) => Goal::Middle,
            (_, false) => Goal::Segment,
            (_, true) => Goal::Last,
        };
        let before = self.position;
        let base = decoder.plain.base;
        let view = View { bytes: &decoder.plain.bytes[..(there - base) as usize], base };
        let span = (self.position - base) as usize..(stop - base) as usize;
        self.follow.blocks.append(&mut decoder.blocks);
        let deviations = self.follow.fixes.bytes.len();
        self.position = base + engine.run(&view, span, goal, &mut self.follow)? as u64;
        let fixes = self.follow.fixes.bytes.len();
        self.so_far.deviations += (fixes - deviations) as u64;
        self.so_far.plain += self.position - before;
        (self.so_far.copied, self.so_far.flushed) = (decoder.copied, decoder.flushed);
        self.judge(fixes)
    }

    /// Whether the segment here is known as a whole, and no other needs to know what a model knows behind it.
    fn is_apart(&self, parallel: bool) -> bool {
        let decoder = &self.decoder;
        let whole = decoder.end.is_some_and(|end| end - self.position <= MAX_APART);
        whole && self.position == self.from && decoder.begins(self.position) && (parallel || decoder.ended())
    }

    /// Have the segment recorded beside others.
    fn put_off(&mut self) -> Result<()> {
        let decoder = &mut self.decoder;
        let end = decoder.end.unwrap_or(self.position);
        let base = self.position.saturating_sub(MAX_DISTANCE as u64).max(decoder.plain.base);
        let tail = std::mem::take(&mut decoder.tail);
        let last = decoder.ended() && tail.is_empty();
        let bytes = self.queue.copy(decoder.plain.span(base, end));
        let blocks = std::mem::take(&mut decoder.blocks);
        let job = Job { bytes, base, from: (self.position - base) as usize, blocks, last };
        let frame = Frame { span: end - self.position, ahead: 0, fixes: Vec::new(), tail, last };
        self.queue.give(job, frame)?;
        (self.position, self.from) = (end, end);
        while self.queue.is_full() {
            self.take()?;
        }
        Ok(())
    }

    /// Write the segments that are recorded apart, and what is behind them.
    fn join(&mut self) -> Result<()> {
        while self.take()? {}
        Ok(())
    }

    /// Write the first of them, if there is one.
    fn take(&mut self) -> Result<bool> {
        let Some(record) = self.queue.take().transpose()? else { return Ok(false) };
        if let Record::Frame(frame) = &record {
            self.so_far.deviations += frame.fixes.len() as u64;
            self.so_far.plain += frame.span;
            self.judge(frame.fixes.len())?;
        }
        self.emit(&record)?;
        Ok(true)
    }

    /// Whether to go on.
    fn judge(&mut self, fixes: usize) -> Result<()> {
        if fixes > MAX_FIXES {
            return Err(Error::Unsupported("the model does not fit at all"));
        }
        let settled = (self.watch)(&self.so_far)?;
        if settled && !self.settled {
            // Whoever rebuilds beside this waits for plain bytes that were held, and would take no more side data.
            self.plain_out.flush()?;
        }
        self.settled = settled;
        Ok(())
    }

    /// Write what the model missed since the frame's start; `ended`: the segment ends here.
    fn frame(&mut self, ended: bool) -> Result<()> {
        let decoder = &mut self.decoder;
        let tail = std::mem::take(&mut decoder.tail);
        let last = ended && decoder.ended() && tail.is_empty();
        let there = decoder.end.unwrap_or(decoder.plain.end());
        let ahead = (there - self.position).min(LOOKAHEAD as u64);
        let frame =
            Frame { span: self.position - self.from, ahead, fixes: self.follow.fixes.take(), tail, last };
        self.put(Record::Frame(frame))?;
        self.from = self.position;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let (_, padding) = self.decoder.reader.align()?;
        let mut trailer = [0; 8];
        self.decoder.reader.exact_bytes(&mut trailer)?;
        let stated = (trailer != self.trailer.bytes()).then_some(trailer);
        self.put(Record::Trailer(padding as u8, stated))
    }

    /// What follows the last member.
    fn rest(&mut self, bytes: Vec<u8>) -> Result<()> {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            bytes.chunks(MAX_REST).try_for_each(|piece| self.put(Record::Rest(piece.to_vec())))?;
            bytes.resize(MAX_REST, 0);
            let n = self.decoder.reader.bytes(&mut bytes)?;
            bytes.truncate(n);
        }
        Ok(())
    }

    fn write_plain(&mut self) -> Result<()> {
        let plain = &mut self.decoder.plain;
        let fresh = plain.span(self.written, plain.end());
        self.trailer.update(fresh);
        self.plain_out.write_all(fresh)?;
        self.written = plain.end();
        plain.forget_before(self.position);
        Ok(())
    }

    /// Write a record now, or behind the segments that are recorded apart.
    fn put(&mut self, record: Record) -> Result<()> {
        if self.queue.is_empty() {
            return self.emit(&record);
        }
        self.queue.push(record);
        Ok(())
    }

    fn emit(&mut self, record: &Record) -> Result<()> {
        let mut out = Vec::new();
        record.put(&mut out);
        self.side_out.write_all(&out)?;
        Ok(())
    }
}
