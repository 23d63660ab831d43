//! Deviations of the real stream from the model, as bytes: how many answers were as expected, then what was not.
//!
//! Nothing in them depends on where in the stream they stand.

use crate::bits::BitReader;
use crate::error::{ensure, Error, Result};
use crate::guide::Plan;
use crate::inflate::Start;
use crate::tables::{read_header, Header, MAX_HEADER_BITS};
use crate::token::Token;
use crate::wire::{put_number, Wire};

/// What was not as expected.
#[derive(Clone, PartialEq)]
pub enum Fix {
    /// The unit ended before this token.
    Cut,
    /// The unit did not end here.
    GoesOn,
    /// This token is a literal.
    Literal,
    /// This token is a copy: length and distance.
    Copy(Token),
    /// The unit was written so.
    Plan(Plan),
}

const CUT: u64 = 0;
const GOES_ON: u64 = 1;
const LITERAL: u64 = 2;
const COPY: u64 = 3;
const SAME_DISTANCE: u64 = 4;
const PLAN: u64 = 5;
const KINDS: u64 = 6;
const NO_MORE: u64 = KINDS;

const LAST: u8 = 4;
const LITERALS: u8 = 8;

/// Collects fixes.
#[derive(Default)]
pub struct FixWriter {
    /// The fixes so far.
    pub bytes: Vec<u8>,
    right: u64,
}

impl FixWriter {
    /// An answer was as expected.
    #[inline]
    pub fn right(&mut self) {
        self.right += 1;
    }

    /// `n` answers were as expected.
    #[inline]
    pub fn all_right(&mut self, n: u64) {
        self.right += n;
    }

    /// One was not; `predicted`: the token that was expected, where one was.
    pub fn wrong(&mut self, fix: &Fix, predicted: Token) {
        let right = std::mem::take(&mut self.right) * KINDS;
        let out = &mut self.bytes;
        match fix {
            Fix::Cut => put_number(out, right + CUT),
            Fix::GoesOn => put_number(out, right + GOES_ON),
            Fix::Literal => put_number(out, right + LITERAL),
            Fix::Copy(token) if token.distance() == predicted.distance() => {
                put_number(out, right + SAME_DISTANCE);
                out.push((token.length() - 3) as u8);
            }
            Fix::Copy(token) => {
                put_number(out, right + COPY);
                out.push((token.length() - 3) as u8);
                out.extend_from_slice(&(token.distance() as u16).to_le_bytes());
            }
            Fix::Plan(plan) => {
                put_number(out, right + PLAN);
                put_plan(out, plan);
            }
        }
    }

    /// Take the fixes so far and start again.
    pub fn take(&mut self) -> Vec<u8> {
        self.right = 0;
        std::mem::take(&mut self.bytes)
    }
}

/// Append how a block starts.
pub fn put_plan(out: &mut Vec<u8>, plan: &Plan) {
    let flags = if plan.last { LAST } else { 0 } | if plan.literals { LITERALS } else { 0 };
    match &plan.start {
        Start::Continue => out.push(flags),
        Start::Stored(padding) => out.extend_from_slice(&[flags | 1, *padding]),
        Start::Fixed => out.push(flags | 2),
        Start::Dynamic(header) => {
            out.push(flags | 3);
            put_number(out, header.bits as u64);
            out.extend_from_slice(&header.packed);
        }
    }
}

/// Read how a block starts.
pub fn read_plan<R: std::io::Read>(wire: &mut Wire<R>) -> Result<Plan> {
    let flags = wire.byte()?;
    ensure(flags < 16, "side data: a block has unknown flags")?;
    let start = match flags & 3 {
        0 => Start::Continue,
        1 => Start::Stored(wire.byte()?),
        2 => Start::Fixed,
        _ => Start::Dynamic(stated_header(wire)?),
    };
    ensure(!matches!(start, Start::Stored(128..)), "side data: a stored block has too much padding")?;
    Ok(Plan { start, last: flags & LAST != 0, literals: flags & LITERALS != 0 })
}

fn stated_header<R: std::io::Read>(wire: &mut Wire<R>) -> Result<Header> {
    let bits = wire.number_to(MAX_HEADER_BITS as u64)? as usize;
    let packed = wire.bytes(bits.div_ceil(8))?;
    let header = read_header(&mut BitReader::new(&packed[..]))
        .map_err(|_| Error::Damaged("side data: a block's header makes no sense"))?;
    ensure(header.bits == bits && header.packed == packed, "side data: a block's header has a wrong size")?;
    Ok(header)
}

/// Reads fixes back.
pub struct FixReader {
    bytes: std::io::Cursor<Vec<u8>>,
    left: u64,
    kind: u64,
}

impl FixReader {
    /// Fixes that a `FixWriter` wrote.
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        let mut reader = FixReader { bytes: std::io::Cursor::new(bytes), left: 0, kind: 0 };
        reader.advance()?;
        Ok(reader)
    }

    fn advance(&mut self) -> Result<()> {
        if self.bytes.position() == self.bytes.get_ref().len() as u64 {
            self.left = u64::MAX;
            self.kind = NO_MORE;
            return Ok(());
        }
        let number = Wire(&mut self.bytes).number()?;
        self.left = number / KINDS;
        self.kind = number % KINDS;
        Ok(())
    }

    /// Whether all were taken.
    pub fn done(&self) -> bool {
        self.kind == NO_MORE
    }

    /// Whether the next answer is as expected.
    #[inline]
    pub fn is_right(&mut self) -> bool {
        let right = self.left > 0;
        self.left -= u64::from(right);
        right
    }

    /// How many answers are as expected before one is not.
    #[inline]
    pub fn sure(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }

    /// How many of the next `n` answers are as expected before one is not.
    #[inline]
    pub fn all_right(&mut self, n: u64) -> u64 {
        let right = n.min(self.left);
        self.left -= right;
        right
    }

    /// The fix that is due.
    pub fn take(&mut self, predicted: Token) -> Result<Fix> {
        let mut wire = Wire(&mut self.bytes);
        let fix = match self.kind {
            CUT => Fix::Cut,
            GOES_ON => Fix::GoesOn,
            LITERAL => Fix::Literal,
            COPY => {
                let length = usize::from(wire.byte()?) + 3;
                let distance = u16::from_le_bytes([wire.byte()?, wire.byte()?]);
                Fix::Copy(Token::copy(length, usize::from(distance)))
            }
            SAME_DISTANCE => Fix::Copy(Token::copy(usize::from(wire.byte()?) + 3, predicted.distance())),
            PLAN => Fix::Plan(read_plan(&mut wire)?),
            _ => return Err(Error::Damaged("side data: deviations are missing")),
        };
        self.advance()?;
        Ok(fix)
    }
}
