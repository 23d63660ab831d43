//! Reads a gzip member's blocks ahead of the model, up to the end of a segment: where the encoder was flushed.

use crate::bits::BitReader;
use crate::error::{Error, Result};
use crate::guide::Plan;
use crate::inflate::{Block, Inflate, Start};
use crate::plain::Plain;
use crate::side::MAX_TAIL;
use std::collections::VecDeque;
use std::io::Read;

/// pigz may end its blocks without a trace but their length.
const PIGZ_BLOCK: u64 = 1 << 17;

/// What is known behind a block.
#[derive(Clone, Copy, Default)]
struct State {
    /// It goes on.
    open: bool,
    /// It was the stream's last.
    ended: bool,
}

/// A block that was read, and what was known behind it.
type Seen = (Block, State);

/// What is read again.
#[derive(Default)]
struct Again {
    blocks: VecDeque<Seen>,
    bytes: Vec<u8>,
    at: usize,
}

impl Again {
    /// The next block; its bytes are appended.
    fn take(&mut self, plain: &mut Plain) -> Option<Seen> {
        let seen = self.blocks.pop_front()?;
        let end = self.at + seen.0.span;
        plain.bytes.extend_from_slice(&self.bytes[self.at..end]);
        self.at = end;
        if self.blocks.is_empty() {
            self.bytes = Vec::new();
        }
        Some(seen)
    }
}

/// A stream to be recorded.
pub struct Stream<R> {
    /// What reads it.
    pub decoder: Decoder<R>,
    /// The first member's header, if it was read.
    pub header: Option<Vec<u8>>,
}

impl<R: Read> Stream<R> {
    /// One that stands at its beginning.
    pub fn new(source: R) -> Self {
        Stream { decoder: Decoder::new(source), header: None }
    }
}

/// What reads blocks.
pub struct Decoder<R> {
    /// The stream.
    pub reader: BitReader<R>,
    /// The plain bytes of what was read.
    pub plain: Plain,
    /// The blocks that were read and that no model has followed.
    pub blocks: VecDeque<Block>,
    /// Where the current segment ends, if that is known, ...
    pub end: Option<u64>,
    /// ... and the empty blocks there.
    pub tail: Vec<Plan>,
    /// Plain bytes that copies saved.
    pub copied: u64,
    /// Whether a segment ended and another followed.
    pub flushed: bool,
    inflate: Inflate,
    /// Blocks that were read before, with their bytes; and what is read now, if that is to be read again.
    again: Again,
    log: Option<VecDeque<Seen>>,
    /// What is known behind the last block that was read.
    state: State,
    /// The first block of the next segment, if it was read.
    waiting: Option<Block>,
    /// Where the current segment starts.
    segment: u64,
    /// Whether all segments so far were as long as pigz's.
    piecewise: bool,
}

impl<R: Read> Decoder<R> {
    /// A decoder that stands at a member's header.
    pub fn new(source: R) -> Self {
        Decoder {
            reader: BitReader::new(source),
            plain: Plain::default(),
            blocks: VecDeque::new(),
            end: None,
            tail: Vec::new(),
            copied: 0,
            flushed: false,
            inflate: Inflate::default(),
            again: Again::default(),
            log: None,
            state: State::default(),
            waiting: None,
            segment: 0,
            piecewise: true,
        }
    }

    /// A member's blocks start here.
    pub fn start(&mut self) {
        self.inflate = Inflate::default();
        self.restart();
    }

    fn restart(&mut self) {
        self.state = State::default();
        self.plain.clear();
        self.end = None;
        self.segment = 0;
        self.piecewise = true;
    }

    /// Keep what is read from here on: it can be read again.
    pub fn keep(&mut self) {
        self.log = Some(VecDeque::new());
    }

    /// Stand again where keeping began: at a stream's first block.
    pub fn rewind(&mut self) {
        let blocks = self.log.take().unwrap_or_default();
        self.again = Again { blocks, bytes: std::mem::take(&mut self.plain.bytes), at: 0 };
        self.restart();
        self.blocks.clear();
        self.tail.clear();
        self.waiting = None;
        (self.copied, self.flushed) = (0, false);
    }

    /// Whether the member's last block was read, and none is left for another segment.
    pub fn ended(&self) -> bool {
        self.state.ended && self.waiting.is_none()
    }

    /// Whether the current segment starts at this position.
    pub fn begins(&self, position: u64) -> bool {
        self.segment == position
    }

    /// The next segment starts where this one ends.
    pub fn next_segment(&mut self) {
        self.segment = self.end.take().unwrap_or(self.segment);
    }

    /// Read blocks up to this position, or until the segment's end is known.
    pub fn read_to(&mut self, position: u64) -> Result<()> {
        if self.end.is_none() {
            self.tail.clear();
        }
        while self.end.is_none() && (self.waiting.is_some() || self.plain.end() < position) {
            let before = self.plain.end();
            if let Some(block) = self.next_block()? {
                self.take(block, before)?;
            }
        }
        Ok(())
    }

    /// The next block, unless it is an empty part of a long one.
    fn next_block(&mut self) -> Result<Option<Block>> {
        if let Some(block) = self.waiting.take() {
            return Ok(Some(block));
        }
        let (block, state) = match self.again.take(&mut self.plain) {
            Some(seen) => seen,
            None => {
                let block = self.inflate.block(&mut self.reader, &mut self.plain)?;
                (block, State { open: self.inflate.open(), ended: self.inflate.ended() })
            }
        };
        self.state = state;
        if let Some(log) = &mut self.log {
            log.push_back((block.clone(), state));
        }
        let nothing = block.span == 0 && block.start == Start::Continue;
        if nothing && self.state.ended {
            self.end = Some(self.plain.end());
        }
        Ok((!nothing).then_some(block))
    }

    fn take(&mut self, block: Block, before: u64) -> Result<()> {
        let before = before.min(self.plain.end() - block.span as u64);
        if block.span == 0 {
            return self.segment_end(Some(block), before);
        }
        self.copied += (block.span - block.tokens.len().min(block.span)) as u64;
        self.blocks.push_back(block);
        let end = self.plain.end();
        if self.state.ended {
            self.end = Some(end);
        } else if !self.state.open && self.piecewise && end - self.segment == PIGZ_BLOCK {
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
        while !self.state.ended {
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
        self.flushed |= self.waiting.is_some();
        Ok(())
    }
}
