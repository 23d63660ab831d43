//! Runs a model over plain bytes, asking a guide at each step.

use crate::error::{ensure, Error, Result};
use crate::guide::{Glide, Guide, Step, Unit};
use crate::inflate::MAX_TOKENS;
use crate::models::{Model, View};
use crate::token::{Token, MAX_DISTANCE};
use std::ops::Range;

/// The end of a segment.
#[derive(Clone, Copy, PartialEq)]
pub enum Goal {
    /// The segment goes on behind the place to stop at.
    Middle,
    /// It ends there.
    Segment,
    /// It ends there, with the stream's last block.
    Last,
}

/// A model, and the unit it is in.
#[derive(Clone)]
pub struct Engine<M> {
    /// The model.
    pub model: M,
    unit: Unit,
    fresh: bool,
}

impl<M: Model> Engine<M> {
    /// An engine at a member's start.
    pub fn new(model: M) -> Self {
        Engine { model, unit: Unit::default(), fresh: true }
    }

    /// Run from one index to another, or a token's length beyond it. Returns where the run ended.
    pub fn run<G: Guide>(
        &mut self,
        view: &View,
        span: Range<usize>,
        goal: Goal,
        guide: &mut G,
    ) -> Result<usize> {
        let (mut at, stop) = (span.start, span.end);
        if self.fresh && stop > at {
            self.model.begin(view, at);
            self.fresh = false;
        }
        while at < stop {
            if self.unit.tokens.is_empty() {
                guide.open(self.model.hidden(view, at));
            }
            at = self.glide(view, at..stop, guide);
            if at >= stop {
                break;
            }
            let predicted = self.model.predict(view, at);
            match guide.token(predicted, view.bytes[at])? {
                Step::Token(token) => {
                    if token != predicted {
                        check(token, at, view)?;
                    }
                    self.model.commit(view, at, token);
                    let mut last = token;
                    if token.is_literal() && token == predicted {
                        at += self.literals(view, at, stop, guide);
                        last = Token::literal(view.bytes[at]);
                    }
                    at += token.span();
                    self.take(view, at, last, guide)?;
                }
                Step::Cut => {
                    ensure(!self.unit.tokens.is_empty(), "side data: a block ends where none goes on")?;
                    self.close(view, at, false, guide)?;
                }
            }
        }
        if goal != Goal::Middle {
            if !self.unit.tokens.is_empty() {
                self.close(view, at, goal == Goal::Last, guide)?;
            }
            self.fresh = true;
        }
        Ok(at)
    }

    /// Tokens that need no more than to be agreed to.
    #[inline]
    fn glide<G: Guide>(&mut self, view: &View, span: Range<usize>, guide: &mut G) -> usize {
        let before = self.unit.tokens.len();
        let most = before.saturating_add(guide.quick()).min(2 * MAX_TOKENS - 1);
        if before >= most {
            return span.start;
        }
        let at = self.model.glide(view, span, Glide { most, unit: &mut self.unit, guide });
        guide.agreed(self.unit.tokens.len() - before);
        at
    }

    /// Literals that follow this one: the unit takes all but the last.
    #[inline]
    fn literals<G: Guide>(&mut self, view: &View, at: usize, stop: usize, guide: &mut G) -> usize {
        let room = (2 * MAX_TOKENS).saturating_sub(self.unit.tokens.len());
        let sure = self.model.literals(view, at).min(stop - at).min(room);
        if sure < 2 {
            return 0;
        }
        let more = guide.literals(&view.bytes[at..at + sure]) - 1;
        self.unit.tokens.extend(view.bytes[at..at + more].iter().map(|byte| Token::literal(*byte)));
        self.unit.span += more;
        more
    }

    #[inline]
    fn take<G: Guide>(&mut self, view: &View, at: usize, token: Token, guide: &mut G) -> Result<()> {
        self.unit.tokens.push(token);
        self.unit.span += token.span();
        if at == view.bytes.len() {
            return Ok(()); // the segment's end ends the unit
        }
        let full = self.model.full(view, &self.unit, at) && guide.end(M::CHUNKED)?;
        if full || self.unit.tokens.len() >= 2 * MAX_TOKENS {
            self.close(view, at, false, guide)?;
        }
        Ok(())
    }

    fn close<G: Guide>(&mut self, view: &View, at: usize, last: bool, guide: &mut G) -> Result<()> {
        let predicted = self.model.plan(view, &self.unit, at, last);
        // What a unit spans may be more than the view still has, only if it cannot be stored.
        let plain = at.checked_sub(self.unit.span).map_or(&[][..], |from| &view.bytes[from..at]);
        let plan = guide.plan(predicted, &self.unit, plain)?;
        self.model.follow(&plan);
        self.unit.clear();
        Ok(())
    }
}

fn check(token: Token, at: usize, view: &View) -> Result<()> {
    let sound = token.is_literal()
        || token.distance() <= at.min(MAX_DISTANCE)
            && (3..=258).contains(&token.length())
            && token.distance() > 0;
    if sound && token.span() <= view.bytes.len() - at {
        return Ok(());
    }
    Err(Error::Damaged("side data: a copy reaches beyond the plain bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_no_stream_can_say_are_refused() {
        let view = View { bytes: &[0; 50_000], base: 0 };
        let sound = |length, distance, at| check(Token::copy(length, distance), at, &view).is_ok();
        assert!(sound(258, 32768, 40_000) && sound(3, 1, 1));
        assert!(!sound(3, 32769, 40_000) && !sound(3, 2, 1));
        assert!(!sound(2, 1, 9) && !sound(259, 1, 9) && !sound(3, 1, 49_998));
    }
}
