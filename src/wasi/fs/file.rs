//! Functions on descriptors.

use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::PollFlags;
use rustix::fs::{Advice, FallocateFlags, OFlags, SeekFrom};

use crate::engine::without_sigpipe;
use crate::wasi::errno::Errno;
use crate::wasi::fds::{Entry, Object};
use crate::wasi::fs::dir::timestamps;
use crate::wasi::fs::stdio::written_at_once;
use crate::wasi::guest::Guest;
use crate::wasi::poll::wait_for;
use crate::wasi::types::{FileStat, FileType, Layout, fdflags, rights};
use crate::wasi::{Context, Snapshot};

/// An offset that the host can hold.
fn offset(offset: u64) -> Result<u64, Errno> {
    if i64::try_from(offset).is_ok() { Ok(offset) } else { Err(Errno::Invalid) }
}

/// The host's descriptor of a file; fails for what cannot be positioned.
fn file(entry: &Entry) -> Result<BorrowedFd<'_>, Errno> {
    match &entry.object {
        Object::Directory(_) => Err(Errno::IsDirectory),
        object => object.host_fd().ok_or(Errno::InvalidSeek),
    }
}

/// Waits until what may hold the guest up is ready, if execution may be ended meanwhile; whether
/// it is ready.
fn wait(guest: &Guest, object: &Object, wanted: PollFlags) -> Result<bool, Errno> {
    let fd = match object {
        Object::Stream(stream) if !stream.nonblocking => stream.host_fd(),
        Object::File(file) if !file.regular => Some(file.fd.as_fd()),
        _ => None,
    };
    fd.map_or(Ok(false), |fd| wait_for(guest, fd, wanted))
}

pub(in crate::wasi) fn fd_read(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    read: u32,
) -> Result<(), Errno> {
    let entry = ctx.fds.with_rights(fd, rights::FD_READ)?;
    guest.check(read, 4)?;
    let buffers = guest.buffers(buffers, count)?;
    wait(guest, &entry.object, PollFlags::IN)?;
    let len = guest.fill(&buffers, |slices| match &entry.object {
        Object::Stream(stream) => stream.read(slices),
        Object::File(file) => retry(|| rustix::io::readv(&file.fd, slices)),
        Object::Directory(_) => Err(Errno::IsDirectory),
    })?;
    guest.put_u32(read, len)
}

pub(in crate::wasi) fn fd_pread(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    at: u64,
    read: u32,
) -> Result<(), Errno> {
    let entry = ctx.fds.with_rights(fd, rights::FD_READ | rights::FD_SEEK)?;
    guest.check(read, 4)?;
    let buffers = guest.buffers(buffers, count)?;
    let (at, fd) = (offset(at)?, file(entry)?);
    let len = guest.fill(&buffers, |slices| retry(|| rustix::io::preadv(fd, slices, at)))?;
    guest.put_u32(read, len)
}

pub(in crate::wasi) fn fd_write(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    written: u32,
) -> Result<(), Errno> {
    let entry = ctx.fds.with_rights(fd, rights::FD_WRITE)?;
    guest.check(written, 4)?;
    let buffers = guest.buffers(buffers, count)?;
    let has_waited = wait(guest, &entry.object, PollFlags::OUT)?;
    let len = guest.drain(&buffers, |slices| {
        // More than is sure to fit could wait again.
        let piece = [written_at_once(slices)];
        let slices = if has_waited { &piece } else { slices };
        match &entry.object {
            Object::Stream(stream) => stream.write(slices),
            Object::File(file) => {
                let write = || retry(|| rustix::io::writev(&file.fd, slices));
                if file.regular { write() } else { without_sigpipe(write) }
            }
            Object::Directory(_) => Err(Errno::IsDirectory),
        }
    })?;
    guest.put_u32(written, len)
}

pub(in crate::wasi) fn fd_pwrite(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffers: u32,
    count: u32,
    at: u64,
    written: u32,
) -> Result<(), Errno> {
    let entry = ctx.fds.with_rights(fd, rights::FD_WRITE | rights::FD_SEEK)?;
    guest.check(written, 4)?;
    let buffers = guest.buffers(buffers, count)?;
    let (at, fd) = (offset(at)?, file(entry)?);
    let len = guest.drain(&buffers, |slices| retry(|| rustix::io::pwritev(fd, slices, at)))?;
    guest.put_u32(written, len)
}

/// Calls again what a signal has interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(Errno::from),
        }
    }
}

pub(in crate::wasi) fn fd_seek(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    delta: i64,
    whence: u32,
    position: u32,
) -> Result<(), Errno> {
    let whence = match guest.snapshot {
        Snapshot::Preview1 => whence,
        // The older numbers: where it is, the end, the start.
        Snapshot::Unstable => match whence {
            0 => 1,
            1 => 2,
            2 => 0,
            _ => return Err(Errno::Invalid),
        },
    };
    let tells = delta == 0 && whence == 1;
    let needed = if tells { rights::FD_TELL } else { rights::FD_SEEK };
    let fd = file(ctx.fds.with_rights(fd, needed)?)?;
    guest.check(position, 8)?;
    let to = match whence {
        0 => SeekFrom::Start(u64::try_from(delta).map_err(|_| Errno::Invalid)?),
        1 => SeekFrom::Current(delta),
        2 => SeekFrom::End(delta),
        _ => return Err(Errno::Invalid),
    };
    guest.put_u64(position, rustix::fs::seek(fd, to)?)
}

pub(in crate::wasi) fn fd_tell(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    position: u32,
) -> Result<(), Errno> {
    let fd = file(ctx.fds.with_rights(fd, rights::FD_TELL)?)?;
    guest.put_u64(position, rustix::fs::tell(fd)?)
}

pub(in crate::wasi) fn fd_close(ctx: &mut Context, _: &Guest, fd: u32) -> Result<(), Errno> {
    ctx.fds.remove(fd).map(drop)
}

pub(in crate::wasi) fn fd_renumber(
    ctx: &mut Context,
    _: &Guest,
    from: u32,
    to: u32,
) -> Result<(), Errno> {
    ctx.fds.renumber(from, to)
}

pub(in crate::wasi) fn fd_advise(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    at: u64,
    len: u64,
    advice: u32,
) -> Result<(), Errno> {
    let fd = file(ctx.fds.with_rights(fd, rights::FD_ADVISE)?)?;
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Invalid),
    };
    let len = std::num::NonZero::new(offset(len)?);
    Ok(rustix::fs::fadvise(fd, offset(at)?, len, advice)?)
}

pub(in crate::wasi) fn fd_allocate(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    at: u64,
    len: u64,
) -> Result<(), Errno> {
    let fd = file(ctx.fds.with_rights(fd, rights::FD_ALLOCATE)?)?;
    Ok(rustix::fs::fallocate(fd, FallocateFlags::empty(), offset(at)?, offset(len)?)?)
}

pub(in crate::wasi) fn fd_datasync(ctx: &mut Context, _: &Guest, fd: u32) -> Result<(), Errno> {
    match ctx.fds.with_rights(fd, rights::FD_DATASYNC)?.object.host_fd() {
        Some(fd) => Ok(rustix::fs::fdatasync(fd)?),
        None => Ok(()),
    }
}

pub(in crate::wasi) fn fd_sync(ctx: &mut Context, _: &Guest, fd: u32) -> Result<(), Errno> {
    match ctx.fds.with_rights(fd, rights::FD_SYNC)?.object.host_fd() {
        Some(fd) => Ok(rustix::fs::fsync(fd)?),
        None => Ok(()),
    }
}

/// What is known of the file behind a descriptor.
fn stat(object: &Object) -> Result<FileStat, Errno> {
    match object.host_fd() {
        Some(fd) => Ok(rustix::fs::fstat(fd)?.into()),
        None => Ok(FileStat::stream()),
    }
}

pub(in crate::wasi) fn fd_fdstat_get(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    result: u32,
) -> Result<(), Errno> {
    let entry = ctx.fds.get(fd)?;
    let filetype = stat(&entry.object)?.filetype;
    let mut flags = match entry.object.host_fd() {
        Some(fd) => wasi_flags(rustix::fs::fcntl_getfl(fd)?),
        None => 0,
    };
    if let Object::Stream(stream) = &entry.object {
        flags &= !fdflags::NONBLOCK;
        flags |= if stream.nonblocking { fdflags::NONBLOCK } else { 0 };
    }
    let mut granted = entry.rights;
    // The C library takes a character device that cannot seek for a terminal.
    let seeks = match filetype {
        FileType::RegularFile => true,
        FileType::CharacterDevice => !entry.object.host_fd().is_some_and(|fd| fd.is_terminal()),
        _ => false,
    };
    if !seeks {
        granted &= !(rights::FD_SEEK | rights::FD_TELL);
    }
    let layout = Layout::<24>::new()
        .u8(0, filetype as u8)
        .u16(2, flags)
        .u64(8, granted)
        .u64(16, entry.inheriting);
    guest.put(result, &layout.0)
}

/// The flags of WASI for those of the host.
pub(in crate::wasi) fn wasi_flags(flags: OFlags) -> u16 {
    let pairs = [
        (OFlags::APPEND, fdflags::APPEND),
        (OFlags::NONBLOCK, fdflags::NONBLOCK),
        // O_SYNC contains O_DSYNC, and Linux has no O_RSYNC of its own.
        (OFlags::SYNC, fdflags::SYNC | fdflags::RSYNC),
        (OFlags::DSYNC, fdflags::DSYNC),
    ];
    pairs.into_iter().filter(|(host, _)| flags.contains(*host)).fold(0, |all, (_, wasi)| all | wasi)
}

/// The flags of the host for those of WASI.
pub(super) fn host_flags(flags: u16) -> OFlags {
    let pairs = [
        (fdflags::APPEND, OFlags::APPEND),
        (fdflags::NONBLOCK, OFlags::NONBLOCK),
        (fdflags::DSYNC, OFlags::DSYNC),
        (fdflags::SYNC | fdflags::RSYNC, OFlags::SYNC),
    ];
    let set = pairs.into_iter().filter(|(wasi, _)| flags & wasi != 0);
    set.fold(OFlags::empty(), |all, (_, host)| all | host)
}

pub(in crate::wasi) fn fd_fdstat_set_flags(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    flags: u32,
) -> Result<(), Errno> {
    ctx.fds.with_rights(fd, rights::FD_FDSTAT_SET_FLAGS)?;
    let flags = u16::try_from(flags).map_err(|_| Errno::Invalid)?;
    if flags & !fdflags::ALL != 0 {
        return Err(Errno::Invalid);
    }
    let entry = ctx.fds.get_mut(fd)?;
    let new = host_flags(flags);
    let old = match entry.object.host_fd() {
        Some(fd) => rustix::fs::fcntl_getfl(fd)?,
        None => OFlags::empty(),
    };
    let changeable = match &mut entry.object {
        // Of what the host has, only what is the guest's alone changes.
        Object::Stream(stream) => {
            let fixed = OFlags::APPEND | OFlags::SYNC | OFlags::DSYNC;
            if !(old ^ new).intersection(fixed).is_empty() {
                return Err(Errno::NotSupported);
            }
            stream.nonblocking = new.contains(OFlags::NONBLOCK);
            return Ok(());
        }
        Object::File(_) | Object::Directory(_) => OFlags::APPEND | OFlags::NONBLOCK,
    };
    // Whether writes are synchronous is decided when a file is opened.
    if !(old ^ new).intersection(OFlags::SYNC | OFlags::DSYNC).is_empty() {
        return Err(Errno::NotSupported);
    }
    let fd = entry.object.host_fd().ok_or(Errno::BadFd)?;
    Ok(rustix::fs::fcntl_setfl(fd, (old - changeable) | (new & changeable))?)
}

pub(in crate::wasi) fn fd_fdstat_set_rights(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Result<(), Errno> {
    let entry = ctx.fds.get_mut(fd)?;
    if base & !entry.rights != 0 || inheriting & !entry.inheriting != 0 {
        return Err(Errno::NotCapable);
    }
    entry.rights = base;
    entry.inheriting = inheriting;
    Ok(())
}

pub(in crate::wasi) fn fd_filestat_get(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    result: u32,
) -> Result<(), Errno> {
    let stat = stat(&ctx.fds.with_rights(fd, rights::FD_FILESTAT_GET)?.object)?;
    stat.put(guest, result)
}

pub(in crate::wasi) fn fd_filestat_set_size(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    size: u64,
) -> Result<(), Errno> {
    let fd = file(ctx.fds.with_rights(fd, rights::FD_FILESTAT_SET_SIZE)?)?;
    Ok(rustix::fs::ftruncate(fd, offset(size)?)?)
}

pub(in crate::wasi) fn fd_filestat_set_times(
    ctx: &mut Context,
    _: &Guest,
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Result<(), Errno> {
    let entry = ctx.fds.with_rights(fd, rights::FD_FILESTAT_SET_TIMES)?;
    let times = timestamps(atim, mtim, flags)?;
    let fd = entry.object.host_fd().ok_or(Errno::BadFd)?;
    Ok(rustix::fs::futimens(fd, &times)?)
}

pub(in crate::wasi) fn fd_prestat_get(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    result: u32,
) -> Result<(), Errno> {
    let len = preopened_as(ctx, fd)?.len() as u32;
    guest.put(result, &Layout::<8>::new().u32(4, len).0)
}

pub(in crate::wasi) fn fd_prestat_dir_name(
    ctx: &mut Context,
    guest: &Guest,
    fd: u32,
    buffer: u32,
    len: u32,
) -> Result<(), Errno> {
    let name = preopened_as(ctx, fd)?;
    if (len as usize) < name.len() {
        return Err(Errno::NameTooLong);
    }
    guest.put(buffer, name.as_bytes())
}

fn preopened_as(ctx: &Context, fd: u32) -> Result<&str, Errno> {
    match &ctx.fds.get(fd)?.object {
        Object::Directory(directory) => directory.preopened_as.as_deref().ok_or(Errno::BadFd),
        _ => Err(Errno::BadFd),
    }
}
