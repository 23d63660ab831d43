//! The guide of recording: compares what a model expects with the real blocks.

use crate::error::{Error, Result};
use crate::fixes::{Fix, FixWriter};
use crate::guide::{Guide, Plan, Step, Unit};
use crate::inflate::{Block, Start};
use crate::token::Token;
use std::collections::VecDeque;

const NO_TOKEN: Token = Token(0);

/// Follows real blocks.
#[derive(Default)]
pub struct Follow {
    /// The blocks to come.
    pub blocks: VecDeque<Block>,
    /// The deviations.
    pub fixes: FixWriter,
    current: Option<Block>,
    /// The current block's next token.
    next: usize,
    /// Plain bytes of the current block that are still to come.
    left: usize,
    /// Plain bytes of the unit whose tokens the stream does not show.
    hidden: usize,
    unit: Option<Real>,
    asked: usize,
}

/// What the stream shows of a unit.
struct Real {
    start: Start,
    last: bool,
    literals: bool,
}

impl Follow {
    /// Follow these blocks.
    pub fn of(blocks: VecDeque<Block>) -> Self {
        Follow { blocks, ..Follow::default() }
    }

    fn enter(&mut self) -> Result<()> {
        let block = self.blocks.pop_front().ok_or(Error::Unsupported("a model runs past the stream"))?;
        self.next = 0;
        self.left = block.span;
        self.current = Some(block);
        Ok(())
    }

    /// The unit's first token is due: which block is it in, and does the stream show its tokens?
    fn start(&mut self) -> Result<()> {
        let fresh = self.left == 0;
        if fresh {
            self.enter()?;
        }
        let Some(block) = &self.current else { return Err(Error::Unsupported("no block")) };
        let start = if fresh { block.start.clone() } else { Start::Continue };
        let reach = self.asked.min(self.left);
        let literals = block.plain || literal_run(&block.tokens[self.next..], reach);
        self.hidden = if block.plain { self.left } else { reach * usize::from(literals) };
        self.unit = Some(Real { start, last: fresh && block.last, literals });
        Ok(())
    }

    /// Go on into the next part of a long block; false if the block, or what was hidden, is at its end.
    fn goes_on(&mut self) -> Result<bool> {
        let hidden = self.unit.as_ref().is_some_and(|unit| unit.literals);
        if hidden || self.at_boundary() {
            return Ok(false);
        }
        self.enter()?;
        let literals = self.current.as_ref().is_some_and(|block| block.plain);
        Ok(!literals)
    }

    fn at_boundary(&self) -> bool {
        self.left == 0 && self.blocks.front().is_none_or(|block| block.start != Start::Continue)
    }
}

/// Whether the first `span` tokens are literals, and there are so many.
fn literal_run(tokens: &[Token], span: usize) -> bool {
    span > 0 && tokens.len() >= span && tokens[..span].iter().all(|token| token.is_literal())
}

impl Guide for Follow {
    fn open(&mut self, span: usize) {
        self.asked = span;
    }

    #[inline]
    fn token(&mut self, predicted: Token, byte: u8) -> Result<Step> {
        if self.unit.is_none() {
            self.start()?;
        } else if self.left == 0 && !self.goes_on()? {
            self.fixes.wrong(&Fix::Cut, NO_TOKEN);
            return Ok(Step::Cut);
        }
        if self.hidden > 0 {
            return Ok(Step::Token(self.hide(predicted, byte)));
        }
        if self.unit.as_ref().is_some_and(|unit| unit.literals) {
            self.fixes.wrong(&Fix::Cut, NO_TOKEN);
            return Ok(Step::Cut);
        }
        let real = match &self.current {
            Some(block) => block.tokens[self.next],
            None => return Err(Error::Unsupported("no block")),
        };
        self.next += 1;
        self.left -= real.span();
        if real == predicted {
            self.fixes.right();
        } else if real.is_literal() {
            self.fixes.wrong(&Fix::Literal, predicted);
        } else {
            self.fixes.wrong(&Fix::Copy(real), predicted);
        }
        Ok(Step::Token(real))
    }

    #[inline]
    fn literals(&mut self, bytes: &[u8]) -> usize {
        if self.quick() == 0 {
            return 1;
        }
        let more = self.agrees_to(&bytes[1..]);
        self.agreed(more);
        1 + more
    }

    #[inline]
    fn quick(&self) -> usize {
        let shown = self.hidden == 0 && self.unit.as_ref().is_some_and(|unit| !unit.literals);
        usize::from(shown) * self.current.as_ref().map_or(0, |block| block.tokens.len() - self.next)
    }

    #[inline]
    fn agrees(&mut self, token: Token) -> bool {
        let real = self.current.as_ref().and_then(|block| block.tokens.get(self.next));
        let same = real == Some(&token);
        if same {
            self.next += 1;
            self.left -= token.span();
        }
        same
    }

    #[inline]
    fn agrees_to(&mut self, bytes: &[u8]) -> usize {
        let Some(block) = &self.current else { return 0 };
        let real = &block.tokens[self.next..];
        let same =
            real.iter().zip(bytes).take_while(|(token, byte)| **token == Token::literal(**byte)).count();
        self.next += same;
        self.left -= same;
        same
    }

    #[inline]
    fn agreed(&mut self, tokens: usize) {
        self.fixes.all_right(tokens as u64);
    }

    fn end(&mut self, chunked: bool) -> Result<bool> {
        let hidden_to_its_end = self.hidden == 0 && self.unit.as_ref().is_some_and(|unit| unit.literals);
        let stored = self.current.as_ref().is_some_and(|block| matches!(block.start, Start::Stored(_)));
        if self.at_boundary() || hidden_to_its_end || chunked && !stored {
            self.fixes.right();
            return Ok(true);
        }
        self.fixes.wrong(&Fix::GoesOn, NO_TOKEN);
        Ok(false)
    }

    fn plan(&mut self, predicted: Plan, unit: &Unit, _: &[u8]) -> Result<Plan> {
        let real = self.unit.take().ok_or(Error::Unsupported("no unit"))?;
        self.hidden = 0;
        let no_matter = matches!(real.start, Start::Stored(_)) || unit.tokens.len() == unit.span;
        let literals = if no_matter { predicted.literals } else { real.literals };
        let plan = Plan { start: real.start, last: real.last, literals };
        if plan == predicted {
            self.fixes.right();
        } else {
            self.fixes.wrong(&Fix::Plan(plan.clone()), NO_TOKEN);
        }
        Ok(plan)
    }
}

impl Follow {
    /// A token that the stream does not show: what the model expects, if it fits.
    fn hide(&mut self, predicted: Token, byte: u8) -> Token {
        let token = if predicted.span() <= self.hidden { predicted } else { Token::literal(byte) };
        if token == predicted {
            self.fixes.right();
        } else {
            self.fixes.wrong(&Fix::Literal, predicted);
        }
        self.hidden -= token.span();
        self.left -= token.span();
        if !self.current.as_ref().is_some_and(|block| block.tokens.is_empty()) {
            self.next += token.span();
        }
        token
    }
}
