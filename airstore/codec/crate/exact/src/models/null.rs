//! No model: every copy is a deviation. What is stored then is the stream's tokens, as runs of literals,
//! lengths and distances; nothing in it depends on where it stands.

use super::{Model, View};
use crate::guide::{Plan, Unit};
use crate::inflate::Start;
use crate::token::Token;

/// Expects literals only, and one block.
#[derive(Clone)]
pub struct Null;

impl Model for Null {
    const CHUNKED: bool = false;

    fn begin(&mut self, _: &View, _: usize) {}

    fn hidden(&self, _: &View, _: usize) -> usize {
        0
    }

    #[inline]
    fn predict(&mut self, view: &View, at: usize) -> Token {
        Token::literal(view.bytes[at])
    }

    #[inline]
    fn commit(&mut self, _: &View, _: usize, _: Token) {}

    #[inline]
    fn full(&mut self, _: &View, _: &Unit, _: usize) -> bool {
        false
    }

    fn plan(&mut self, _: &View, _: &Unit, _: usize, last: bool) -> Plan {
        Plan { start: Start::Fixed, last, literals: false }
    }

    fn follow(&mut self, _: &Plan) {}
}
