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
    /// How many tokens `agrees` may be asked about.
    fn quick(&self) -> usize {
        0
    }
    /// Whether the encoder wrote this token. If not, it is still to be asked for.
    fn agrees(&mut self, _: Token) -> bool {
        false
    }
    /// As `agrees`, for literals: how many of these, from the first on.
    fn agrees_to(&mut self, _: &[u8]) -> usize {
        0
    }
    /// So many tokens were agreed to.
    fn agreed(&mut self, _: usize) {}
    /// The model expects the unit to end here. `chunked`: that a unit ends need not end a block.
    fn end(&mut self, chunked: bool) -> Result<bool>;
    /// The model expects the unit to be written so. Returns how it was.
    fn plan(&mut self, predicted: Plan, unit: &Unit, plain: &[u8]) -> Result<Plan>;
}

/// Where a model's tokens go as long as a guide agrees to each.
pub struct Glide<'a, G> {
    /// How many tokens the unit may have.
    pub most: usize,
    /// The unit.
    pub unit: &'a mut Unit,
    /// The guide.
    pub guide: &'a mut G,
}

impl<G: Guide> Glide<'_, G> {
    /// How many tokens may be taken.
    #[inline(always)]
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.unit.tokens.len())
    }

    /// Take a token; false if the guide does not agree.
    #[inline(always)]
    pub fn take(&mut self, token: Token) -> bool {
        let agreed = self.guide.agrees(token);
        if agreed {
            self.unit.tokens.push(token);
        }
        agreed
    }

    /// Take literals; how many of them the guide agrees to.
    #[inline(always)]
    pub fn take_literals(&mut self, bytes: &[u8]) -> usize {
        let agreed = self.guide.agrees_to(bytes);
        self.unit.tokens.extend(bytes[..agreed].iter().map(|byte| Token::literal(*byte)));
        agreed
    }
}
