//! Functions on directories and paths.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, FileType as HostFileType, Mode, OFlags, RawDir, SeekFrom, Timespec, Timestamps,
    UTIME_NOW, UTIME_OMIT,
};

use super::file::host_flags;
use super::path::GuestPath;
use crate::wasi::Context;
use crate::wasi::errno::Errno;
use crate::wasi::fds::{Directory, Entry, File, Object};
use crate::wasi::guest::Guest;
use crate::wasi::types::{
    FileStat, FileType, Layout, SYMLINK_FOLLOW, fdflags, fstflags, oflags, rights,
};

/// The mode of files that guests create; the host's umask applies.
const FILE_MODE: Mode = Mode::from_bits_retain(0o666);
/// The mode of directories that guests create; the host's umask applies.
pub(in crate::wasi) const DIRECTORY_MODE: Mode = Mode::from_bits_retain(0o777);

/// Whether links at the end of a path are followed; fails for other flags.
fn follows(flags: u32) -> Result<bool, Errno> {
    if flags & !SYMLINK_FOLLOW != 0 { Err(Errno::Invalid) } else { Ok(flags != 0) }
}

pub(in crate::wasi) fn path_open(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    open: u32,
    base: u64,
    inheriting: u64,
    fd_flags: u32,
    result: u32,
) -> Result<(), Errno> {
    ctx.fds.directory(dir, rights::PATH_OPEN)?;
    let path = guest.path(path, path_len)?;
    guest.check(result, 4)?;
    let opening = Opening {
        follow: follows(lookup)?,
        open: flags(open, oflags::ALL)?,
        base,
        inheriting,
        fd_flags: flags(fd_flags, fdflags::ALL)?,
    };
    let number = self::open(ctx, dir, &path, &opening)?;
    guest.put_u32(result, number)
}

/// How a path is opened, as the parameters of `path_open` say it.
pub(in crate::wasi) struct Opening {
    /// Whether a link at the end is followed.
    pub(in crate::wasi) follow: bool,
    /// Of [`oflags`].
    pub(in crate::wasi) open: u16,
    /// The rights that are wanted.
    pub(in crate::wasi) base: u64,
    /// The rights that are wanted for what is opened below.
    pub(in crate::wasi) inheriting: u64,
    /// Of [`fdflags`].
    pub(in crate::wasi) fd_flags: u16,
}

/// Opens what a path from a directory leads to; its descriptor.
pub(in crate::wasi) fn open(
    ctx: &mut Context,
    dir: u32,
    path: &str,
    opening: &Opening,
) -> Result<u32, Errno> {
    let Opening { follow, open, base, inheriting, fd_flags } = *opening;
    let directory = ctx.fds.directory(dir, rights::PATH_OPEN)?;
    let entry = ctx.fds.get(dir)?;

    let granted = entry.inheriting;
    let mut needed = 0;
    if open & oflags::CREAT != 0 {
        needed |= rights::PATH_CREATE_FILE;
    }
    if open & oflags::TRUNC != 0 {
        needed |= rights::PATH_FILESTAT_SET_SIZE;
    }
    if entry.rights & needed != needed {
        return Err(Errno::NotCapable);
    }
    let reads = base & (rights::FD_READ | rights::FD_READDIR) != 0;
    let writes = rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE;
    let writes = base & writes != 0;
    if writes && granted & rights::FD_WRITE == 0 {
        return Err(Errno::NotCapable);
    }

    let mut host = host_flags(fd_flags) | OFlags::NOCTTY;
    // Opening a FIFO must not wait for its other end.
    host |= OFlags::NONBLOCK;
    if !follow {
        host |= OFlags::NOFOLLOW;
    }
    if open & oflags::DIRECTORY != 0 {
        host |= OFlags::DIRECTORY;
    }
    let pairs = [(oflags::CREAT, OFlags::CREATE), (oflags::EXCL, OFlags::EXCL)];
    let pairs = pairs.into_iter().chain([(oflags::TRUNC, OFlags::TRUNC)]);
    host |= pairs.filter(|(wasi, _)| open & wasi != 0).fold(OFlags::empty(), |all, f| all | f.1);
    host |= match (reads, writes) {
        (_, false) => OFlags::RDONLY,
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
    };
    let creates = open & oflags::CREAT != 0;
    if creates && open & oflags::DIRECTORY != 0 {
        return Err(Errno::Invalid);
    }
    let path = GuestPath::new(path)?;
    if creates && path.must_be_directory {
        return Err(Errno::IsDirectory);
    }
    // Nothing is made or truncated that has no number in the end.
    ctx.fds.next()?;
    let mode = if creates { FILE_MODE } else { Mode::empty() };
    let fd = path.open(directory.fd.as_fd(), host, mode)?;

    let entry = opened(fd, base & granted, inheriting & granted, fd_flags)?;
    ctx.fds.add(entry)
}

fn flags(flags: u32, all: u16) -> Result<u16, Errno> {
    u16::try_from(flags).ok().filter(|flags| flags & !all == 0).ok_or(Errno::Invalid)
}

/// The entry of what has been opened.
fn opened(fd: OwnedFd, base: u64, inheriting: u64, fd_flags: u16) -> Result<Entry, Errno> {
    let filetype: FileType = HostFileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode).into();
    if filetype == FileType::Directory {
        let directory = Directory { fd, preopened_as: None };
        return Ok(Entry {
            object: Object::Directory(Rc::new(directory)),
            rights: base & rights::DIRECTORY,
            inheriting,
        });
    }
    if fd_flags & fdflags::NONBLOCK == 0 {
        let flags = rustix::fs::fcntl_getfl(&fd)?;
        rustix::fs::fcntl_setfl(&fd, flags - OFlags::NONBLOCK)?;
    }
    let file = Rc::new(File { fd, regular: filetype == FileType::RegularFile });
    Ok(Entry { object: Object::File(file), rights: base & rights::FILE, inheriting: 0 })
}

pub(in crate::wasi) fn fd_readdir(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffer: u32,
    len: u32,
    cookie: u64,
    used: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(fd, rights::FD_READDIR)?;
    guest.check(buffer, len)?;
    guest.check(used, 4)?;
    // Cookies are the host's own positions: they stay good while entries come and go.
    let position = i64::try_from(cookie).map_err(|_| Errno::Invalid)? as u64;
    rustix::fs::seek(&directory.fd, SeekFrom::Start(position))?;
    let mut host_buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(&directory.fd, &mut host_buffer);
    let mut filled = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        // What is no text has no name for a guest.
        if std::str::from_utf8(name).is_err() {
            continue;
        }
        let head = Layout::<24>::new()
            .u64(0, entry.next_entry_cookie())
            .u64(8, entry.ino())
            .u32(16, name.len() as u32)
            .u8(20, FileType::from(entry.file_type()) as u8);
        for bytes in [&head.0[..], name] {
            let room = (len - filled) as usize;
            let part = &bytes[..bytes.len().min(room)];
            guest.put(buffer + filled, part)?;
            filled += part.len() as u32;
        }
        if filled == len {
            break;
        }
    }
    guest.put_u32(used, filled)
}

pub(in crate::wasi) fn path_create_directory(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_CREATE_DIRECTORY)?;
    let path = guest.path(path, path_len)?;
    let path = GuestPath::new(&path)?;
    let place = path.place(directory.fd.as_fd())?;
    Ok(rustix::fs::mkdirat(&place, place.name, DIRECTORY_MODE)?)
}

pub(in crate::wasi) fn path_filestat_get(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    result: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_FILESTAT_GET)?;
    let path = guest.path(path, path_len)?;
    let fd = open_to_look(&directory, &path, follows(lookup)?)?;
    FileStat::from(rustix::fs::fstat(fd)?).put(guest, result)
}

/// Opens something for no more than to look at it.
fn open_to_look(directory: &Directory, path: &str, follow: bool) -> Result<OwnedFd, Errno> {
    let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let path = GuestPath::new(path)?;
    path.open(directory.fd.as_fd(), OFlags::PATH | nofollow, Mode::empty())
}

pub(in crate::wasi) fn path_filestat_set_times(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_FILESTAT_SET_TIMES)?;
    let path = guest.path(path, path_len)?;
    let times = timestamps(atim, mtim, flags)?;
    let fd = open_to_look(&directory, &path, follows(lookup)?)?;
    let flags = AtFlags::EMPTY_PATH;
    Ok(rustix::fs::utimensat(fd, "", &times, flags)?)
}

/// The times that the host is to set.
pub(super) fn timestamps(atim: u64, mtim: u64, flags: u32) -> Result<Timestamps, Errno> {
    let flags = u16::try_from(flags).ok().filter(|flags| flags & !fstflags::ALL == 0);
    let flags = flags.ok_or(Errno::Invalid)?;
    let time = |set: u16, now: u16, time: u64| {
        let nanoseconds = |nanoseconds| Ok(Timespec { tv_sec: 0, tv_nsec: nanoseconds });
        match (flags & set != 0, flags & now != 0) {
            (true, true) => Err(Errno::Invalid),
            (false, true) => nanoseconds(UTIME_NOW),
            (false, false) => nanoseconds(UTIME_OMIT),
            (true, false) => Ok(Timespec {
                tv_sec: (time / 1_000_000_000) as i64,
                tv_nsec: (time % 1_000_000_000) as i64,
            }),
        }
    };
    Ok(Timestamps {
        last_access: time(fstflags::ATIM, fstflags::ATIM_NOW, atim)?,
        last_modification: time(fstflags::MTIM, fstflags::MTIM_NOW, mtim)?,
    })
}

pub(in crate::wasi) fn path_link(
    ctx: &mut Context,
    guest: &Guest,
    old_dir: u32,
    old_lookup: u32,
    old_path: u32,
    old_path_len: u32,
    new_dir: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let old_directory = ctx.fds.directory(old_dir, rights::PATH_LINK_SOURCE)?;
    let new_directory = ctx.fds.directory(new_dir, rights::PATH_LINK_TARGET)?;
    if follows(old_lookup)? {
        return Err(Errno::Invalid);
    }
    let (old, new) = (guest.path(old_path, old_path_len)?, guest.path(new_path, new_path_len)?);
    link(&old_directory, &old, &new_directory, &new)
}

/// Gives a file another name.
pub(in crate::wasi) fn link(
    old_directory: &Directory,
    old: &str,
    new_directory: &Directory,
    new: &str,
) -> Result<(), Errno> {
    let (old, new) = (GuestPath::new(old)?, GuestPath::new(new)?);
    if old.must_be_directory || new.must_be_directory {
        // A directory has one name; anything else has none with a slash at its end.
        let exists = old.open(old_directory.fd.as_fd(), OFlags::PATH, Mode::empty());
        return Err(exists.map_or_else(|error| error, |_| Errno::NotPermitted));
    }
    let from = old.place(old_directory.fd.as_fd())?;
    let to = new.place(new_directory.fd.as_fd())?;
    Ok(rustix::fs::linkat(&from, from.name, &to, to.name, AtFlags::empty())?)
}

pub(in crate::wasi) fn path_readlink(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    path: u32,
    path_len: u32,
    buffer: u32,
    len: u32,
    used: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_READLINK)?;
    let path = guest.path(path, path_len)?;
    guest.check(buffer, len)?;
    guest.check(used, 4)?;
    let target = readlink(&directory, &path)?;
    let target = target.as_bytes();
    let part = &target[..target.len().min(len as usize)];
    guest.put(buffer, part)?;
    guest.put_u32(used, part.len() as u32)
}

/// What a symbolic link leads to.
pub(in crate::wasi) fn readlink(directory: &Directory, path: &str) -> Result<CString, Errno> {
    let path = GuestPath::new(path)?;
    if path.must_be_directory {
        let flags = OFlags::PATH;
        path.open(directory.fd.as_fd(), flags, Mode::empty())?;
        return Err(Errno::Invalid);
    }
    let place = path.place(directory.fd.as_fd())?;
    Ok(rustix::fs::readlinkat(&place, place.name, Vec::new())?)
}

pub(in crate::wasi) fn path_symlink(
    ctx: &mut Context,
    guest: &Guest,
    target: u32,
    target_len: u32,
    dir: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_SYMLINK)?;
    let target = guest.path(target, target_len)?;
    let path = guest.path(path, path_len)?;
    symlink(&target, &directory, &path)
}

/// Makes a symbolic link.
pub(in crate::wasi) fn symlink(
    target: &str,
    directory: &Directory,
    path: &str,
) -> Result<(), Errno> {
    if target.starts_with('/') {
        return Err(Errno::NotPermitted);
    }
    let path = GuestPath::new(path)?;
    let place = path.place(directory.fd.as_fd())?;
    if path.must_be_directory {
        let exists = rustix::fs::statat(&place, place.name, AtFlags::SYMLINK_NOFOLLOW);
        return Err(exists.map_or(Errno::NoEntry, |_| Errno::Exists));
    }
    Ok(rustix::fs::symlinkat(target, &place, place.name)?)
}

pub(in crate::wasi) fn path_remove_directory(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_REMOVE_DIRECTORY)?;
    let path = guest.path(path, path_len)?;
    let path = GuestPath::new(&path)?;
    let place = path.place(directory.fd.as_fd())?;
    Ok(rustix::fs::unlinkat(&place, place.name, AtFlags::REMOVEDIR)?)
}

pub(in crate::wasi) fn path_unlink_file(
    ctx: &mut Context,
    guest: &Guest,
    dir: u32,
    path: u32,
    path_len: u32,
) -> Result<(), Errno> {
    let directory = ctx.fds.directory(dir, rights::PATH_UNLINK_FILE)?;
    let path = guest.path(path, path_len)?;
    let path = GuestPath::new(&path)?;
    let place = path.place(directory.fd.as_fd())?;
    if path.must_be_directory {
        path.open(directory.fd.as_fd(), OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        return Err(Errno::IsDirectory);
    }
    Ok(rustix::fs::unlinkat(&place, place.name, AtFlags::empty())?)
}

pub(in crate::wasi) fn path_rename(
    ctx: &mut Context,
    guest: &Guest,
    old_dir: u32,
    old_path: u32,
    old_path_len: u32,
    new_dir: u32,
    new_path: u32,
    new_path_len: u32,
) -> Result<(), Errno> {
    let old_directory = ctx.fds.directory(old_dir, rights::PATH_RENAME_SOURCE)?;
    let new_directory = ctx.fds.directory(new_dir, rights::PATH_RENAME_TARGET)?;
    let (old, new) = (guest.path(old_path, old_path_len)?, guest.path(new_path, new_path_len)?);
    rename(&old_directory, &old, &new_directory, &new)
}

/// Gives something another place.
pub(in crate::wasi) fn rename(
    old_directory: &Directory,
    old: &str,
    new_directory: &Directory,
    new: &str,
) -> Result<(), Errno> {
    let (old, new) = (GuestPath::new(old)?, GuestPath::new(new)?);
    let from = old.place(old_directory.fd.as_fd())?;
    let to = new.place(new_directory.fd.as_fd())?;
    if old.must_be_directory || new.must_be_directory {
        // Only a directory can be named with a slash at the end.
        let stat = rustix::fs::statat(&from, from.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if HostFileType::from_raw_mode(stat.st_mode) != HostFileType::Directory {
            return Err(Errno::NotDirectory);
        }
    }
    Ok(rustix::fs::renameat(&from, from.name, &to, to.name)?)
}
