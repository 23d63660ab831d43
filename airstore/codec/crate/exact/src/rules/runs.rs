//! A dynamic block's header: code lengths as runs, these with a code of their own (RFC 1951, 3.2.7).

use crate::bits::BitWriter;
use crate::huffman::{codes, Code};
use crate::tables::{Header, Lengths, DISTANCES, LITERALS, ORDER};
use std::sync::Arc;

/// One symbol of the header: a length, or a repetition with its extra bits and their number.
#[derive(Clone, Copy)]
pub struct Run {
    symbol: u8,
    extra: u8,
    bits: u8,
}

/// The runs of a header.
#[derive(Default)]
pub struct Runs {
    runs: Vec<Run>,
    /// How often each symbol occurs.
    pub counts: [u32; 19],
}

impl Runs {
    fn add(&mut self, symbol: u8, extra: usize, bits: u8) {
        self.runs.push(Run { symbol, extra: extra as u8, bits });
        self.counts[usize::from(symbol)] += 1;
    }

    fn plain(&mut self, length: u8, times: usize) {
        for _ in 0..times {
            self.add(length, 0, 0);
        }
    }

    /// As Go writes them: a repetition wherever three equal lengths are left.
    pub fn go(lengths: impl Iterator<Item = u8>) -> Self {
        let mut runs = Runs::default();
        each_run(lengths, |length, mut times| {
            if length != 0 {
                runs.plain(length, 1);
                times -= 1;
                while times >= 3 {
                    let now = times.min(6);
                    runs.add(16, now - 3, 2);
                    times -= now;
                }
            } else {
                while times >= 11 {
                    let now = times.min(138);
                    runs.add(18, now - 11, 7);
                    times -= now;
                }
                if times >= 3 {
                    runs.add(17, times - 3, 3);
                    times = 0;
                }
            }
            runs.plain(length, times);
        });
        runs
    }

    /// As zlib writes them: a repetition only where that is shorter, those of distances apart.
    pub fn zlib(literals: &[u8], distances: &[u8]) -> Self {
        let mut runs = Runs::default();
        runs.add_zlib(literals);
        runs.add_zlib(distances);
        runs
    }

    fn add_zlib(&mut self, lengths: &[u8]) {
        let mut before = None;
        let mut times = 0;
        let (mut most, mut least) = if lengths.first() == Some(&0) { (138, 3) } else { (7, 4) };
        for (index, length) in lengths.iter().enumerate() {
            let next = lengths.get(index + 1);
            times += 1;
            if times < most && next == Some(length) {
                continue;
            }
            if times < least {
                self.plain(*length, times);
            } else if *length != 0 {
                if before != Some(*length) {
                    self.plain(*length, 1);
                    times -= 1;
                }
                self.add(16, times - 3, 2);
            } else if times <= 10 {
                self.add(17, times - 3, 3);
            } else {
                self.add(18, times - 11, 7);
            }
            times = 0;
            before = Some(*length);
            (most, least) = match next {
                Some(0) => (138, 3),
                Some(next) if next == length => (6, 3),
                _ => (7, 4),
            };
        }
    }

    /// Bits of the header behind the block's first three, with these lengths of its own code.
    pub fn bits(&self, own: &[u8; 19]) -> usize {
        let symbols = self.runs.iter().map(|run| usize::from(own[usize::from(run.symbol)] + run.bits));
        14 + 3 * stated(own) + symbols.sum::<usize>()
    }

    /// The header.
    pub fn header(&self, literals: &[u8], distances: &[u8], own: &[u8; 19]) -> Header {
        let mut out = BitWriter::default();
        out.put(literals.len() as u64 - 257, 5);
        out.put(distances.len() as u64 - 1, 5);
        out.put(stated(own) as u64 - 4, 4);
        for symbol in &ORDER[..stated(own)] {
            out.put(u64::from(own[*symbol]), 3);
        }
        let mut code = [Code::default(); 19];
        // Lengths that a rule made always fit; if they did not, the header would only fail to match.
        let _ = codes(own, &mut code);
        for run in &self.runs {
            let code = code[usize::from(run.symbol)];
            out.put(u64::from(code.bits), code.length);
            out.put(u64::from(run.extra), u32::from(run.bits));
        }
        let mut lengths = Lengths { literals: [0; LITERALS], distances: [0; DISTANCES] };
        lengths.literals[..literals.len()].copy_from_slice(literals);
        lengths.distances[..distances.len()].copy_from_slice(distances);
        Header { bits: out.length(), packed: out.into_packed(), lengths: Arc::new(lengths) }
    }
}

/// How many lengths of the header's own code are stated.
fn stated(own: &[u8; 19]) -> usize {
    ORDER.iter().rposition(|symbol| own[*symbol] > 0).map_or(4, |last| (last + 1).max(4))
}

fn each_run(lengths: impl Iterator<Item = u8>, mut take: impl FnMut(u8, usize)) {
    let mut current = (0, 0);
    for length in lengths {
        if length == current.0 {
            current.1 += 1;
            continue;
        }
        if current.1 > 0 {
            take(current.0, current.1);
        }
        current = (length, 1);
    }
    if current.1 > 0 {
        take(current.0, current.1);
    }
}
