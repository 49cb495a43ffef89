//! Standard streams.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::file::retry;
use crate::engine::without_sigpipe;
use crate::wasi::errno::Errno;

/// Where a standard stream of a guest leads.
pub struct Stream {
    kind: Kind,
    /// Whether the guest wants calls to fail that would wait. The host's descriptor does not know:
    /// it is shared with others, who do not expect this.
    pub(in crate::wasi) nonblocking: Cell<bool>,
}

enum Kind {
    /// One of the host's own streams, which it may redirect meanwhile.
    Host(fn() -> BorrowedFd<'static>),
    /// A descriptor of the host's.
    Fd(Rc<OwnedFd>),
    Null,
    Reader(Rc<RefCell<dyn Read>>),
    Writer(Rc<RefCell<dyn Write>>),
}

/// So much can be written without waiting to a pipe that is ready (POSIX's `PIPE_BUF`).
const WRITTEN_AT_ONCE: usize = 4096;

/// What of these bytes can be written without waiting to a descriptor that is ready.
pub(super) fn written_at_once<'a>(slices: &'a [IoSlice]) -> IoSlice<'a> {
    let first = slices.iter().find(|slice| !slice.is_empty());
    let bytes = first.map_or(&[][..], |slice| slice);
    IoSlice::new(&bytes[..bytes.len().min(WRITTEN_AT_ONCE)])
}

impl Stream {
    fn new(kind: Kind) -> Stream {
        Stream { kind, nonblocking: Cell::new(false) }
    }

    /// Nothing: reads end at once, writes vanish.
    pub fn null() -> Stream {
        Stream::new(Kind::Null)
    }

    /// The standard input of the host.
    pub fn host_input() -> Stream {
        Stream::new(Kind::Host(rustix::stdio::stdin))
    }

    /// The standard output of the host.
    pub fn host_output() -> Stream {
        Stream::new(Kind::Host(rustix::stdio::stdout))
    }

    /// The standard error of the host.
    pub fn host_error() -> Stream {
        Stream::new(Kind::Host(rustix::stdio::stderr))
    }

    /// A descriptor of the host, for instance one end of a pipe. Writing to a pipe that nobody
    /// reads fails; the host gets no signal.
    pub fn fd(fd: OwnedFd) -> Stream {
        Stream::new(Kind::Fd(Rc::new(fd)))
    }

    /// Bytes to read.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Stream {
        Stream::reader(io::Cursor::new(bytes.into()))
    }

    /// What a guest reads is asked for when it does. Reading must not enter the guest's store.
    pub fn reader(reader: impl Read + 'static) -> Stream {
        Stream::new(Kind::Reader(Rc::new(RefCell::new(reader))))
    }

    /// What a guest writes is handed on at once. Writing must not enter the guest's store; it may
    /// take less than it is given, and holds the guest up as long as it takes.
    pub fn writer(writer: impl Write + 'static) -> Stream {
        Stream::new(Kind::Writer(Rc::new(RefCell::new(writer))))
    }

    /// What is written is kept.
    pub fn capture(capture: &Capture) -> Stream {
        Stream::writer(capture.clone())
    }

    /// The descriptor of the host behind it, if there is one.
    pub(in crate::wasi) fn host_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.kind {
            Kind::Host(fd) => Some(fd()),
            Kind::Fd(fd) => Some(fd.as_fd()),
            Kind::Null | Kind::Reader(_) | Kind::Writer(_) => None,
        }
    }

    /// Fails where the guest would have to wait and does not want to.
    fn check_ready(&self, fd: BorrowedFd, wanted: PollFlags) -> Result<(), Errno> {
        if !self.nonblocking.get() {
            return Ok(());
        }
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match retry(|| poll(&mut [PollFd::from_borrowed_fd(fd, wanted)], Some(&at_once)))? {
            0 => Err(Errno::Again),
            _ => Ok(()),
        }
    }

    pub(in crate::wasi) fn read(&self, slices: &mut [IoSliceMut]) -> Result<usize, Errno> {
        if let Some(fd) = self.host_fd() {
            self.check_ready(fd, PollFlags::IN)?;
            return retry(|| rustix::io::readv(fd, slices));
        }
        match &self.kind {
            Kind::Reader(reader) => {
                let room = slices.iter().map(|slice| slice.len()).sum();
                let mut reader = reader.try_borrow_mut().map_err(|_| Errno::Again)?;
                Ok(again(|| reader.read_vectored(slices))?.min(room))
            }
            _ => Ok(0),
        }
    }

    pub(in crate::wasi) fn write(&self, slices: &[IoSlice]) -> Result<usize, Errno> {
        if let Some(fd) = self.host_fd() {
            self.check_ready(fd, PollFlags::OUT)?;
            let piece = [written_at_once(slices)];
            let slices = if self.nonblocking.get() { &piece } else { slices };
            return without_sigpipe(|| retry(|| rustix::io::writev(fd, slices)));
        }
        let len = slices.iter().map(|slice| slice.len()).sum();
        match &self.kind {
            Kind::Writer(_) if len == 0 => Ok(0),
            Kind::Writer(writer) => {
                let mut writer = writer.try_borrow_mut().map_err(|_| Errno::Again)?;
                // A guest that is told that nothing was written would try for ever.
                match again(|| writer.write_vectored(slices))?.min(len) {
                    0 => Err(Errno::NoSpace),
                    written => Ok(written),
                }
            }
            _ => Ok(len),
        }
    }
}

/// Calls again what a signal has interrupted.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(Errno::from),
        }
    }
}

/// Bytes that a guest has written to a stream and that nobody has taken yet.
#[derive(Clone, Default)]
pub struct Capture(Rc<RefCell<Captured>>);

#[derive(Default)]
struct Captured {
    bytes: VecDeque<u8>,
    /// The most bytes to keep; none for any number.
    bound: Option<usize>,
}

impl Capture {
    /// An empty buffer that keeps at most `bound` bytes. A guest that writes more gets an error.
    pub fn new(bound: Option<usize>) -> Capture {
        Capture(Rc::new(RefCell::new(Captured { bytes: VecDeque::new(), bound })))
    }

    /// Takes out the oldest bytes, at most so many.
    pub fn take(&self, max: usize) -> Vec<u8> {
        let bytes = &mut self.0.borrow_mut().bytes;
        let len = bytes.len().min(max);
        bytes.drain(..len).collect()
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut captured = self.0.borrow_mut();
        let room = captured.bound.map_or(usize::MAX, |bound| bound - captured.bytes.len());
        let len = bytes.len().min(room);
        captured.bytes.try_reserve(len)?;
        captured.bytes.extend(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(stream: &Stream, bytes: &[u8]) -> Result<usize, Errno> {
        stream.write(&[IoSlice::new(&[]), IoSlice::new(bytes)])
    }

    #[test]
    fn captures_up_to_its_bound() {
        let capture = Capture::new(Some(4));
        let stream = Stream::capture(&capture);
        assert_eq!(write(&stream, b"abc"), Ok(3));
        assert_eq!(write(&stream, b"de"), Ok(1));
        assert_eq!(write(&stream, b"e"), Err(Errno::NoSpace));
        assert_eq!(write(&stream, b""), Ok(0));
        assert_eq!(capture.take(3), b"abc");
        assert_eq!(write(&stream, b"ef"), Ok(2));
        assert_eq!(capture.take(usize::MAX), b"def");
    }

    #[test]
    fn bytes_end() {
        let stream = Stream::bytes(b"xy");
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut [IoSliceMut::new(&mut buffer)]), Ok(2));
        assert_eq!(stream.read(&mut [IoSliceMut::new(&mut buffer)]), Ok(0));
    }

    #[test]
    fn what_readers_and_writers_say_is_not_believed() {
        struct Liar;
        impl Read for Liar {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Ok(usize::MAX)
            }
        }
        impl Write for Liar {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Ok(usize::MAX)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(Stream::reader(Liar).read(&mut [IoSliceMut::new(&mut [0; 3])]), Ok(3));
        assert_eq!(write(&Stream::writer(Liar), b"abc"), Ok(3));
    }
}
