//! Error numbers of WASI.

use std::io;

use rustix::io::Errno as HostErrno;

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $number:literal $(: $($host:ident)|+)?;)*) => {
        /// What a WASI function returns when it fails.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum Errno {
            $($(#[$doc])* $name = $number,)*
        }

        impl From<HostErrno> for Errno {
            fn from(errno: HostErrno) -> Errno {
                match errno {
                    $($($(HostErrno::$host)|+ => Errno::$name,)?)*
                    _ => Errno::Io,
                }
            }
        }
    };
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        if let Some(errno) = HostErrno::from_io_error(&error) {
            return errno.into();
        }
        match error.kind() {
            io::ErrorKind::BrokenPipe => Errno::Pipe,
            io::ErrorKind::WouldBlock => Errno::Again,
            io::ErrorKind::StorageFull => Errno::NoSpace,
            io::ErrorKind::OutOfMemory => Errno::NoMemory,
            _ => Errno::Io,
        }
    }
}

errnos! {
    /// Argument list too long.
    TooBig = 1: TOOBIG;
    /// Permission denied.
    Access = 2: ACCESS;
    /// Resource unavailable, or operation would block.
    Again = 6: AGAIN;
    /// Bad file descriptor.
    BadFd = 8: BADF;
    /// Device or resource busy.
    Busy = 10: BUSY;
    /// Disk quota exceeded.
    Quota = 19: DQUOT;
    /// File exists.
    Exists = 20: EXIST;
    /// Bad address.
    Fault = 21: FAULT;
    /// File too large.
    FileTooBig = 22: FBIG;
    /// Illegal byte sequence.
    IllegalBytes = 25: ILSEQ;
    /// Interrupted function.
    Interrupted = 27: INTR;
    /// Invalid argument.
    Invalid = 28: INVAL;
    /// I/O error.
    Io = 29: IO;
    /// Is a directory.
    IsDirectory = 31: ISDIR;
    /// Too many levels of symbolic links.
    Loop = 32: LOOP;
    /// Too many open files.
    TooManyFiles = 33: MFILE;
    /// Too many links.
    TooManyLinks = 34: MLINK;
    /// Filename too long.
    NameTooLong = 37: NAMETOOLONG;
    /// Too many files open in the system.
    TooManyFilesInSystem = 41: NFILE;
    /// No such device.
    NoDevice = 43: NODEV;
    /// No such file or directory.
    NoEntry = 44: NOENT;
    /// Not enough space.
    NoMemory = 48: NOMEM;
    /// No space left on device.
    NoSpace = 51: NOSPC;
    /// Function not supported.
    NotImplemented = 52: NOSYS;
    /// Not a directory.
    NotDirectory = 54: NOTDIR;
    /// Directory not empty.
    NotEmpty = 55: NOTEMPTY;
    /// Not a socket.
    NotSocket = 57: NOTSOCK;
    /// Not supported.
    NotSupported = 58: OPNOTSUPP;
    /// Inappropriate I/O control operation.
    NotTerminal = 59: NOTTY;
    /// No such device or address.
    NoSuchDevice = 60: NXIO;
    /// Value too large.
    Overflow = 61: OVERFLOW;
    /// Operation not permitted; also a path that leads out of its directory.
    NotPermitted = 63: PERM | XDEV;
    /// Broken pipe.
    Pipe = 64: PIPE;
    /// Result too large.
    Range = 68: RANGE;
    /// Read-only file system.
    ReadOnly = 69: ROFS;
    /// Invalid seek.
    InvalidSeek = 70: SPIPE;
    /// Text file busy.
    TextBusy = 74: TXTBSY;
    /// The descriptor's rights do not allow it.
    NotCapable = 76;
}
