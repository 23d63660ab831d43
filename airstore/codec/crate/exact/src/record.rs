//! Recording: a gzip stream becomes plain bytes and side data.

use crate::bits::BitReader;
use crate::crc::Trailer;
use crate::encoder::{Encoder, WithModel};
use crate::engine::{Engine, Goal};
use crate::error::{Error, Result};
use crate::follow::Follow;
use crate::guide::Plan;
use crate::gzip::{self, Next};
use crate::inflate::{Block, Inflate, Start};
use crate::models::{Model, View, LOOKAHEAD};
use crate::plain::Plain;
use crate::side::{opening, Frame, Record, MAX_FIXES, MAX_REST, MAX_TAIL};
use crate::trial::{Limits, Trial};
use std::io::{Read, Write};

/// Plain bytes of a frame.
const STEP: u64 = 4 << 20;
/// pigz may end its blocks without a trace but their length.
const PIGZ_BLOCK: u64 = 1 << 17;

/// What reads a gzip stream and writes what it is recorded as.
pub struct Recorder<R, P, S> {
    reader: BitReader<R>,
    plain_out: P,
    side_out: S,
    inflate: Inflate,
    plain: Plain,
    written: u64,
    trailer: Trailer,
    follow: Follow,
    /// The first block of the next segment, if it was read.
    waiting: Option<Block>,
    /// Where the current segment ends, if that is known, and how.
    end: Option<u64>,
    tail: Vec<Plan>,
    /// Where the current segment starts.
    segment: u64,
    /// Whether all segments so far were as long as pigz's.
    piecewise: bool,
    position: u64,
    header: Vec<u8>,
    limits: Limits,
    /// How the model did so far.
    pub so_far: Trial,
}

/// Record a stream with this encoder's model.
pub fn record_members(
    encoder: Encoder,
    source: impl Read,
    plain: impl Write,
    side: impl Write,
) -> Result<()> {
    let limits = Limits { step: STEP, plain: u64::MAX, deviations: u64::MAX };
    encoder.with(Members { encoder, recorder: Recorder::new(source, plain, side, limits) })
}

struct Members<R, P, S> {
    encoder: Encoder,
    recorder: Recorder<R, P, S>,
}

impl<R: Read, P: Write, S: Write> WithModel for Members<R, P, S> {
    type Output = Result<()>;

    fn call<M: Model>(mut self, mut engine: Engine<M>) -> Self::Output {
        self.recorder.all(self.encoder, &mut engine)
    }
}

impl<R: Read, P: Write, S: Write> Recorder<R, P, S> {
    /// A recorder of one stream.
    pub fn new(source: R, plain: P, side: S, limits: Limits) -> Self {
        Recorder {
            reader: BitReader::new(source),
            plain_out: plain,
            side_out: side,
            inflate: Inflate::default(),
            plain: Plain::default(),
            written: 0,
            trailer: Trailer::default(),
            follow: Follow::default(),
            waiting: None,
            end: None,
            tail: Vec::new(),
            segment: 0,
            piecewise: true,
            position: 0,
            header: Vec::new(),
            limits,
            so_far: Trial { deviations: 0, copied: 0, plain: 0, flushed: false },
        }
    }

    /// Record all members.
    pub fn all<M: Model>(&mut self, encoder: Encoder, engine: &mut Engine<M>) -> Result<()> {
        let Next::Member(header) = gzip::read_header(&mut self.reader)? else {
            return Err(Error::Unsupported("not a gzip stream"));
        };
        self.emit(&opening(encoder))?;
        self.next_member(header)?;
        loop {
            self.member(engine)?;
            match gzip::read_header(&mut self.reader)? {
                Next::Member(header) => self.next_member(header)?,
                Next::Other(bytes) => {
                    self.rest(bytes)?;
                    break;
                }
                Next::End => break,
            }
        }
        self.put(&Record::End)?;
        self.plain_out.flush()?;
        self.side_out.flush()?;
        Ok(())
    }

    fn start(&mut self) {
        self.inflate = Inflate::default();
        self.plain.clear();
        self.position = 0;
        self.written = 0;
        self.trailer = Trailer::default();
        self.end = None;
        self.segment = 0;
        self.piecewise = true;
    }

    fn next_member(&mut self, header: Vec<u8>) -> Result<()> {
        if header == self.header {
            self.put(&Record::SameHeader)?;
        } else {
            self.put(&Record::Header(header.clone()))?;
            self.header = header;
        }
        self.start();
        Ok(())
    }

    fn member<M: Model>(&mut self, engine: &mut Engine<M>) -> Result<()> {
        loop {
            self.decode(self.limits.step + LOOKAHEAD as u64)?;
            self.frame(engine)?;
            if self.end == Some(self.position) {
                if self.inflate.ended() && self.waiting.is_none() {
                    return self.finish();
                }
                self.end = None;
                self.segment = self.position;
            }
        }
    }

    /// Read blocks until so many plain bytes lie ahead, or the segment's end is known.
    fn decode(&mut self, ahead: u64) -> Result<()> {
        if self.end.is_none() {
            self.tail.clear();
        }
        while self.end.is_none() && (self.waiting.is_some() || self.plain.end() - self.position < ahead) {
            let before = self.plain.end();
            if let Some(block) = self.next_block()? {
                self.take(block, before)?;
            }
        }
        self.write_plain()
    }

    /// The next block, unless it is an empty part of a long one.
    fn next_block(&mut self) -> Result<Option<Block>> {
        if let Some(block) = self.waiting.take() {
            return Ok(Some(block));
        }
        let block = self.inflate.block(&mut self.reader, &mut self.plain)?;
        let nothing = block.span == 0 && block.start == Start::Continue;
        if nothing && self.inflate.ended() {
            self.end = Some(self.plain.end());
        }
        Ok((!nothing).then_some(block))
    }

    fn take(&mut self, block: Block, before: u64) -> Result<()> {
        let before = before.min(self.plain.end() - block.span as u64);
        if block.span == 0 {
            return self.segment_end(Some(block), before);
        }
        self.so_far.copied += (block.span - block.tokens.len().min(block.span)) as u64;
        self.follow.blocks.push_back(block);
        let end = self.plain.end();
        if self.inflate.ended() {
            self.end = Some(end);
        } else if !self.inflate.open() && self.piecewise && end - self.segment == PIGZ_BLOCK {
            return self.segment_end(None, end);
        } else if end - self.segment > PIGZ_BLOCK {
            self.piecewise = false;
        }
        Ok(())
    }

    /// Empty blocks end a segment.
    fn segment_end(&mut self, block: Option<Block>, end: u64) -> Result<()> {
        self.end = Some(end);
        self.piecewise &= end - self.segment == PIGZ_BLOCK;
        self.tail.extend(block.map(|block| Plan { start: block.start, last: block.last, literals: false }));
        while !self.inflate.ended() {
            if let Some(block) = self.next_block()? {
                if block.span > 0 {
                    self.waiting = Some(block);
                    break;
                }
                if self.tail.len() == MAX_TAIL {
                    return Err(Error::Unsupported("too many empty blocks"));
                }
                self.tail.push(Plan { start: block.start, last: block.last, literals: false });
            }
        }
        self.so_far.flushed |= self.waiting.is_some();
        Ok(())
    }

    /// Run the model as far as enough lies ahead, and write what it missed.
    fn frame<M: Model>(&mut self, engine: &mut Engine<M>) -> Result<()> {
        let there = self.end.unwrap_or(self.plain.end());
        let stop = self.end.unwrap_or_else(|| there - LOOKAHEAD as u64);
        let last =
            self.end.is_some() && self.inflate.ended() && self.waiting.is_none() && self.tail.is_empty();
        let goal = match (self.end, last) {
            (None, _) => Goal::Middle,
            (_, false) => Goal::Segment,
            (_, true) => Goal::Last,
        };
        let before = self.position;
        let base = self.plain.base;
        let view = View { bytes: &self.plain.bytes[..(there - base) as usize], base };
        let span = (self.position - base) as usize..(stop - base) as usize;
        self.position = base + engine.run(&view, span, goal, &mut self.follow)? as u64;
        let fixes = self.follow.fixes.take();
        self.so_far.deviations += fixes.len() as u64;
        self.so_far.plain += self.position - before;
        if fixes.len() > MAX_FIXES || self.so_far.deviations > self.limits.deviations {
            return Err(Error::Unsupported("the model does not fit at all"));
        }
        if self.so_far.plain >= self.limits.plain {
            return Err(Error::Unsupported("the stream goes on"));
        }
        let ahead = (there - self.position).min(LOOKAHEAD as u64);
        let tail = std::mem::take(&mut self.tail);
        let frame = Frame { span: self.position - before, ahead, fixes, tail, last };
        self.put(&Record::Frame(frame))?;
        self.plain.forget_before(self.position);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let (_, padding) = self.reader.align()?;
        let mut trailer = [0; 8];
        self.reader.exact_bytes(&mut trailer)?;
        let stated = (trailer != self.trailer.bytes()).then_some(trailer);
        self.put(&Record::Trailer(padding as u8, stated))
    }

    /// What follows the last member.
    fn rest(&mut self, bytes: Vec<u8>) -> Result<()> {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            bytes.chunks(MAX_REST).try_for_each(|piece| self.put(&Record::Rest(piece.to_vec())))?;
            bytes.resize(MAX_REST, 0);
            let n = self.reader.bytes(&mut bytes)?;
            bytes.truncate(n);
        }
        Ok(())
    }

    fn write_plain(&mut self) -> Result<()> {
        let fresh = self.plain.span(self.written, self.plain.end());
        self.trailer.update(fresh);
        self.plain_out.write_all(fresh)?;
        self.written = self.plain.end();
        Ok(())
    }

    fn put(&mut self, record: &Record) -> Result<()> {
        let mut out = Vec::new();
        record.put(&mut out);
        self.emit(&out)
    }

    fn emit(&mut self, bytes: &[u8]) -> Result<()> {
        self.side_out.write_all(bytes)?;
        Ok(())
    }
}
