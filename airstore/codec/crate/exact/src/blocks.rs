//! Writes blocks: what a plan says, and tokens with the codes of the block they are in.

use crate::bits::BitWriter;
use crate::error::{ensure, Error, Result};
use crate::guide::Plan;
use crate::huffman::{codes, Code};
use crate::inflate::Start;
use crate::tables::{Lengths, DISTANCES, LITERALS};
use crate::token::{
    distance_parts, length_index, Token, END_OF_BLOCK, FIRST_LENGTH, LENGTHS, LENGTH_BASE, LENGTH_EXTRA,
    MAX_LENGTH, NO_DISTANCE, VALUES,
};

/// Writes one stream's blocks.
pub struct BlockWriter {
    /// The bits.
    pub out: BitWriter,
    codes: Codes,
    end: Code,
    open: bool,
}

impl Default for BlockWriter {
    fn default() -> Self {
        let codes =
            Codes { values: [Code::default(); VALUES], distances: [Code::default(); NO_DISTANCE + 1] };
        BlockWriter { out: BitWriter::default(), codes, end: Code::default(), open: false }
    }
}

/// Tokens that are written at once: room is made for all of them.
const AT_ONCE: usize = 1 << 12;

impl BlockWriter {
    /// End the block that is open, if one is.
    pub fn close(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) {
            let end = self.end;
            ensure(end.length > 0, "side data: a block has no code for its end")?;
            self.out.put(u64::from(end.bits), end.length);
        }
        Ok(())
    }

    /// Append what another writer wrote from a byte's first bit on; that starts anew.
    pub fn append(&mut self, other: &mut BlockWriter) -> Result<()> {
        self.close()?;
        ensure(self.out.free() == 0, "side data: a segment does not start with a byte")?;
        self.out.append(&other.out);
        other.out.clear();
        other.open = false;
        Ok(())
    }

    /// Write a unit; `plain`: the bytes it stands for.
    pub fn unit(&mut self, plan: &Plan, tokens: &[Token], plain: &[u8]) -> Result<()> {
        self.start(plan, plain)?;
        if matches!(plan.start, Start::Stored(_)) {
            return Ok(());
        }
        if plan.literals {
            return self.tokens(plain, |byte| Token::literal(*byte));
        }
        self.tokens(tokens, |token| *token)
    }

    fn tokens<T>(&mut self, all: &[T], token: impl Fn(&T) -> Token) -> Result<()> {
        let mut lacking = false;
        for part in all.chunks(AT_ONCE) {
            self.out.put_each(part.iter().map(|one| {
                let (bits, count, known) = self.codes.of(token(one));
                lacking |= !known;
                (bits, count)
            }));
        }
        ensure(!lacking, "side data: a block has no code for one of its tokens")
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
        let mut literals = [Code::default(); LITERALS];
        codes(&lengths.literals, &mut literals).map_err(unsound)?;
        codes(&lengths.distances, &mut self.codes.distances[..DISTANCES]).map_err(unsound)?;
        self.codes.set(&literals);
        self.end = literals[END_OF_BLOCK];
        self.open = true;
        Ok(())
    }
}

/// The codes of a block that tokens are written with. What has no code has no bits.
struct Codes {
    /// Those of literals, and behind `LENGTHS` those of lengths with their extra bits.
    values: [Code; VALUES],
    /// Those of distances; the last is that of none.
    distances: [Code; NO_DISTANCE + 1],
}

impl Codes {
    fn set(&mut self, literals: &[Code; LITERALS]) {
        self.values[..END_OF_BLOCK].copy_from_slice(&literals[..END_OF_BLOCK]);
        for length in 3..=MAX_LENGTH {
            let index = length_index(length);
            let code = literals[FIRST_LENGTH + index];
            let rest = length as u32 - u32::from(LENGTH_BASE[index]);
            self.values[LENGTHS + length] = match code.length {
                0 => code,
                n => Code { bits: code.bits | rest << n, length: n + u32::from(LENGTH_EXTRA[index]) },
            };
        }
    }

    /// A token's bits, their number, and whether there are codes for it. Without branches: which kind comes next
    /// cannot be foreseen.
    #[inline(always)]
    fn of(&self, token: Token) -> (u64, u32, bool) {
        let copy = u32::from(!token.is_literal());
        let value = self.values[token.value()];
        let (index, extra, rest) = distance_parts(token.distance());
        let (distance, extra, rest) = (self.distances[index & NO_DISTANCE], extra * copy, rest * copy);
        let before = value.length + distance.length;
        let bits =
            u64::from(value.bits) | u64::from(distance.bits) << value.length | u64::from(rest) << before;
        (bits, before + extra, value.length > 0 && distance.length >= copy)
    }
}
