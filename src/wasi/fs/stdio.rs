//! Standard streams.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use crate::wasi::errno::Errno;

/// A standard stream.
#[derive(Clone)]
pub(in crate::wasi) enum Stream {
    /// The host's standard input.
    HostInput,
    /// The host's standard output.
    HostOutput,
    /// The host's standard error.
    HostError,
    /// Nothing: reads end at once, writes vanish.
    Null,
    /// Bytes to read.
    Bytes(Rc<RefCell<VecDeque<u8>>>),
    /// What is written is kept.
    Capture(Capture),
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

    fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let mut captured = self.0.borrow_mut();
        let room = captured.bound.map_or(usize::MAX, |bound| bound - captured.bytes.len());
        let len = bytes.len().min(room);
        if len == 0 && !bytes.is_empty() {
            return Err(Errno::NoSpace);
        }
        captured.bytes.extend(&bytes[..len]);
        Ok(len)
    }
}

impl Stream {
    /// Bytes to read.
    pub(in crate::wasi) fn bytes(bytes: Vec<u8>) -> Stream {
        Stream::Bytes(Rc::new(RefCell::new(bytes.into())))
    }

    /// The descriptor of the host behind it, if there is one.
    pub(in crate::wasi) fn host_fd(&self) -> Option<BorrowedFd<'static>> {
        match self {
            Stream::HostInput => Some(rustix::stdio::stdin()),
            Stream::HostOutput => Some(rustix::stdio::stdout()),
            Stream::HostError => Some(rustix::stdio::stderr()),
            Stream::Null | Stream::Bytes(_) | Stream::Capture(_) => None,
        }
    }

    /// Reads from a stream that is no descriptor of the host.
    pub(in crate::wasi) fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Stream::Bytes(bytes) => {
                let bytes = &mut bytes.borrow_mut();
                let len = bytes.len().min(buffer.len());
                buffer.iter_mut().zip(bytes.drain(..len)).for_each(|(to, byte)| *to = byte);
                Ok(len)
            }
            _ => Ok(0),
        }
    }

    /// Writes to a stream that is no descriptor of the host.
    pub(in crate::wasi) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Stream::Capture(capture) => capture.write(bytes),
            Stream::Null => Ok(bytes.len()),
            _ => Err(Errno::BadFd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_up_to_its_bound() {
        let capture = Capture::new(Some(4));
        let stream = Stream::Capture(capture.clone());
        assert_eq!(stream.write(b"abc"), Ok(3));
        assert_eq!(stream.write(b"de"), Ok(1));
        assert_eq!(stream.write(b"e"), Err(Errno::NoSpace));
        assert_eq!(capture.take(3), b"abc");
        assert_eq!(stream.write(b"ef"), Ok(2));
        assert_eq!(capture.take(usize::MAX), b"def");
    }

    #[test]
    fn bytes_end() {
        let stream = Stream::bytes(b"xy".to_vec());
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer), Ok(2));
        assert_eq!(stream.read(&mut buffer), Ok(0));
    }
}
