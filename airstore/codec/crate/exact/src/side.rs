//! Side data: what a gzip blob is besides its plain bytes. The byte tables are in `docs/formats-codec.md`.

use crate::encoder::Encoder;
use crate::error::{ensure, Error, Result};
use crate::fixes::{put_plan, read_plan};
use crate::guide::Plan;
use crate::inflate::Start;
use crate::wire::{put_number, Wire};
use std::io::Read;

const MAGIC: &[u8; 6] = b"AIRGZ\x01";
/// The most bytes of deviations in one frame.
pub const MAX_FIXES: usize = 16 << 20;
/// The most bytes of one member's header.
pub const MAX_HEADER: usize = 1 << 18;
/// The most bytes in one piece of what follows the last member.
pub const MAX_REST: usize = 1 << 16;
/// The most empty blocks at one segment's end.
pub const MAX_TAIL: usize = 1 << 16;

const END: u8 = 0;
const HEADER: u8 = 1;
const SAME_HEADER: u8 = 2;
const FRAME: u8 = 3;
const TRAILER: u8 = 4;
const OTHER_TRAILER: u8 = 5;
const REST: u8 = 6;

/// A run of plain bytes, and how the stream deviates from the model over it.
#[derive(PartialEq)]
pub struct Frame {
    /// How many plain bytes.
    pub span: u64,
    /// How many more the segment has at least; none if it ends with the frame.
    pub ahead: u64,
    /// The deviations.
    pub fixes: Vec<u8>,
    /// The segment's end, if it ends with the frame.
    pub tail: Vec<Plan>,
    /// Whether the segment's last block with tokens is the stream's last.
    pub last: bool,
}

/// One record of side data.
pub enum Record {
    /// A member starts with this header.
    Header(Vec<u8>),
    /// A member starts with the header of the one before.
    SameHeader,
    /// Plain bytes.
    Frame(Frame),
    /// A member ends: the padding of its last byte, and its trailer if that is not the right one.
    Trailer(u8, Option<[u8; 8]>),
    /// Bytes behind the last member.
    Rest(Vec<u8>),
    /// The end.
    End,
}

/// The bytes that side data start with.
pub fn opening(encoder: Encoder) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&encoder.bytes());
    out
}

/// Read the bytes that side data start with.
pub fn read_opening<R: Read>(wire: &mut Wire<R>) -> Result<Encoder> {
    let magic = wire.bytes(MAGIC.len())?;
    ensure(magic[..5] == MAGIC[..5], "these are no side data of a gzip stream")?;
    ensure(magic[5] == MAGIC[5], "side data of an unknown version: a newer airstore wrote them")?;
    Encoder::from_bytes([wire.byte()?, wire.byte()?])
}

fn sync() -> Plan {
    Plan { start: Start::Stored(0), last: false, literals: false }
}

fn fixed_end() -> Plan {
    Plan { start: Start::Fixed, last: true, literals: false }
}

/// The ends that encoders write; a segment's end is one of them, or stated.
fn common_tails() -> [(Vec<Plan>, bool); 6] {
    let stored_end = Plan { last: true, ..sync() };
    [
        (vec![], false),
        (vec![], true),
        (vec![sync()], false),
        (vec![stored_end], false),
        (vec![sync(), fixed_end()], false),
        (vec![fixed_end()], false),
    ]
}

impl Record {
    /// Append the record.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Record::Header(header) => put_piece(out, HEADER, header),
            Record::SameHeader => out.push(SAME_HEADER),
            Record::Frame(frame) => frame.put(out),
            Record::Trailer(padding, None) => out.extend_from_slice(&[TRAILER, *padding]),
            Record::Trailer(padding, Some(bytes)) => {
                out.extend_from_slice(&[OTHER_TRAILER, *padding]);
                out.extend_from_slice(bytes);
            }
            Record::Rest(bytes) => put_piece(out, REST, bytes),
            Record::End => out.push(END),
        }
    }

    /// Read the next record.
    pub fn read<R: Read>(wire: &mut Wire<R>) -> Result<Record> {
        match wire.byte()? {
            END => Ok(Record::End),
            HEADER => Ok(Record::Header(wire.piece(MAX_HEADER)?)),
            SAME_HEADER => Ok(Record::SameHeader),
            FRAME => Ok(Record::Frame(Frame::read(wire)?)),
            TRAILER => Ok(Record::Trailer(wire.byte()?, None)),
            OTHER_TRAILER => {
                let padding = wire.byte()?;
                let bytes = wire.bytes(8)?.try_into().unwrap_or_default();
                Ok(Record::Trailer(padding, Some(bytes)))
            }
            REST => Ok(Record::Rest(wire.piece(MAX_REST)?)),
            _ => Err(Error::Damaged("side data: an unknown record")),
        }
    }
}

fn put_piece(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

impl Frame {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(FRAME);
        put_number(out, self.span);
        put_number(out, self.ahead);
        put_number(out, self.fixes.len() as u64);
        out.extend_from_slice(&self.fixes);
        if self.ahead > 0 {
            return;
        }
        let tails = common_tails();
        if let Some(code) = tails.iter().position(|(tail, last)| *tail == self.tail && *last == self.last) {
            out.push(code as u8);
            return;
        }
        out.push(tails.len() as u8);
        put_number(out, self.tail.len() as u64);
        self.tail.iter().for_each(|plan| put_plan(out, plan));
    }

    fn read<R: Read>(wire: &mut Wire<R>) -> Result<Frame> {
        let span = wire.number_to(1 << 60)?;
        let ahead = wire.number_to(1 << 60)?;
        let fixes = wire.piece(MAX_FIXES)?;
        let mut frame = Frame { span, ahead, fixes, tail: Vec::new(), last: false };
        if ahead > 0 {
            return Ok(frame);
        }
        let code = usize::from(wire.byte()?);
        if let Some((tail, last)) = common_tails().into_iter().nth(code) {
            (frame.tail, frame.last) = (tail, last);
            return Ok(frame);
        }
        ensure(code == common_tails().len(), "side data: a segment ends in an unknown way")?;
        for _ in 0..wire.number_to(MAX_TAIL as u64)? {
            frame.tail.push(read_plan(wire)?);
        }
        Ok(frame)
    }
}
