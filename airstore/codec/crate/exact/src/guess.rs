//! Recording with the encoder that a stream's first bytes point to, before it is known to be the right one: where it
//! is, nothing was tried in vain. What is written is held back until then.

use crate::choose::{candidates, choose, is_enough, like_klauspost, Verdict, LONG};
use crate::decode::{Decoder, Stream};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::first::First;
use crate::gzip::{self, Next};
use crate::members::record_members;
use crate::trial::Trial;
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};

/// Plain bytes that are held back at most, about.
const MOST: u64 = 4 << 20;
const GAVE_UP: Error = Error::Unsupported("another model may fit better");

/// Whether the encoder is known to be the right one.
type Sure<'a> = &'a Cell<bool>;

/// Record with the model that fits best: the likeliest is not tried before.
pub fn record_any(source: impl Read, plain: impl Write, side: impl Write) -> Result<Encoder> {
    let sure = Cell::new(false);
    let source = RefCell::new(Kept::new(source, LONG as u64, &sure)?);
    let (mut plain, mut side) = (Held::new(plain, &sure), Held::new(side, &sure));
    let (order, stream) = look(&source)?;
    if record_guess(order[0], stream, &mut plain, &mut side, &sure)? {
        return Ok(order[0]);
    }
    let encoder = choose(source.borrow().first(), order);
    source.borrow_mut().at = 0;
    sure.set(true);
    record_members(encoder, Stream::new(Again(&source)), plain, side, |_| Ok(true))?;
    Ok(encoder)
}

/// The encoders in the order of what the first blocks say, and the stream, which reads those blocks no second time.
fn look<'a, 'b, R: Read>(
    source: &'a RefCell<Kept<'b, R>>,
) -> Result<(Vec<Encoder>, Stream<Again<'a, 'b, R>>)> {
    let mut decoder = Decoder::new(Again(source));
    let header = match gzip::read_header(&mut decoder.reader)? {
        Next::Member(header) => Some(header),
        _ => None,
    };
    let (mut first, mut sound) = (First::default(), false);
    if let Some(header) = &header {
        decoder.start();
        decoder.keep();
        (first, sound) = First::read(&mut decoder, like_klauspost(header));
    }
    let mut source_again = source.borrow_mut();
    let order = candidates(source_again.first(), &first);
    source_again.open = true;
    // What was read ends where the first bytes do, whatever follows them.
    if sound && (!decoder.reader.ended() || source_again.whole) {
        decoder.rewind();
        return Ok((order, Stream { decoder, header }));
    }
    source_again.at = 0;
    Ok((order, Stream::new(Again(source))))
}

/// A stream whose first bytes can be read again.
struct Kept<'a, R> {
    bytes: Vec<u8>,
    at: usize,
    rest: R,
    /// Whether more than the first bytes may be read.
    open: bool,
    /// Whether there is no more.
    whole: bool,
    sure: Sure<'a>,
}

impl<'a, R: Read> Kept<'a, R> {
    /// A stream of which so many bytes are read.
    fn new(mut rest: R, first: u64, sure: Sure<'a>) -> Result<Self> {
        let mut bytes = Vec::new();
        rest.by_ref().take(first).read_to_end(&mut bytes)?;
        let whole = (bytes.len() as u64) < first;
        Ok(Kept { bytes, at: 0, rest, open: false, whole, sure })
    }

    /// The first bytes.
    fn first(&self) -> &[u8] {
        &self.bytes[..self.bytes.len().min(LONG)]
    }
}

impl<R: Read> Read for Kept<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at < self.bytes.len() {
            let n = (&self.bytes[self.at..]).read(out)?;
            self.at += n;
            return Ok(n);
        }
        if !self.open {
            return Ok(0);
        }
        let n = self.rest.read(out)?;
        if self.sure.get() {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(&out[..n]);
        }
        self.at = self.bytes.len();
        Ok(n)
    }
}

/// Reads what is kept, one after the other.
struct Again<'a, 'b, R>(&'a RefCell<Kept<'b, R>>);

impl<R: Read> Read for Again<'_, '_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(out)
    }
}

/// Takes what is written, and writes it once that is known to be right.
struct Held<'a, W> {
    inner: W,
    held: Vec<u8>,
    sure: Sure<'a>,
}

impl<'a, W: Write> Held<'a, W> {
    /// Nothing is held.
    fn new(inner: W, sure: Sure<'a>) -> Self {
        Held { inner, held: Vec::new(), sure }
    }
}

impl<W: Write> Write for Held<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.sure.get() {
            self.held.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        self.flush()?;
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.sure.get() {
            self.inner.write_all(&std::mem::take(&mut self.held))?;
            self.inner.flush()?;
        }
        Ok(())
    }
}

/// Record with this encoder's model unless it errs; false if it does, and nothing was written.
fn record_guess<R: Read, P: Write, S: Write>(
    encoder: Encoder,
    source: Stream<R>,
    plain: &mut Held<P>,
    side: &mut Held<S>,
    sure: Sure,
) -> Result<bool> {
    let watch = |so_far: &Trial| {
        match is_enough(encoder, so_far) {
            _ if sure.get() => {}
            Verdict::Wrong => return Err(GAVE_UP),
            Verdict::Right => sure.set(true),
            Verdict::Open if so_far.plain > MOST => return Err(GAVE_UP),
            Verdict::Open => {}
        }
        Ok(sure.get())
    };
    let recorded = record_members(encoder, source, &mut *plain, &mut *side, watch);
    match recorded {
        Err(Error::Io(fault)) => Err(Error::Io(fault)),
        Err(fault) if sure.get() => Err(fault),
        Err(_) => {
            plain.held.clear();
            side.held.clear();
            Ok(false)
        }
        Ok(()) => {
            sure.set(true);
            plain.flush()?;
            side.flush()?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn vectors() -> Vec<(String, Vec<u8>)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../fixtures/codec");
        let entries = std::fs::read_dir(directory).expect("vectors").map(|entry| entry.expect("one").path());
        let gzip = entries.filter(|path| path.extension().is_some_and(|extension| extension == "gz"));
        gzip.map(|path| (path.display().to_string(), std::fs::read(path).expect("readable"))).collect()
    }

    /// An encoder, and what it records a blob as.
    type Recorded = (Encoder, Vec<u8>, Vec<u8>);

    /// What a blob is recorded as by the first guess, if that is right.
    fn first_guess(blob: &[u8]) -> Option<Recorded> {
        let sure = Cell::new(false);
        let source = RefCell::new(Kept::new(blob, LONG as u64, &sure).expect("in memory"));
        let (mut plain, mut side) = (Held::new(Vec::new(), &sure), Held::new(Vec::new(), &sure));
        let (order, stream) = look(&source).expect("in memory");
        let right = record_guess(order[0], stream, &mut plain, &mut side, &sure).expect("in memory");
        right.then_some((order[0], plain.inner, side.inner))
    }

    fn chosen(blob: &[u8]) -> Recorded {
        let encoder = choose(blob, candidates(blob, &First::of(blob, like_klauspost(blob))));
        let (mut plain, mut side) = (Vec::new(), Vec::new());
        record_members(encoder, Stream::new(blob), &mut plain, &mut side, |_| Ok(true)).expect("recorded");
        (encoder, plain, side)
    }

    /// Where it is wrong models are tried, and nothing else is done.
    #[test]
    fn a_right_guess_comes_to_what_choosing_does() {
        let mut right = 0;
        for (name, blob) in vectors() {
            let Some(guessed) = first_guess(&blob) else { continue };
            assert!(First::of(&blob, true).suits(guessed.0), "{name}: {}", guessed.0);
            assert!(guessed == chosen(&blob), "{name}");
            right += 1;
        }
        assert!(right >= 20, "{right}"); // all but other levels and versions than the usual, and what nobody modelled
    }

    /// Writes down which of two streams were written, in turn.
    struct Order<'a>(&'static str, &'a RefCell<Vec<&'static str>>);

    impl Write for Order<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.borrow_mut().push(self.0);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The proof takes a few records of side data, and then needs the plain bytes of the first.
    #[test]
    fn plain_bytes_that_were_held_are_written_before_side_data() {
        for (name, blob) in vectors() {
            let (sure, order) = (Cell::new(false), RefCell::new(Vec::new()));
            let source = RefCell::new(Kept::new(&blob[..], LONG as u64, &sure).expect("in memory"));
            let (candidates, stream) = look(&source).expect("in memory");
            let mut plain = Held::new(Order("plain", &order), &sure);
            let mut side = Held::new(Order("side", &order), &sure);
            if record_guess(candidates[0], stream, &mut plain, &mut side, &sure).expect("in memory") {
                assert_eq!(order.borrow()[0], "plain", "{name}");
            }
        }
    }

    #[test]
    fn a_wrong_guess_leaves_no_trace() {
        let all = vectors();
        let (_, blob) = all.iter().find(|(name, _)| name.contains("zlib-memlevel-8-level-9")).expect("one");
        let mut blob = blob.clone();
        blob[8] = 0; // as if written at the default level
        assert!(first_guess(&blob).is_none());
        let (mut plain, mut side) = (Vec::new(), Vec::new());
        let encoder = record_any(&blob[..], &mut plain, &mut side).expect("recorded");
        assert!((encoder, plain, side) == chosen(&blob));
    }
}
