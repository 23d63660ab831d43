//! What a model's run asks at each step: is this what the encoder did? Recording answers by looking at the
//! real stream, rebuilding by looking at the recorded deviations.

use crate::error::Result;
use crate::inflate::Start;
use crate::token::Token;

/// Tokens that are planned together: a block, or what the encoder decides on at once.
#[derive(Clone, Default)]
pub struct Unit {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// How many plain bytes they stand for.
    pub span: usize,
}

impl Unit {
    /// Forget everything.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.span = 0;
    }
}

/// How a unit's tokens are written.
#[derive(Clone, PartialEq)]
pub struct Plan {
    /// The block that starts with them, if one does.
    pub start: Start,
    /// Whether that block says that it is the last.
    pub last: bool,
    /// Whether all plain bytes are written as literals, whatever the tokens.
    pub literals: bool,
}

/// The answer to a predicted token.
pub enum Step {
    /// The encoder wrote this token.
    Token(Token),
    /// The unit ended before this token.
    Cut,
}

/// Answers a model's questions.
pub trait Guide {
    /// A unit starts; its encoder may write the next `span` plain bytes as literals, whatever its tokens.
    fn open(&mut self, span: usize);
    /// The model expects this token.
    fn token(&mut self, predicted: Token, byte: u8) -> Result<Step>;
    /// The model expects these bytes to be literals: how many are, the first of which `token` has confirmed.
    fn literals(&mut self, bytes: &[u8]) -> usize {
        bytes.len().min(1)
    }
    /// How many answers are sure to be as expected: the model need not ask.
    fn sure(&self) -> usize {
        0
    }
    /// So many of those were not asked for.
    fn unasked(&mut self, _: usize) {}
    /// The model expects the unit to end here. `chunked`: that a unit ends need not end a block.
    fn end(&mut self, chunked: bool) -> Result<bool>;
    /// The model expects the unit to be written so. Returns how it was.
    fn plan(&mut self, predicted: Plan, unit: &Unit, plain: &[u8]) -> Result<Plan>;
}
