//! Writes a patch: covers, and what is added to each byte as runs, as `patch` reads them.

use super::bytes::ahead;
use super::Cover;
use std::io::{Result, Write};

/// Bytes to which nothing is added that end a run of others: a new run takes as much.
const ZEROS: usize = 2;

/// Write what follows a patch's magic.
pub fn patch(old: &[u8], new: &[u8], covers: &[Cover], mut out: impl Write) -> Result<()> {
    let (mut places, mut fresh, mut runs) = (Vec::new(), Vec::new(), Runs::default());
    let mut at = Cover { old: 0, new: 0, size: 0 };
    for cover in covers {
        let back = if cover.old < at.old { 0x80 } else { 0 };
        number(&mut places, cover.old.abs_diff(at.old), 6, back);
        number(&mut places, cover.new - at.new, 7, 0);
        number(&mut places, cover.size, 7, 0);
        fresh.extend_from_slice(&new[at.new..cover.new]);
        runs.zeros += cover.new - at.new;
        at = Cover { old: cover.old + cover.size, new: cover.new + cover.size, size: 0 };
        runs.add(&old[cover.old..at.old], &new[cover.new..at.new]);
    }
    fresh.extend_from_slice(&new[at.new..]);
    runs.end(new.len() - at.new);
    let parts = [&places, &runs.controls, &runs.codes, &fresh];
    out.write_all(&head([new.len(), old.len(), covers.len()], parts.map(Vec::len)))?;
    parts.iter().try_for_each(|part| out.write_all(part))
}

/// Sizes of both sides and how many covers there are, then those of the parts; compressed they have none.
fn head(sizes: [usize; 3], parts: [usize; 4]) -> Vec<u8> {
    let mut head = Vec::new();
    sizes.iter().for_each(|size| number(&mut head, *size, 7, 0));
    for size in parts {
        number(&mut head, size, 7, 0);
        number(&mut head, 0, 7, 0);
    }
    head
}

/// Seven bits a byte, the highest first; of the first byte it takes so many bits behind a tag, and one that says: more.
fn number(out: &mut Vec<u8>, mut value: usize, bits: u32, tag: u8) {
    let mut rest = [0; 10];
    let mut first = rest.len();
    while value >> bits > 0 {
        first -= 1;
        rest[first] = value as u8 & 0x7f | if first + 1 < rest.len() { 0x80 } else { 0 };
        value >>= 7;
    }
    let more = u8::from(first < rest.len()) << bits;
    out.push(tag | more | value as u8);
    out.extend_from_slice(&rest[first..]);
}

/// What is added to each byte of the new side, carried ones included.
#[derive(Default)]
struct Runs {
    controls: Vec<u8>,
    codes: Vec<u8>,
    /// What is added to the last bytes, of a run that goes on.
    spelled: Vec<u8>,
    /// Behind them, bytes to which nothing is added.
    zeros: usize,
}

impl Runs {
    fn add(&mut self, old: &[u8], new: &[u8]) {
        let mut at = 0;
        while at < new.len() {
            let same = ahead(&old[at..], &new[at..]);
            self.zeros += same;
            at += same;
            if at < new.len() {
                self.one(new[at].wrapping_sub(old[at]));
                at += 1;
            }
        }
    }

    fn one(&mut self, by: u8) {
        if self.zeros >= ZEROS || self.spelled.is_empty() {
            self.close();
        }
        self.spelled.resize(self.spelled.len() + self.zeros, 0);
        self.zeros = 0;
        self.spelled.push(by);
    }

    /// Write the run, and the bytes behind it to which nothing is added.
    fn close(&mut self) {
        let spelled = std::mem::take(&mut self.spelled);
        match spelled.first() {
            Some(255) if spelled.iter().all(|by| *by == 255) => self.control(1, spelled.len()),
            Some(first) if spelled.len() > 1 && spelled.iter().all(|by| by == first) => {
                self.control(2, spelled.len());
                self.codes.push(*first);
            }
            Some(_) => {
                self.control(3, spelled.len());
                self.codes.extend_from_slice(&spelled);
            }
            None => {}
        }
        let zeros = std::mem::take(&mut self.zeros);
        self.control(0, zeros);
    }

    fn control(&mut self, kind: u8, size: usize) {
        if size > 0 {
            number(&mut self.controls, size - 1, 5, kind << 6);
        }
    }

    fn end(&mut self, carried: usize) {
        self.zeros += carried;
        self.close();
    }
}
