//! The model where it is likely to be right: far from the end of what is to be compressed the encoder's own loop does,
//! with one short question at each token.

use super::early::EVERY;
use super::{Match, Variant, Zlib, MIN, NO_MATCH};
use crate::guide::{Glide, Guide, Unit};
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
    pub(super) fn alone<G: Guide>(&mut self, view: &View, span: Range<usize>, glide: Glide<G>) -> usize {
        let Glide { most, unit, guide } = glide;
        let span = span.start..span.end.min(view.bytes.len().saturating_sub(NEAR));
        let start = span.start;
        let most = most.min(unit.tokens.len() + self.room(unit));
        let mut glide = Glide { most, unit, guide };
        let at = match self.slow {
            true => self.slowly(view, span, &mut glide),
            false => self.fast(view, span, &mut glide),
        };
        glide.unit.span += at - start;
        at
    }

    /// Matches are put off for longer ones a byte later.
    fn slowly<G: Guide>(&mut self, view: &View, span: Range<usize>, glide: &mut Glide<G>) -> usize {
        let mut at = span.start;
        let mut here = self.here.take();
        while at < span.end && glide.room() > 0 {
            let before = here.unwrap_or(NO_MATCH);
            let next = self.find(view, at + usize::from(here.is_some()), before.length);
            if here.is_none() {
                here = Some(next);
                continue;
            }
            let copy = before.length >= MIN && next.length <= before.length;
            if !glide.take(if copy { before.token() } else { Token::literal(view.bytes[at]) }) {
                self.looked = Some(next);
                break;
            }
            if copy {
                self.hash_to(view, at + 2..at + before.length);
                at += before.length;
                here = None;
            } else {
                at += 1;
                here = Some(next);
            }
        }
        let found = u64::from(here.is_some()) + u64::from(self.looked.is_some());
        self.hashed = view.base + at as u64 + found;
        self.here = here;
        at
    }

    /// The first match is taken.
    fn fast<G: Guide>(&mut self, view: &View, span: Range<usize>, glide: &mut Glide<G>) -> usize {
        let mut at = span.start;
        while at < span.end && glide.room() > 0 {
            let here = match self.here.take() {
                Some(here) => here,
                None => self.find(view, at, NO_MATCH.length),
            };
            let copy = here.length >= MIN;
            if !glide.take(if copy { here.token() } else { Token::literal(view.bytes[at]) }) {
                self.here = Some(here);
                break;
            }
            if !copy {
                at += 1;
                continue;
            }
            if here.length <= self.level.lazy {
                self.hash_to(view, at + 1..at + here.length);
            }
            at += here.length;
        }
        self.hashed = view.base + at as u64 + u64::from(self.here.is_some());
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
