//! The guide of rebuilding: takes what the model expects, but for the recorded deviations, and writes it.

use crate::blocks::BlockWriter;
use crate::error::{Error, Result};
use crate::fixes::{Fix, FixReader};
use crate::guide::{Guide, Plan, Step, Unit};
use crate::inflate::Start;
use crate::token::Token;

const NO_TOKEN: Token = Token(0);
const MISPLACED: Error = Error::Damaged("side data: a deviation is out of place");

/// Steers a model by deviations.
pub struct Steer<'a> {
    /// The deviations.
    pub fixes: FixReader,
    /// Where blocks are written.
    pub blocks: &'a mut BlockWriter,
}

impl Guide for Steer<'_> {
    fn open(&mut self, _: usize) {}

    #[inline]
    fn token(&mut self, predicted: Token, byte: u8) -> Result<Step> {
        if self.fixes.is_right() {
            return Ok(Step::Token(predicted));
        }
        match self.fixes.take(predicted)? {
            Fix::Cut => Ok(Step::Cut),
            Fix::Literal => Ok(Step::Token(Token::literal(byte))),
            Fix::Copy(token) => Ok(Step::Token(token)),
            _ => Err(MISPLACED),
        }
    }

    #[inline]
    fn literals(&mut self, bytes: &[u8]) -> usize {
        1 + self.fixes.all_right(bytes.len() as u64 - 1) as usize
    }

    #[inline]
    fn quick(&self) -> usize {
        self.fixes.sure()
    }

    #[inline(always)]
    fn agrees(&mut self, _: Token) -> bool {
        true
    }

    #[inline(always)]
    fn agrees_to(&mut self, bytes: &[u8]) -> usize {
        bytes.len()
    }

    #[inline]
    fn agreed(&mut self, tokens: usize) {
        self.fixes.all_right(tokens as u64);
    }

    fn end(&mut self, _: bool) -> Result<bool> {
        if self.fixes.is_right() {
            return Ok(true);
        }
        match self.fixes.take(NO_TOKEN)? {
            Fix::GoesOn => Ok(false),
            _ => Err(MISPLACED),
        }
    }

    fn plan(&mut self, predicted: Plan, unit: &Unit, plain: &[u8]) -> Result<Plan> {
        let plan = if self.fixes.is_right() {
            predicted
        } else {
            match self.fixes.take(NO_TOKEN)? {
                Fix::Plan(plan) => plan,
                _ => return Err(MISPLACED),
            }
        };
        let needs_plain = plan.literals || matches!(plan.start, Start::Stored(_));
        if needs_plain && plain.len() != unit.span {
            return Err(Error::Damaged("side data: a block of literals is too long"));
        }
        self.blocks.unit(&plan, &unit.tokens, plain)?;
        Ok(plan)
    }
}
