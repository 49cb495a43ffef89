//! Layouts and constants of WASI.

use rustix::fs::{FileType as HostFileType, Stat};

use super::Snapshot;
use super::errno::Errno;
use super::guest::Guest;

/// Kinds of files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum FileType {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketDatagram = 5,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl From<HostFileType> for FileType {
    fn from(ty: HostFileType) -> FileType {
        match ty {
            HostFileType::BlockDevice => FileType::BlockDevice,
            HostFileType::CharacterDevice => FileType::CharacterDevice,
            HostFileType::Directory => FileType::Directory,
            HostFileType::RegularFile => FileType::RegularFile,
            HostFileType::Socket => FileType::SocketStream,
            HostFileType::Symlink => FileType::SymbolicLink,
            _ => FileType::Unknown,
        }
    }
}

/// Flags of an open descriptor.
pub(super) mod fdflags {
    pub const APPEND: u16 = 1;
    pub const DSYNC: u16 = 2;
    pub const NONBLOCK: u16 = 4;
    pub const RSYNC: u16 = 8;
    pub const SYNC: u16 = 16;
    pub const ALL: u16 = 31;
}

/// How `path_open` opens.
pub(super) mod oflags {
    pub const CREAT: u16 = 1;
    pub const DIRECTORY: u16 = 2;
    pub const EXCL: u16 = 4;
    pub const TRUNC: u16 = 8;
    pub const ALL: u16 = 15;
}

/// Which times to set, and to what.
pub(super) mod fstflags {
    pub const ATIM: u16 = 1;
    pub const ATIM_NOW: u16 = 2;
    pub const MTIM: u16 = 4;
    pub const MTIM_NOW: u16 = 8;
    pub const ALL: u16 = 15;
}

/// Whether a symbolic link at the end of a path is followed.
pub(super) const SYMLINK_FOLLOW: u32 = 1;

/// What a descriptor may be used for.
pub(super) mod rights {
    pub const FD_DATASYNC: u64 = 1 << 0;
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_SYNC: u64 = 1 << 4;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub const PATH_LINK_TARGET: u64 = 1 << 12;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_READLINK: u64 = 1 << 15;
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const PATH_SYMLINK: u64 = 1 << 24;
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub const POLL_FD_READWRITE: u64 = 1 << 27;
    pub const SOCK_SHUTDOWN: u64 = 1 << 28;
    pub const SOCK_ACCEPT: u64 = 1 << 29;

    /// What can be done with a file, all in all.
    pub const FILE: u64 = FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_WRITE
        | FD_ADVISE
        | FD_ALLOCATE
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_SIZE
        | FD_FILESTAT_SET_TIMES
        | POLL_FD_READWRITE;
    /// What can be done with a directory, all in all.
    pub const DIRECTORY: u64 = FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_ADVISE
        | PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_LINK_SOURCE
        | PATH_LINK_TARGET
        | PATH_OPEN
        | FD_READDIR
        | PATH_READLINK
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_GET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | PATH_SYMLINK
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE
        | POLL_FD_READWRITE;
    /// What changes something.
    pub const WRITING: u64 = FD_WRITE
        | FD_ALLOCATE
        | FD_FILESTAT_SET_SIZE
        | FD_FILESTAT_SET_TIMES
        | PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_LINK_SOURCE
        | PATH_LINK_TARGET
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | PATH_SYMLINK
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE;
    /// What a standard stream of the host's can be used for, if it is a file: all that does not
    /// change more of the file than its bytes.
    pub const HOST_STREAM: u64 =
        FILE & !(FD_ALLOCATE | FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES);
    /// What a stream that is no file can be used for.
    pub const STREAM: u64 = FD_READ
        | FD_WRITE
        | FD_FDSTAT_SET_FLAGS
        | FD_DATASYNC
        | FD_SYNC
        | FD_FILESTAT_GET
        | POLL_FD_READWRITE;
    /// What can be done with a socket that data goes through.
    pub const SOCKET: u64 = FD_READ
        | FD_WRITE
        | FD_FDSTAT_SET_FLAGS
        | FD_FILESTAT_GET
        | POLL_FD_READWRITE
        | SOCK_SHUTDOWN;
    /// What can be done with a socket that accepts connections.
    pub const LISTENER: u64 =
        FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | SOCK_ACCEPT;
}

/// Writes integers into a struct of the guest's.
pub(super) struct Layout<const SIZE: usize>(pub(super) [u8; SIZE]);

impl<const SIZE: usize> Layout<SIZE> {
    pub(super) fn new() -> Layout<SIZE> {
        Layout([0; SIZE])
    }

    pub(super) fn u8(mut self, at: usize, value: u8) -> Layout<SIZE> {
        self.0[at] = value;
        self
    }

    pub(super) fn u16(mut self, at: usize, value: u16) -> Layout<SIZE> {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn u32(mut self, at: usize, value: u32) -> Layout<SIZE> {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn u64(mut self, at: usize, value: u64) -> Layout<SIZE> {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self
    }
}

/// What is known of a file.
#[derive(Clone, Copy)]
pub(super) struct FileStat {
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) filetype: FileType,
    pub(super) nlink: u64,
    pub(super) size: u64,
    pub(super) atim: u64,
    pub(super) mtim: u64,
    pub(super) ctim: u64,
}

impl FileStat {
    /// Of a stream that is no file of the host.
    pub(super) fn stream() -> FileStat {
        FileStat {
            dev: 0,
            ino: 0,
            // A character device would be taken for a terminal.
            filetype: FileType::Unknown,
            nlink: 0,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        }
    }

    /// Writes the struct of the guest's version of WASI.
    pub(super) fn put(&self, guest: &Guest, address: u32) -> Result<(), Errno> {
        let head =
            Layout::<24>::new().u64(0, self.dev).u64(8, self.ino).u8(16, self.filetype as u8);
        let rest = Layout::<32>::new()
            .u64(0, self.size)
            .u64(8, self.atim)
            .u64(16, self.mtim)
            .u64(24, self.ctim);
        match guest.snapshot {
            // The number of links stands in the head.
            Snapshot::Unstable => {
                let nlink = u32::try_from(self.nlink).unwrap_or(u32::MAX);
                guest.put(address, &[&head.u32(20, nlink).0[..], &rest.0].concat())
            }
            Snapshot::Preview1 => {
                let nlink = self.nlink.to_le_bytes();
                guest.put(address, &[&head.0[..], &nlink, &rest.0].concat())
            }
        }
    }
}

impl From<Stat> for FileStat {
    fn from(stat: Stat) -> FileStat {
        // Times before 1970, or far in the future, have no form in WASI.
        let nanoseconds = |seconds: i64, nanoseconds: u64| {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
        };
        FileStat {
            dev: stat.st_dev,
            ino: stat.st_ino,
            filetype: HostFileType::from_raw_mode(stat.st_mode).into(),
            nlink: stat.st_nlink,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            atim: nanoseconds(stat.st_atime, stat.st_atime_nsec),
            mtim: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            ctim: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}
