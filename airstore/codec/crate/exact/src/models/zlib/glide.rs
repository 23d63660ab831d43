//! The model where it is sure to be right: far from the end of what is to be compressed, and without a guide, the
//! encoder's loop needs no question at each token.

use super::early::EVERY;
use super::{Match, Variant, Zlib, MIN, NO_MATCH};
use crate::guide::Unit;
use crate::models::View;
use crate::token::{Token, MAX_LENGTH};
use std::ops::Range;

/// So near to the view's end a match may be cut short by it.
const NEAR: usize = 2 * MAX_LENGTH;

impl Zlib {
    /// How many tokens a unit takes before it may be full.
    fn room(&self, unit: &Unit) -> usize {
        let tokens = unit.tokens.len();
        let room = (self.block_tokens - 1).saturating_sub(tokens);
        match self.variant {
            Variant::Gnu => room.min(EVERY - 1 - tokens % EVERY),
            _ => room,
        }
    }

    /// See `Model::glide`.
    pub(super) fn alone(&mut self, view: &View, span: Range<usize>, most: usize, unit: &mut Unit) -> usize {
        let end = span.end.min(view.bytes.len().saturating_sub(NEAR));
        let room = self.room(unit).min(most);
        if room == 0 || span.start >= end {
            return span.start;
        }
        let tokens = unit.tokens.len() + room;
        let at = match self.slow {
            true => self.slowly(view, span.start..end, tokens, unit),
            false => self.fast(view, span.start..end, tokens, unit),
        };
        unit.span += at - span.start;
        at
    }

    /// Matches are put off for longer ones a byte later.
    fn slowly(&mut self, view: &View, span: Range<usize>, tokens: usize, unit: &mut Unit) -> usize {
        let mut at = span.start;
        let mut here = self.here.take();
        while at < span.end && unit.tokens.len() < tokens {
            let before = here.unwrap_or(NO_MATCH);
            let next = self.find(view, at + usize::from(here.is_some()), before.length);
            if here.is_none() {
                here = Some(next);
                continue;
            }
            if before.length >= MIN && next.length <= before.length {
                unit.tokens.push(Token::copy(before.length, before.distance));
                self.hash_to(view, at + 2..at + before.length);
                at += before.length;
                here = None;
            } else {
                unit.tokens.push(Token::literal(view.bytes[at]));
                at += 1;
                here = Some(next);
            }
        }
        self.hashed = view.base + at as u64 + u64::from(here.is_some());
        self.here = here;
        at
    }

    /// The first match is taken.
    fn fast(&mut self, view: &View, span: Range<usize>, tokens: usize, unit: &mut Unit) -> usize {
        let mut at = span.start;
        while at < span.end && unit.tokens.len() < tokens {
            let here = match self.here.take() {
                Some(here) => here,
                None => self.find(view, at, NO_MATCH.length),
            };
            if here.length < MIN {
                unit.tokens.push(Token::literal(view.bytes[at]));
                at += 1;
                continue;
            }
            unit.tokens.push(Token::copy(here.length, here.distance));
            if here.length <= self.level.lazy {
                self.hash_to(view, at + 1..at + here.length);
            }
            at += here.length;
        }
        self.hashed = view.base + at as u64;
        at
    }

    /// As `look`, where no match is cut short.
    #[inline(always)]
    fn find(&mut self, view: &View, at: usize, length_before: usize) -> Match {
        self.reach(view, at);
        let position = view.base + at as u64;
        let newest = self.places.insert(position, self.hash.of(self.ring.four(position as u32)));
        if self.slow && length_before >= self.level.lazy {
            return NO_MATCH;
        }
        self.worth(self.search(position, newest, MAX_LENGTH, length_before))
    }

    #[inline(always)]
    fn hash_to(&mut self, view: &View, span: Range<usize>) {
        for position in view.base + span.start as u64..view.base + span.end as u64 {
            self.places.insert(position, self.hash.of(self.ring.four(position as u32)));
        }
    }
}
