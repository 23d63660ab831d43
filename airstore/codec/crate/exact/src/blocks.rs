//! Writes blocks: what a plan says, and tokens with the codes of the block they are in.

use crate::bits::BitWriter;
use crate::error::{ensure, Error, Result};
use crate::guide::Plan;
use crate::huffman::{codes, Code};
use crate::inflate::Start;
use crate::tables::{Lengths, DISTANCES, LITERALS};
use crate::token::{
    distance_index, length_index, Token, DISTANCE_BASE, DISTANCE_EXTRA, END_OF_BLOCK, FIRST_LENGTH,
    LENGTH_BASE, LENGTH_EXTRA,
};

/// Writes one stream's blocks.
pub struct BlockWriter {
    /// The bits.
    pub out: BitWriter,
    literals: [Code; LITERALS],
    distances: [Code; DISTANCES],
    open: bool,
}

impl Default for BlockWriter {
    fn default() -> Self {
        let (literals, distances) = ([Code::default(); LITERALS], [Code::default(); DISTANCES]);
        BlockWriter { out: BitWriter::default(), literals, distances, open: false }
    }
}

const NO_CODE: Error = Error::Damaged("side data: a block has no code for one of its tokens");

impl BlockWriter {
    /// End the block that is open, if one is.
    pub fn close(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) {
            let end = self.literals[END_OF_BLOCK];
            ensure(end.length > 0, "side data: a block has no code for its end")?;
            self.out.put(u64::from(end.bits), end.length);
        }
        Ok(())
    }

    /// Append what another writer wrote from a byte's first bit on.
    pub fn append(&mut self, other: &mut BlockWriter) -> Result<()> {
        self.close()?;
        ensure(self.out.free() == 0, "side data: a segment does not start with a byte")?;
        self.out.append(&other.out);
        Ok(())
    }

    /// Write a unit; `plain`: the bytes it stands for.
    pub fn unit(&mut self, plan: &Plan, tokens: &[Token], plain: &[u8]) -> Result<()> {
        self.start(plan, plain)?;
        if matches!(plan.start, Start::Stored(_)) {
            return Ok(());
        }
        if plan.literals {
            return plain.iter().try_for_each(|byte| self.token(Token::literal(*byte)));
        }
        tokens.iter().try_for_each(|token| self.token(*token))
    }

    /// Write a block that stands for no bytes.
    pub fn empty(&mut self, plan: &Plan) -> Result<()> {
        ensure(plan.start != Start::Continue, "side data: an empty block does not start")?;
        self.start(plan, &[])?;
        self.close()
    }

    fn start(&mut self, plan: &Plan, plain: &[u8]) -> Result<()> {
        if plan.start == Start::Continue {
            return ensure(self.open && !plan.last, "side data: no block goes on");
        }
        self.close()?;
        self.out.put(u64::from(plan.last), 1);
        match &plan.start {
            Start::Stored(padding) => self.stored(*padding, plain)?,
            Start::Fixed => {
                self.out.put(1, 2);
                self.set(&Lengths::fixed())?;
            }
            Start::Dynamic(header) => {
                self.out.put(2, 2);
                self.out.put_packed(&header.packed, header.bits);
                self.set(&header.lengths)?;
            }
            Start::Continue => {}
        }
        Ok(())
    }

    fn stored(&mut self, padding: u8, plain: &[u8]) -> Result<()> {
        ensure(plain.len() < 1 << 16, "side data: a stored block is too long")?;
        self.out.put(0, 2);
        ensure(u32::from(padding) >> self.out.free() == 0, "side data: a stored block has too much padding")?;
        self.out.align(u32::from(padding));
        let size = plain.len() as u16;
        self.out.put_bytes(&size.to_le_bytes());
        self.out.put_bytes(&(!size).to_le_bytes());
        self.out.put_bytes(plain);
        Ok(())
    }

    fn set(&mut self, lengths: &Lengths) -> Result<()> {
        let unsound = |_| Error::Damaged("side data: a block's codes make no sense");
        codes(&lengths.literals, &mut self.literals).map_err(unsound)?;
        codes(&lengths.distances, &mut self.distances).map_err(unsound)?;
        self.open = true;
        Ok(())
    }

    #[inline]
    fn token(&mut self, token: Token) -> Result<()> {
        if token.is_literal() {
            let code = self.literals[usize::from(token.byte())];
            if code.length == 0 {
                return Err(NO_CODE);
            }
            self.out.put(u64::from(code.bits), code.length);
            return Ok(());
        }
        let index = length_index(token.length());
        let code = self.literals[FIRST_LENGTH + index];
        let rest = token.length() as u64 - u64::from(LENGTH_BASE[index]);
        let mut bits = u64::from(code.bits) | rest << code.length;
        let mut count = code.length + u32::from(LENGTH_EXTRA[index]);
        let index = distance_index(token.distance());
        let distance = self.distances[index];
        if code.length == 0 || distance.length == 0 {
            return Err(NO_CODE);
        }
        bits |= u64::from(distance.bits) << count;
        count += distance.length;
        bits |= (token.distance() as u64 - u64::from(DISTANCE_BASE[index])) << count;
        count += u32::from(DISTANCE_EXTRA[index]);
        self.out.put(bits, count);
        Ok(())
    }
}
