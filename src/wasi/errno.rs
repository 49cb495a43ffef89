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
    /// Address in use.
    AddressInUse = 3: ADDRINUSE;
    /// Address not available.
    AddressNotAvailable = 4: ADDRNOTAVAIL;
    /// Address family not supported.
    AddressFamily = 5: AFNOSUPPORT;
    /// Resource unavailable, or operation would block.
    Again = 6: AGAIN;
    /// Connection already in progress.
    Already = 7: ALREADY;
    /// Bad file descriptor.
    BadFd = 8: BADF;
    /// Device or resource busy.
    Busy = 10: BUSY;
    /// No child processes.
    NoChild = 12;
    /// Connection aborted.
    ConnectionAborted = 13: CONNABORTED;
    /// Connection refused.
    ConnectionRefused = 14: CONNREFUSED;
    /// Connection reset.
    ConnectionReset = 15: CONNRESET;
    /// Resource deadlock would occur.
    Deadlock = 16;
    /// Destination address required.
    DestinationRequired = 17: DESTADDRREQ;
    /// Disk quota exceeded.
    Quota = 19: DQUOT;
    /// File exists.
    Exists = 20: EXIST;
    /// Bad address.
    Fault = 21: FAULT;
    /// File too large.
    FileTooBig = 22: FBIG;
    /// Host is unreachable.
    HostUnreachable = 23: HOSTUNREACH;
    /// Illegal byte sequence.
    IllegalBytes = 25: ILSEQ;
    /// Operation in progress.
    InProgress = 26: INPROGRESS;
    /// Interrupted function.
    Interrupted = 27: INTR;
    /// Invalid argument.
    Invalid = 28: INVAL;
    /// I/O error.
    Io = 29: IO;
    /// Socket is connected.
    IsConnected = 30: ISCONN;
    /// Is a directory.
    IsDirectory = 31: ISDIR;
    /// Too many levels of symbolic links.
    Loop = 32: LOOP;
    /// Too many open files.
    TooManyFiles = 33: MFILE;
    /// Too many links.
    TooManyLinks = 34: MLINK;
    /// Message too large.
    MessageTooLong = 35: MSGSIZE;
    /// Filename too long.
    NameTooLong = 37: NAMETOOLONG;
    /// Network is down.
    NetworkDown = 38: NETDOWN;
    /// Connection aborted by the network.
    NetworkReset = 39: NETRESET;
    /// Network unreachable.
    NetworkUnreachable = 40: NETUNREACH;
    /// Too many files open in the system.
    TooManyFilesInSystem = 41: NFILE;
    /// No buffer space available.
    NoBuffers = 42: NOBUFS;
    /// No such device.
    NoDevice = 43: NODEV;
    /// No such file or directory.
    NoEntry = 44: NOENT;
    /// Not enough space.
    NoMemory = 48: NOMEM;
    /// Protocol not available.
    NoSuchOption = 50: NOPROTOOPT;
    /// No space left on device.
    NoSpace = 51: NOSPC;
    /// Function not supported.
    NotImplemented = 52: NOSYS;
    /// The socket is not connected.
    NotConnected = 53: NOTCONN;
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
    Pipe = 64: PIPE | SHUTDOWN;
    /// Protocol error.
    Protocol = 65: PROTO;
    /// Protocol not supported.
    ProtocolNotSupported = 66: PROTONOSUPPORT | SOCKTNOSUPPORT;
    /// Protocol wrong type for socket.
    ProtocolType = 67: PROTOTYPE;
    /// Result too large.
    Range = 68: RANGE;
    /// Read-only file system.
    ReadOnly = 69: ROFS;
    /// Invalid seek.
    InvalidSeek = 70: SPIPE;
    /// No such process.
    NoProcess = 71;
    /// Connection timed out.
    TimedOut = 73: TIMEDOUT;
    /// Text file busy.
    TextBusy = 74: TXTBSY;
    /// The descriptor's rights do not allow it.
    NotCapable = 76;
    /// WasmEdge: the flags of a lookup are wrong.
    LookupFlags = 79;
    /// WasmEdge: the address family of a lookup is not supported.
    LookupFamily = 81;
    /// WasmEdge: a lookup has no room for results.
    LookupMemory = 82;
    /// WasmEdge: a lookup has not found the name.
    LookupName = 84;
    /// WasmEdge: a lookup has not found the service.
    LookupService = 85;
    /// WasmEdge: the socket type of a lookup is not supported.
    LookupType = 86;
}
