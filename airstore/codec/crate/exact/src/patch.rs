//! Applies a patch of HDiffPatch, uncompressed: what comes of it is written as it is made, so that it is never in memory
//! as a whole.
//!
//! After `libHDiffPatch/HPatch/patch.c` of HDiffPatch 4.8 (format HDIFF13): covers say what is taken of the base, and runs
//! what is added to each byte of it; between covers bytes are carried.

use crate::error::{ensure, Error, Result};
use std::io::Write;

/// Bytes that are written at once.
const AT_ONCE: usize = 1 << 16;
const BEYOND_ITS_BASE: &str = "a patch reaches beyond its base";
const BEYOND: Error = Error::Damaged(BEYOND_ITS_BASE);
const SHORT: Error = Error::Damaged("a patch ends too early");

/// What a patch is for.
pub trait Base {
    /// Its bytes.
    fn size(&self) -> u64;
    /// So many of them, `AT_ONCE` at most, all of which there are.
    ///
    /// # Errors
    /// `Io` if they cannot be read.
    fn part(&mut self, from: u64, n: usize) -> Result<&[u8]>;
}

impl Base for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn part(&mut self, from: u64, n: usize) -> Result<&[u8]> {
        self.get(from as usize..from as usize + n).ok_or(BEYOND)
    }
}

/// A base that is not in memory.
pub struct File<R> {
    /// Has its bytes.
    pub bytes: R,
    /// How many.
    pub size: u64,
    /// Those that were read last.
    pub part: Vec<u8>,
}

/// Reads bytes from a place on, all that are asked for.
pub trait ReadAt {
    /// Fill `out`.
    ///
    /// # Errors
    /// They cannot be read.
    fn read_at(&self, out: &mut [u8], from: u64) -> std::io::Result<()>;
}

impl<R: ReadAt> Base for File<R> {
    fn size(&self) -> u64 {
        self.size
    }

    fn part(&mut self, from: u64, n: usize) -> Result<&[u8]> {
        if self.part.len() < n {
            self.part.resize(n, 0);
        }
        self.bytes.read_at(&mut self.part[..n], from)?;
        Ok(&self.part[..n])
    }
}

/// Apply to a base what follows a patch's magic, `HDIFF13&` and a zero; it has to make so many bytes.
///
/// # Errors
/// `Damaged` if it is damaged, or not for this base; `Io` if a stream fails. What was written until then is worth nothing.
pub fn apply(mut base: impl Base, patch: &[u8], size: u64, out: impl Write) -> Result<()> {
    let mut rest = Bytes(patch);
    let head = Head::read(&mut rest)?;
    ensure(head.new == size && head.old == base.size(), "a patch is for another base than this one")?;
    let mut covers = Bytes(rest.take(head.covers)?);
    let (controls, codes) = (Bytes(rest.take(head.controls)?), Bytes(rest.take(head.codes)?));
    let mut runs = Runs { controls, codes, run: Run::Same(0), left: 0 };
    let mut fresh = Bytes(rest.take(head.fresh)?);
    ensure(rest.0.is_empty(), "a patch goes on behind its end")?;
    let mut out = Made { waiting: Vec::with_capacity(2 * AT_ONCE), out };
    let (mut from, mut made) = (0u64, 0u64);
    for _ in 0..head.count {
        let cover = Cover::read(&mut covers, from)?;
        out.put(fresh.take(cover.gap)?)?;
        runs.pass(cover.gap)?;
        from = cover.from.saturating_add(cover.length);
        made = made.saturating_add(cover.gap).saturating_add(cover.length);
        ensure(made <= size, "a patch makes more than it says")?;
        ensure(from <= head.old, BEYOND_ITS_BASE)?;
        for at in (cover.from..from).step_by(AT_ONCE) {
            runs.add(base.part(at, (from - at).min(AT_ONCE as u64) as usize)?, &mut out)?;
        }
    }
    let left = fresh.0.len() as u64;
    out.put(fresh.0)?;
    runs.pass(left)?;
    ensure(made + left == size, "a patch makes less than it says")?;
    ensure(covers.0.is_empty() && runs.ended(), "a patch has more parts than it needs")?;
    out.flush()
}

/// The sizes of a patch's parts.
struct Head {
    new: u64,
    old: u64,
    count: u64,
    covers: u64,
    controls: u64,
    codes: u64,
    fresh: u64,
}

impl Head {
    fn read(bytes: &mut Bytes) -> Result<Head> {
        let mut one = || bytes.number(0).map(|(_, number)| number);
        let (new, old, count) = (one()?, one()?, one()?);
        let mut part = || -> Result<u64> {
            let (plain, compressed) = (one()?, one()?);
            ensure(compressed == 0, "a patch's parts are compressed")?;
            Ok(plain)
        };
        Ok(Head { new, old, count, covers: part()?, controls: part()?, codes: part()?, fresh: part()? })
    }
}

/// What is taken of the base, behind bytes that are carried.
struct Cover {
    gap: u64,
    from: u64,
    length: u64,
}

impl Cover {
    /// The next; `from`: where the one before ended in the base.
    fn read(bytes: &mut Bytes, from: u64) -> Result<Cover> {
        let (back, distance) = bytes.number(1)?;
        let from = if back == 1 { from.checked_sub(distance) } else { from.checked_add(distance) };
        let from = from.ok_or(BEYOND)?;
        Ok(Cover { from, gap: bytes.number(0)?.1, length: bytes.number(0)?.1 })
    }
}

/// What is left to read of a part.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: u64) -> Result<&'a [u8]> {
        let split = usize::try_from(n).ok().and_then(|n| self.0.split_at_checked(n));
        let (taken, rest) = split.ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A tag of so many bits, and a number: seven bits a byte, the highest first; the tag takes those of the first.
    fn number(&mut self, tag: u32) -> Result<(u8, u64)> {
        let first = self.byte()?;
        let more = 7 - tag;
        let mut value = u64::from(first & ((1 << more) - 1));
        let mut goes_on = first >> more & 1 == 1;
        while goes_on {
            let byte = self.byte()?;
            ensure(value < 1 << 56, "a patch has a number that is too large")?;
            value = value << 7 | u64::from(byte & 0x7f);
            goes_on = byte >= 0x80;
        }
        Ok(((u16::from(first) >> (8 - tag)) as u8, value))
    }
}

/// What is added to bytes.
#[derive(Clone, Copy)]
enum Run<'a> {
    Same(u8),
    Each(&'a [u8]),
}

/// Runs of what is added to all bytes, carried ones among them.
struct Runs<'a> {
    controls: Bytes<'a>,
    codes: Bytes<'a>,
    run: Run<'a>,
    left: u64,
}

impl<'a> Runs<'a> {
    fn ended(&self) -> bool {
        self.left == 0 && self.controls.0.is_empty() && self.codes.0.is_empty()
    }

    /// What is added to the next bytes, at most so many of which there is one.
    fn next(&mut self, most: u64) -> Result<(Run<'a>, u64)> {
        if self.left == 0 {
            let (kind, length) = self.controls.number(2)?;
            self.left = length.saturating_add(1);
            self.run = match kind {
                0 => Run::Same(0),
                1 => Run::Same(255),
                2 => Run::Same(self.codes.byte()?),
                _ => Run::Each(self.codes.take(self.left)?),
            };
        }
        let now = most.min(self.left);
        self.left -= now;
        if let Run::Each(all) = self.run {
            let (first, later) = all.split_at_checked(now as usize).ok_or(SHORT)?;
            self.run = Run::Each(later);
            return Ok((Run::Each(first), now));
        }
        Ok((self.run, now))
    }

    /// Nothing is added to bytes that are carried.
    fn pass(&mut self, n: u64) -> Result<()> {
        let mut left = n;
        while left > 0 {
            left -= self.next(left)?.1;
        }
        Ok(())
    }

    /// Write bytes of the base with what is added to them.
    fn add(&mut self, old: &[u8], out: &mut Made<impl Write>) -> Result<()> {
        let mut old = old;
        while !old.is_empty() {
            let (run, n) = self.next(old.len().min(AT_ONCE) as u64)?;
            let (now, later) = old.split_at(n as usize);
            old = later;
            match run {
                Run::Same(0) => out.put(now)?,
                Run::Same(by) => out.extend(now.iter().map(|byte| byte.wrapping_add(by)))?,
                Run::Each(all) => out.extend(now.iter().zip(all).map(|(byte, by)| byte.wrapping_add(*by)))?,
            }
        }
        Ok(())
    }
}

/// What was made and is not written yet: most runs are a few bytes.
struct Made<W> {
    waiting: Vec<u8>,
    out: W,
}

impl<W: Write> Made<W> {
    /// Bytes, `AT_ONCE` at most.
    fn extend(&mut self, bytes: impl Iterator<Item = u8>) -> Result<()> {
        self.waiting.extend(bytes);
        if self.waiting.len() < AT_ONCE {
            return Ok(());
        }
        self.flush()
    }

    /// Any bytes.
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        bytes.chunks(AT_ONCE).try_for_each(|part| self.extend(part.iter().copied()))
    }

    /// Write what waits, not too much at once: whoever takes it copies it.
    fn flush(&mut self) -> Result<()> {
        self.waiting.chunks(AT_ONCE).try_for_each(|part| self.out.write_all(part))?;
        self.waiting.clear();
        Ok(self.out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &[u8] = b"0123456789abcdefghij";

    /// Numbers below 128; a run of `kind` has its length less one.
    fn patch(covers: &[u8], count: u8, controls: &[u8], codes: &[u8], fresh: &[u8], size: u8) -> Vec<u8> {
        let mut all = vec![size, BASE.len() as u8, count];
        [covers, controls, codes, fresh].iter().for_each(|part| all.extend([part.len() as u8, 0]));
        [covers, controls, codes, fresh].iter().for_each(|part| all.extend_from_slice(part));
        all
    }

    /// The same of a base in memory and of one that is not.
    fn made(patch: &[u8], size: u64) -> Result<Vec<u8>> {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        let file = File { bytes: BASE, size: BASE.len() as u64, part: Vec::new() };
        let read = apply(file, patch, size, &mut far);
        let done = apply(BASE, patch, size, &mut near);
        assert_eq!((read.is_ok(), &far), (done.is_ok(), &near));
        done.map(|()| near)
    }

    impl ReadAt for &[u8] {
        fn read_at(&self, out: &mut [u8], from: u64) -> std::io::Result<()> {
            out.copy_from_slice(&self[from as usize..][..out.len()]);
            Ok(())
        }
    }

    /// "xy", four bytes from 10 on, "z", five from 2 on: two more of each of the first two, then one more, two more and the
    /// same; "!".
    fn sound() -> Vec<u8> {
        let runs = [5, 1 << 6, 2 << 6 | 1, 3 << 6 | 1, 1];
        patch(&[10, 2, 4, 0x80 | 12, 1, 5], 2, &runs, &[2, 1, 2], b"xyz!", 13)
    }

    #[test]
    fn covers_are_taken_with_what_is_added() {
        assert_eq!(made(&sound(), 13).expect("sound"), b"xyabcdz45576!");
    }

    #[test]
    fn what_is_damaged_is_an_error_or_of_the_same_size() {
        let sound = sound();
        for (at, bit) in (0..sound.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            assert!(made(&damaged, 13).map_or(true, |made| made.len() == 13), "{at} {bit}");
            assert!(made(&sound[..at], 13).is_err(), "{at}");
        }
        assert!(made(&sound, 12).is_err());
    }
}
