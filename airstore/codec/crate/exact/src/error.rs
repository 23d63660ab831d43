//! What can go wrong, by whose fault.

use std::fmt;
use std::io;

/// A failure of recording or rebuilding.
#[derive(Debug)]
pub enum Error {
    /// Reading or writing failed; nothing is said about the bytes.
    Io(io::Error),
    /// The stream is not gzip, or not one that can be put back exactly: keep it as it is.
    Unsupported(&'static str),
    /// Side data or plain bytes are not what was recorded.
    Damaged(&'static str),
    /// What was recorded did not rebuild the stream: keep it as it is.
    Unproven(&'static str),
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(fault) => write!(out, "{fault}"),
            Error::Unsupported(why) | Error::Damaged(why) | Error::Unproven(why) => out.write_str(why),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(fault: io::Error) -> Self {
        Error::Io(fault)
    }
}

/// `Err(Damaged(why))` unless `sound`.
pub(crate) fn ensure(sound: bool, why: &'static str) -> Result<()> {
    if sound {
        Ok(())
    } else {
        Err(Error::Damaged(why))
    }
}
