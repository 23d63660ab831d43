//! The model where it is likely to be right: literals up to the next match, and matches but for one that ends the chunk,
//! with one short question for each of both.

use super::{Chunked, Next};
use crate::guide::{Glide, Guide};
use crate::models::tables::Level;
use crate::models::View;
use std::ops::Range;

impl<L: Level> Chunked<L> {
    /// See `Model::glide`.
    pub(super) fn alone<G: Guide>(&mut self, view: &View, span: Range<usize>, mut glide: Glide<G>) -> usize {
        let mut at = span.start;
        while at < span.end {
            let taken = self.step(view, at..span.end, &mut glide);
            if taken == 0 {
                break;
            }
            at += taken;
        }
        glide.unit.span += at - span.start;
        at
    }

    /// Take literals, or a part of a match. Returns how long they are; 0 where there is something else to do.
    #[inline(always)]
    fn step<G: Guide>(&mut self, view: &View, span: Range<usize>, glide: &mut Glide<G>) -> usize {
        let position = view.base + span.start as u64;
        if let Next::Search(from) = self.next {
            self.search(from.max(position), position);
        }
        match self.next {
            Next::Match(start, left) if start == position => self.over(position, left, glide),
            Next::Match(start, _) => {
                let literals = (start.saturating_sub(position) as usize).min(span.len()).min(glide.room());
                glide.take_literals(&view.bytes[span.start..span.start + literals])
            }
            _ => 0,
        }
    }

    /// Take the next part of a match, unless it ends the chunk. Returns how long that is.
    #[inline]
    fn over<G: Guide>(&mut self, from: u64, left: usize, glide: &mut Glide<G>) -> usize {
        let token = self.part(left);
        let to = from + token.length() as u64;
        if to >= self.chunk_end || glide.room() == 0 || !glide.take(token) {
            return 0;
        }
        match left - token.length() {
            0 => self.after(),
            left => self.next = Next::Match(to, left),
        }
        token.length()
    }
}
