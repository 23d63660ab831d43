//! Finds covers: goes over the new side on a diagonal of both, and leaves it for another one that is clearly better.
//!
//! After Colin Percival's bsdiff (bsdiff.c 4.3): a match is taken that has more bytes than the diagonal has of the same, and
//! covers reach from there both ways as far as that is worth it. Beside that one is taken that is more alike further on.

use super::bytes::{ahead, alike, best, count, kinds, kinds_back, worth};
use super::index::Index;
use super::runs::runs;
use super::Cover;

/// Bytes of runs that are found first.
const RUN: usize = 4 << 10;
/// Bytes around what moved from beside the old side, that are in the index.
const NEAR: usize = 64 << 10;
/// Bytes that go on without another place being looked for.
const ENOUGH: usize = 32;
/// How much both sides are alike where nothing better is looked for either: it is found once in some thousand times.
const SURE: i64 = 32;
/// Bytes by which a match must be longer than what the diagonal has of the same.
const LONGER: usize = 8;
/// By how much another place must be more alike to be taken.
const BETTER: i64 = 24;
/// Bytes that a cover must be worth: its numbers take some, and cutting what is carried takes others.
const LEAST: i64 = 20;
/// How often the new side is gone over to see how far back covers reach; from then on, so many bytes for each.
const OFTEN: usize = 16;
const BACK: usize = 4 << 10;
/// Places without a match after which more are left out at a time, and how many are at most.
const PATIENCE: usize = 1 << 10;
const STRIDE: usize = 32;

/// Covers that make the new side, in its order; of what is behind the old side's `own` bytes only what is near to runs is used.
pub fn covers(old: &[u8], own: usize, new: &[u8]) -> Vec<Cover> {
    let runs = runs(old, new, RUN);
    let index = Index::new(old, &rest(old, own, &runs));
    let on = Cover { old: 0, new: 0, size: 0 };
    let mut walk = Walk { old, new, index, runs: &runs, on, back: OFTEN * new.len(), found: Vec::new() };
    while let Some(next) = walk.next() {
        walk.leave(next.new, Some(next));
    }
    walk.leave(new.len(), None);
    walk.found
}

/// What of the old side no run has, from where to where.
fn rest(old: &[u8], own: usize, runs: &[Cover]) -> Vec<(usize, usize)> {
    let mut taken: Vec<_> = runs.iter().map(|run| (run.old, run.old + run.size)).collect();
    let used: Vec<_> = taken.iter().filter(|(_, end)| *end > own).copied().collect();
    let first = used.iter().map(|(begin, _)| begin.saturating_sub(NEAR)).min().unwrap_or(old.len());
    let last = used.iter().map(|(_, end)| end + NEAR).max().unwrap_or(old.len());
    taken.extend([(own, first), (last, old.len()), (old.len(), old.len())]);
    taken.retain(|(begin, end)| begin <= end);
    taken.sort_unstable();
    let mut end = 0;
    let gap = |(begin, until): (usize, usize)| {
        let gap = (end, begin);
        end = end.max(until);
        (gap.0 < gap.1).then_some(gap)
    };
    taken.into_iter().filter_map(gap).collect()
}

struct Walk<'a> {
    old: &'a [u8],
    new: &'a [u8],
    index: Index<'a>,
    /// Those that are still before the walk.
    runs: &'a [Cover],
    /// Where the last cover begins, and how many bytes of the new side behind that the walk is.
    on: Cover,
    /// Bytes that may be gone over yet to see how far back covers reach.
    back: usize,
    found: Vec<Cover>,
}

impl Walk<'_> {
    /// The next place at which another diagonal is better, and what is the same there.
    fn next(&mut self) -> Option<Cover> {
        let (mut at, mut misses) = (self.on.new + self.on.size, 0);
        while at < self.new.len() {
            let same = ahead(self.diagonal(at), &self.new[at..]);
            let sure = same >= ENOUGH || !self.index.is_small() && self.goes_on(at);
            let found = if sure { None } else { self.find(at) };
            if found.is_some_and(|found| self.is_better(found)) {
                return found;
            }
            let known = found.map_or(0, |found| found.size);
            misses = if sure || same.max(known) > 0 { 0 } else { misses + 1 };
            at += match found {
                _ if sure => same.max(1),
                Some(found) if self.is_on(found) => found.size,
                _ => known.saturating_sub(ENOUGH).max(1 + (misses / PATIENCE).min(STRIDE)),
            };
        }
        None
    }

    /// Whether the diagonal is alike enough that hardly anything is better.
    fn goes_on(&self, at: usize) -> bool {
        alike(self.diagonal(at), &self.new[at..]) >= SURE
    }

    /// What of the old side is as far on from where the last cover begins as a place of the new one.
    fn diagonal(&self, at: usize) -> &[u8] {
        self.old.get(self.on.old + (at - self.on.new)..).unwrap_or(&[])
    }

    /// What is at a place, somewhere else, too.
    fn find(&mut self, at: usize) -> Option<Cover> {
        while self.runs.first().is_some_and(|run| run.new + run.size <= at) {
            self.runs = &self.runs[1..];
        }
        match self.runs.first() {
            Some(run) if run.new <= at => {
                let gone = at - run.new;
                Some(Cover { old: run.old + gone, new: at, size: run.size - gone })
            }
            _ => self.index.find(self.new, at, self.on.old + (at - self.on.new)),
        }
    }

    fn is_on(&self, found: Cover) -> bool {
        found.old == self.on.old + (found.new - self.on.new)
    }

    /// Whether it is worth to leave the diagonal for what was found.
    fn is_better(&self, found: Cover) -> bool {
        let new = &self.new[found.new..];
        let here = self.diagonal(found.new);
        let same = count(here, &new[..found.size]);
        found.size > same + LONGER
            || found.size != same && alike(&self.old[found.old..], new) > alike(here, new) + BETTER
    }

    /// End the last cover before a place, and begin the next one.
    fn leave(&mut self, at: usize, next: Option<Cover>) {
        let free = at - self.on.new;
        let mut size = best(kinds(&self.old[self.on.old..], &self.new[self.on.new..at])).0;
        let mut back = next.map_or(0, |next| self.reach(next, free));
        if let Some(over) = (size + back).checked_sub(free).filter(|over| *over > 0) {
            let kept = next.map_or(0, |next| self.split(at - back, next.old - back, over));
            size -= over - kept;
            back -= kept;
        }
        self.keep(Cover { size, ..self.on });
        if let Some(next) = next {
            self.on = Cover { old: next.old - back, new: at - back, size: back + next.size };
        }
    }

    /// How far back a cover reaches, within so many bytes.
    fn reach(&mut self, cover: Cover, free: usize) -> usize {
        let most = free.min(cover.old).min(self.back.max(BACK));
        self.back = self.back.saturating_sub(most);
        best(kinds_back(&self.old[cover.old - most..cover.old], &self.new[cover.new - most..cover.new])).0
    }

    /// Of so many bytes that both covers have, how many the first one keeps; `old` is where they are by the second one.
    fn split(&self, new: usize, old: usize, over: usize) -> usize {
        let (first, second) = (self.diagonal(new), &self.old[old..]);
        let (mut sum, mut most, mut kept) = (0i64, 0, 0);
        for (at, byte) in self.new[new..new + over].iter().enumerate() {
            sum += i64::from(*byte == first[at]) - i64::from(*byte == second[at]);
            if sum > most {
                (most, kept) = (sum, at + 1);
            }
        }
        kept
    }

    /// A cover, if it is worth its numbers.
    fn keep(&mut self, cover: Cover) {
        let (old, new) = (&self.old[cover.old..], &self.new[cover.new..]);
        let sum: i64 = kinds(old, &new[..cover.size]).map(worth).sum();
        if sum >= LEAST {
            self.found.push(cover);
        }
    }
}
