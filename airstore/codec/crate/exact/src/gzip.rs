//! The frame of gzip members (RFC 1952): headers verbatim.

use crate::bits::BitReader;
use crate::error::{Error, Result};
use crate::side::MAX_HEADER;
use std::io::Read;

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const CHECKSUM: u8 = 2;

/// What starts where a member could start.
pub enum Next {
    /// A member with this header.
    Member(Vec<u8>),
    /// Something else, of which these bytes were read.
    Other(Vec<u8>),
    /// Nothing.
    End,
}

/// Read a member's header; the reader must stand at a byte's first bit.
pub fn read_header<R: Read>(reader: &mut BitReader<R>) -> Result<Next> {
    let mut header = vec![0; 10];
    let n = reader.bytes(&mut header)?;
    header.truncate(n);
    match header[..] {
        [] => Ok(Next::End),
        [0x1f, 0x8b, 8, flags, ..] if n == 10 && flags < 32 => {
            if read_fields(reader, &mut header, flags)? {
                Ok(Next::Member(header))
            } else {
                Ok(Next::Other(header))
            }
        }
        _ => Ok(Next::Other(header)),
    }
}

/// Read a header's optional fields; false if the stream ends first.
fn read_fields<R: Read>(reader: &mut BitReader<R>, header: &mut Vec<u8>, flags: u8) -> Result<bool> {
    if flags & EXTRA != 0 {
        if !more(reader, header, 2)? {
            return Ok(false);
        }
        let size = u16::from_le_bytes([header[10], header[11]]);
        if !more(reader, header, usize::from(size))? {
            return Ok(false);
        }
    }
    for field in [NAME, COMMENT] {
        if flags & field != 0 && !text(reader, header)? {
            return Ok(false);
        }
    }
    Ok(flags & CHECKSUM == 0 || more(reader, header, 2)?)
}

fn more<R: Read>(reader: &mut BitReader<R>, header: &mut Vec<u8>, n: usize) -> Result<bool> {
    let before = header.len();
    header.resize(before + n, 0);
    let read = reader.bytes(&mut header[before..])?;
    header.truncate(before + read);
    Ok(read == n)
}

fn text<R: Read>(reader: &mut BitReader<R>, header: &mut Vec<u8>) -> Result<bool> {
    loop {
        if !more(reader, header, 1)? {
            return Ok(false);
        }
        if header.last() == Some(&0) {
            return Ok(true);
        }
        if header.len() > MAX_HEADER {
            return Err(Error::Unsupported("a gzip header is too long"));
        }
    }
}
