//! Recording that proves itself: what is recorded is rebuilt beside it, by another thread, and compared.

use crate::decode::Stream;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::guess::record_any;
use crate::members::record_members;
use crate::rebuild::rebuild;
use std::io::{self, Read, Write};
use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};
use std::thread;

/// Frames that recording may be ahead of the proof.
const AHEAD: usize = 2;
const MISMATCH: Error = Error::Unproven("what was recorded does not rebuild the stream");

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Report {
    /// The encoder whose model was used.
    pub encoder: Encoder,
    /// Bytes of the gzip stream.
    pub gzip: u64,
    /// Plain bytes.
    pub plain: u64,
    /// Bytes of side data.
    pub side: u64,
}

/// Side data of no more than this, and of a fiftieth of the stream: the model fits, if not exactly.
const FREE: u64 = 256;

impl Report {
    /// Who wrote the stream, for people: nobody's name where no model fits.
    pub fn name(&self) -> String {
        let fits = self.side <= FREE + self.gzip / 50;
        if fits { self.encoder } else { Encoder::Tokens }.to_string()
    }
}

/// Record a gzip stream as plain bytes and side data, and rebuild it from them beside that.
///
/// # Errors
/// `Unsupported` or `Unproven` if the stream has to be kept as it is; `Io` if a stream fails. What was written
/// until then is worth nothing.
pub fn record(source: impl Read, plain: impl Write, side: impl Write) -> Result<Report> {
    proven(source, plain, side, |source, plain, side| record_any(source, plain, side))
}

/// Record a gzip stream with this encoder's model, whether it fits or not.
///
/// # Errors
/// As `record`.
pub fn record_as(encoder: Encoder, source: impl Read, plain: impl Write, side: impl Write) -> Result<Report> {
    proven(source, plain, side, |source, plain, side| {
        record_members(encoder, Stream::new(source), plain, side, |_| Ok(true))?;
        Ok(encoder)
    })
}

/// Do what records, and rebuild beside it.
fn proven<R: Read, P: Write, S: Write>(
    source: R,
    plain: P,
    side: S,
    work: impl FnOnce(&mut Tee<R>, &mut Tee<P>, &mut Tee<S>) -> Result<Encoder>,
) -> Result<Report> {
    let (gzip_in, gzip_out) = channel();
    let (plain_in, plain_out) = channel();
    let (side_in, side_out) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let proof = scope.spawn(move || {
            let mut compare = Compare(Pieces::new(gzip_out));
            rebuild(Pieces::new(plain_out), Pieces::new(side_out), &mut compare)?;
            compare.finish()
        });
        let mut gzip = Tee { inner: source, copy: Copy::Free(gzip_in), count: 0 };
        let mut plain = Tee { inner: plain, copy: Copy::Free(plain_in), count: 0 };
        let mut side = Tee { inner: side, copy: Copy::Bounded(side_in), count: 0 };
        let recorded = work(&mut gzip, &mut plain, &mut side);
        let (gzip_size, plain_size, side_size) = (gzip.count, plain.count, side.count);
        drop((gzip, plain, side));
        let proven = proof.join().unwrap_or(Err(MISMATCH));
        match (recorded, proven) {
            (Ok(encoder), Ok(())) => {
                Ok(Report { encoder, gzip: gzip_size, plain: plain_size, side: side_size })
            }
            (Ok(_), Err(_)) => Err(MISMATCH),
            (Err(Error::Io(fault)), _) if fault.get_ref().is_some_and(|inner| inner.is::<GaveUp>()) => {
                Err(MISMATCH)
            }
            (Err(fault), _) => Err(fault),
        }
    })
}

/// Where a copy goes. A receiver that is gone has given up: so does the sender.
enum Copy {
    Free(Sender<Vec<u8>>),
    Bounded(SyncSender<Vec<u8>>),
}

impl Copy {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = match self {
            Copy::Free(sender) => sender.send(bytes.to_vec()),
            Copy::Bounded(sender) => sender.send(bytes.to_vec()),
        };
        sent.map_err(|_| io::Error::other(GaveUp))
    }
}

/// The proof failed, and does not wait for the rest.
#[derive(Debug)]
struct GaveUp;

impl std::fmt::Display for GaveUp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the proof gave up")
    }
}

impl std::error::Error for GaveUp {}

/// A stream of which a copy goes elsewhere.
struct Tee<T> {
    inner: T,
    copy: Copy,
    count: u64,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.count += n as u64;
        if n > 0 {
            self.copy.send(&out[..n])?;
        }
        Ok(n)
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(bytes)?;
        self.count += bytes.len() as u64;
        self.copy.send(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads what another thread sends.
struct Pieces {
    from: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    fn new(from: Receiver<Vec<u8>>) -> Self {
        Pieces { from, piece: Vec::new(), at: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            let Ok(piece) = self.from.recv() else { return Ok(0) };
            self.piece = piece;
            self.at = 0;
        }
        let n = out.len().min(self.piece.len() - self.at);
        out[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Compares what is written with what was read.
struct Compare(Pieces);

impl Compare {
    fn finish(&mut self) -> Result<()> {
        if self.0.read(&mut [0])? > 0 {
            return Err(MISMATCH);
        }
        Ok(())
    }
}

impl Write for Compare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut expected = vec![0; bytes.len()];
        self.0.read_exact(&mut expected)?;
        if expected != bytes {
            return Err(io::Error::other("a byte differs"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
