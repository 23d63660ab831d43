//! The exact gzip codec behind a plain C interface, for `airstore.codec`.
//!
//! Streams are functions of the caller, called by the calling thread only. A panic does not cross the border.
#![deny(unsafe_op_in_unsafe_fn)]

use exact::sketch::{sketch, SIZE};
use exact::{patch, Error, Report};
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::panic::catch_unwind;

/// Fill a buffer; returns how many bytes, 0 at the end, or a negative number if reading failed.
pub type ReadFn = extern "C" fn(buffer: *mut u8, size: usize) -> isize;
/// Take bytes; returns a negative number if that failed.
pub type WriteFn = extern "C" fn(bytes: *const u8, size: usize) -> isize;

/// Everything went well.
pub const DONE: i32 = 0;
/// A function of the caller failed.
pub const STREAM: i32 = 1;
/// The gzip stream has to be kept as it is.
pub const UNSUPPORTED: i32 = 2;
/// Side data or plain bytes are damaged.
pub const DAMAGED: i32 = 3;
/// A bug in the codec.
pub const PANICKED: i32 = 4;

/// What was recorded.
#[repr(C)]
pub struct Sizes {
    gzip: u64,
    plain: u64,
    side: u64,
}

/// A text for the caller: what was recorded, or what is wrong.
#[repr(C)]
pub struct Text {
    size: usize,
    bytes: [u8; 240],
}

struct Source(ReadFn);

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = (self.0)(out.as_mut_ptr(), out.len());
        match usize::try_from(n) {
            Ok(n) if n <= out.len() => Ok(n),
            _ => Err(io::Error::other("the caller's stream failed")),
        }
    }
}

struct Sink(WriteFn);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() || (self.0)(bytes.as_ptr(), bytes.len()) >= 0 {
            return Ok(bytes.len());
        }
        Err(io::Error::other("the caller's stream failed"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Text {
    fn set(&mut self, text: &str) {
        let n = text.len().min(self.bytes.len());
        self.bytes[..n].copy_from_slice(&text.as_bytes()[..n]);
        self.size = n;
    }
}

fn outcome<T>(
    work: impl FnOnce() -> exact::Result<T> + std::panic::UnwindSafe,
    text: &mut Text,
) -> Result<T, i32> {
    let fault = match catch_unwind(work) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(fault)) => fault,
        Err(_) => {
            text.set("the codec panicked");
            return Err(PANICKED);
        }
    };
    text.set(&fault.to_string());
    Err(match fault {
        Error::Io(_) => STREAM,
        Error::Unsupported(_) | Error::Unproven(_) => UNSUPPORTED,
        Error::Damaged(_) => DAMAGED,
    })
}

/// The version of this interface.
#[no_mangle]
pub extern "C" fn airstore_codec_interface() -> u32 {
    3
}

/// Record a gzip stream; see `exact::record`. The text is the encoder's name, or what is wrong.
///
/// # Safety
/// `sizes` and `text` point to a `Sizes` and a `Text` of the caller, for this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_record(
    source: ReadFn,
    plain: WriteFn,
    side: WriteFn,
    sizes: *mut Sizes,
    text: *mut Text,
) -> i32 {
    // SAFETY: by the contract above; nothing else refers to them during the call.
    let (sizes, text) = unsafe { (&mut *sizes, &mut *text) };
    match outcome(move || exact::record(Source(source), Sink(plain), Sink(side)), text) {
        Ok(report) => {
            let Report { gzip, plain, side, .. } = report;
            *sizes = Sizes { gzip, plain, side };
            text.set(&report.name());
            DONE
        }
        Err(code) => code,
    }
}

/// Rebuild a gzip stream; see `exact::rebuild`. The text is what is wrong.
///
/// # Safety
/// `text` points to a `Text` of the caller, for this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_rebuild(
    plain: ReadFn,
    side: ReadFn,
    gzip: WriteFn,
    text: *mut Text,
) -> i32 {
    // SAFETY: by the contract above; nothing else refers to it during the call.
    let text = unsafe { &mut *text };
    let work = move || exact::rebuild(Source(plain), BufReader::new(Source(side)), Sink(gzip));
    outcome(work, text).map_or_else(|code| code, |()| DONE)
}

/// Apply a patch; see `exact::patch::apply`. The text is what is wrong.
///
/// # Safety
/// `base` and `patch` point to so many bytes, `text` to a `Text` of the caller, for this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_patch(
    base: *const u8,
    base_size: usize,
    patch: *const u8,
    patch_size: usize,
    size: u64,
    out: WriteFn,
    text: *mut Text,
) -> i32 {
    // SAFETY: by the contract above; nothing else refers to the text, and nobody changes the bytes during the call.
    let (base, patch, text) = unsafe { (bytes(base, base_size), bytes(patch, patch_size), &mut *text) };
    outcome(move || patch::apply(base, patch, size, Sink(out)), text).map_or_else(|code| code, |()| DONE)
}

/// As `airstore_codec_patch`, to a base of so many bytes that a file begins with.
///
/// # Safety
/// `file` is a descriptor that is open for reading, `patch` points to so many bytes, `text` to a `Text` of the caller, for
/// this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_patch_file(
    file: RawFd,
    base_size: u64,
    patch: *const u8,
    patch_size: usize,
    size: u64,
    out: WriteFn,
    text: *mut Text,
) -> i32 {
    // SAFETY: by the contract above; the descriptor is not closed here, and nothing else refers to the text.
    let (file, patch, text) =
        unsafe { (ManuallyDrop::new(fs::File::from_raw_fd(file)), bytes(patch, patch_size), &mut *text) };
    let base = patch::File { bytes: AtRest(&file), size: base_size, part: Vec::new() };
    outcome(move || patch::apply(base, patch, size, Sink(out)), text).map_or_else(|code| code, |()| DONE)
}

struct AtRest<'a>(&'a fs::File);

impl patch::ReadAt for AtRest<'_> {
    fn read_at(&self, out: &mut [u8], from: u64) -> io::Result<()> {
        self.0.read_exact_at(out, from)
    }
}

/// Numbers of some content.
#[repr(C)]
pub struct Sketch {
    count: usize,
    numbers: [u64; SIZE],
}

/// What some content is made of; see `exact::sketch`. The text is what is wrong.
///
/// # Safety
/// `data` points to so many bytes, `found` and `text` to a `Sketch` and a `Text` of the caller, for this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_sketch(
    data: *const u8,
    size: usize,
    found: *mut Sketch,
    text: *mut Text,
) -> i32 {
    // SAFETY: by the contract above; nothing else refers to what is written, and nobody changes the bytes during the call.
    let (data, found, text) = unsafe { (bytes(data, size), &mut *found, &mut *text) };
    match outcome(move || Ok(sketch(data)), text) {
        Ok(numbers) => {
            found.count = numbers.len();
            found.numbers[..numbers.len()].copy_from_slice(&numbers);
            DONE
        }
        Err(code) => code,
    }
}

/// Make a patch; see `exact::differ::make`. The text is what is wrong.
///
/// # Safety
/// `base` and `new` point to so many bytes, `text` to a `Text` of the caller, for this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_make_patch(
    base: *const u8,
    base_size: usize,
    own: usize,
    new: *const u8,
    new_size: usize,
    out: WriteFn,
    text: *mut Text,
) -> i32 {
    // SAFETY: by the contract above; nothing else refers to the text, and nobody changes the bytes during the call.
    let (base, new, text) = unsafe { (bytes(base, base_size), bytes(new, new_size), &mut *text) };
    outcome(move || exact::differ::make(base, own, new, Sink(out)), text).map_or_else(|code| code, |()| DONE)
}

/// How much is in long runs that both sides of a patch have; see `exact::differ::shared`. The text is what is wrong.
///
/// # Safety
/// `base` and `new` point to so many bytes, `sizes` to two numbers and `text` to a `Text` of the caller, for this call.
#[no_mangle]
pub unsafe extern "C" fn airstore_codec_shared(
    base: *const u8,
    base_size: usize,
    own: usize,
    new: *const u8,
    new_size: usize,
    sizes: *mut [u64; 2],
    text: *mut Text,
) -> i32 {
    // SAFETY: as above, and nothing else refers to the sizes.
    let (base, new) = unsafe { (bytes(base, base_size), bytes(new, new_size)) };
    // SAFETY: as above.
    let (sizes, text) = unsafe { (&mut *sizes, &mut *text) };
    outcome(move || exact::differ::shared(base, own, new), text).map_or_else(
        |code| code,
        |found| {
            *sizes = found;
            DONE
        },
    )
}

/// # Safety
/// As of `slice::from_raw_parts`, but that nothing may be nowhere.
unsafe fn bytes<'a>(start: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: by the contract above.
    unsafe { std::slice::from_raw_parts(start, size) }
}
