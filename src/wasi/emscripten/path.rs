//! Functions on paths: where a path leads from the current directory, through the grants.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};

use super::call::Sys;
use super::file::flags;
use crate::wasi::errno::Errno;
use crate::wasi::fds::{Directory, Entry, Object};
use crate::wasi::fs::dir;
use crate::wasi::fs::path::GuestPath;
use crate::wasi::fs::stdio::Stream;
use crate::wasi::types::{oflags, rights};

/// The descriptor that stands for the current directory.
pub(super) const AT_FDCWD: i32 = -100;

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_REMOVEDIR: u32 = 0x200;
const AT_EMPTY_PATH: u32 = 0x1000;

/// What a check of access asks for.
const R_OK: u32 = 4;
const W_OK: u32 = 2;
const X_OK: u32 = 1;

/// Where a path leads: a descriptor of a directory, and the way from there.
struct Way {
    dir: u32,
    path: String,
}

/// The simplest form of a path, from `base` unless it is absolute: without `.`, `..` and doubled
/// slashes. A slash at the end stays.
fn absolute(base: &str, path: &str) -> String {
    let from = if path.starts_with('/') { "" } else { base };
    let mut components = Vec::new();
    for component in from.split('/').chain(path.split('/')) {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    let slash = if path.ends_with('/') && !components.is_empty() { "/" } else { "" };
    format!("/{}{slash}", components.join("/"))
}

/// What of a path is below a directory, if it is; both are in their simplest form.
fn below<'p>(dir: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

impl Sys<'_> {
    fn cwd(&self) -> String {
        self.state.cwd.borrow().clone()
    }

    /// Where a path leads: from a directory, or through the grant whose name is the longest that
    /// the path begins with.
    fn way(&self, dir: i32, path: &str) -> Result<Way, Errno> {
        if path.is_empty() {
            return Err(Errno::NoEntry);
        }
        if dir != AT_FDCWD && !path.starts_with('/') {
            let dir = u32::try_from(dir).map_err(|_| Errno::BadFd)?;
            return Ok(Way { dir, path: path.to_owned() });
        }
        let path = absolute(&self.cwd(), path);
        let grants = self.ctx.fds.numbered().filter_map(|(number, entry)| {
            let Object::Directory(directory) = &entry.object else { return None };
            let name = absolute("/", directory.preopened_as.as_deref()?);
            Some((name.len(), number, below(&name, &path)?))
        });
        let (_, dir, rest) = grants.max_by_key(|(len, ..)| *len).ok_or(Errno::NoEntry)?;
        Ok(Way { dir, path: if rest.is_empty() { ".".to_owned() } else { rest.to_owned() } })
    }

    /// The directory from which a path leads on, which has these rights, and the path from there.
    fn directory(
        &self,
        dir: i32,
        path: &str,
        rights: u64,
    ) -> Result<(Rc<Directory>, String), Errno> {
        let way = self.way(dir, path)?;
        Ok((self.ctx.fds.directory(way.dir, rights)?, way.path))
    }

    /// Opens what a path leads to, for no more than to look at it.
    fn look(&self, dir: i32, path: &str, follow: bool, rights: u64) -> Result<OwnedFd, Errno> {
        let (directory, path) = self.directory(dir, path, rights)?;
        let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        let path = GuestPath::new(&path)?;
        path.open(directory.fd.as_fd(), OFlags::PATH | nofollow, Mode::empty())
    }

    /// Opens what is not in any grant: the guest's own streams, and the one that is empty.
    fn device(&mut self, path: &str) -> Option<Result<i32, Errno>> {
        let stream = match path {
            "/dev/stdin" => 0,
            "/dev/stdout" => 1,
            "/dev/stderr" => 2,
            "/dev/null" => {
                let object = Object::Stream(Rc::new(Stream::null()));
                let entry = Entry { object, rights: rights::STREAM, inheriting: 0 };
                return Some(self.ctx.fds.add(entry).map(|fd| fd as i32));
            }
            _ => return None,
        };
        Some(super::file::__syscall_dup(self, stream))
    }
}

pub(super) fn __syscall_openat(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    how: u32,
    _mode: u32,
) -> Result<i32, Errno> {
    let path = sys.path(path)?;
    let way = match sys.way(dir, &path) {
        Ok(way) => way,
        Err(Errno::NoEntry) => {
            let path = absolute(&sys.cwd(), &path);
            return sys.device(&path).unwrap_or(Err(Errno::NoEntry));
        }
        Err(error) => return Err(error),
    };
    let writing = rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE;
    let base = (rights::FILE | rights::DIRECTORY)
        & match how & flags::ACCESS {
            flags::WRITE_ONLY => !(rights::FD_READ | rights::FD_READDIR),
            flags::READ_WRITE => !0,
            _ => !writing,
        };
    let pairs = [
        (flags::CREATE, oflags::CREAT),
        (flags::EXCLUSIVE, oflags::EXCL),
        (flags::TRUNCATE, oflags::TRUNC),
        (flags::DIRECTORY, oflags::DIRECTORY),
    ];
    let opening = dir::Opening {
        follow: how & flags::NO_FOLLOW == 0,
        open: pairs.into_iter().filter(|pair| how & pair.0 != 0).fold(0, |all, pair| all | pair.1),
        base,
        inheriting: rights::FILE | rights::DIRECTORY,
        fd_flags: flags::to_wasi(how),
    };
    let fd = dir::open(sys.ctx, way.dir, &way.path, &opening)?;
    Ok(fd as i32)
}

pub(super) fn __syscall_open(sys: &mut Sys, path: u32, how: u32, args: u32) -> Result<i32, Errno> {
    __syscall_openat(sys, AT_FDCWD, path, how, args)
}

pub(super) fn __syscall_mkdirat(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    _mode: u32,
) -> Result<i32, Errno> {
    let path = sys.path(path)?;
    let (directory, path) = sys.directory(dir, &path, rights::PATH_CREATE_DIRECTORY)?;
    let path = GuestPath::new(&path)?;
    let place = path.place(directory.fd.as_fd())?;
    rustix::fs::mkdirat(&place, place.name, dir::DIRECTORY_MODE)?;
    Ok(0)
}

pub(super) fn __syscall_mkdir(sys: &mut Sys, path: u32, mode: u32) -> Result<i32, Errno> {
    __syscall_mkdirat(sys, AT_FDCWD, path, mode)
}

pub(super) fn __syscall_unlinkat(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    how: u32,
) -> Result<i32, Errno> {
    let (right, flags) = match how {
        0 => (rights::PATH_UNLINK_FILE, AtFlags::empty()),
        AT_REMOVEDIR => (rights::PATH_REMOVE_DIRECTORY, AtFlags::REMOVEDIR),
        _ => return Err(Errno::Invalid),
    };
    let path = sys.path(path)?;
    let (directory, path) = sys.directory(dir, &path, right)?;
    let path = GuestPath::new(&path)?;
    let place = path.place(directory.fd.as_fd())?;
    if path.must_be_directory && how == 0 {
        path.open(directory.fd.as_fd(), OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())?;
        return Err(Errno::IsDirectory);
    }
    rustix::fs::unlinkat(&place, place.name, flags)?;
    Ok(0)
}

pub(super) fn __syscall_unlink(sys: &mut Sys, path: u32) -> Result<i32, Errno> {
    __syscall_unlinkat(sys, AT_FDCWD, path, 0)
}

pub(super) fn __syscall_rmdir(sys: &mut Sys, path: u32) -> Result<i32, Errno> {
    __syscall_unlinkat(sys, AT_FDCWD, path, AT_REMOVEDIR)
}

pub(super) fn __syscall_renameat(
    sys: &mut Sys,
    old_dir: i32,
    old: u32,
    new_dir: i32,
    new: u32,
) -> Result<i32, Errno> {
    let (old, new) = (sys.path(old)?, sys.path(new)?);
    let (old_directory, old) = sys.directory(old_dir, &old, rights::PATH_RENAME_SOURCE)?;
    let (new_directory, new) = sys.directory(new_dir, &new, rights::PATH_RENAME_TARGET)?;
    dir::rename(&old_directory, &old, &new_directory, &new)?;
    Ok(0)
}

pub(super) fn __syscall_rename(sys: &mut Sys, old: u32, new: u32) -> Result<i32, Errno> {
    __syscall_renameat(sys, AT_FDCWD, old, AT_FDCWD, new)
}

pub(super) fn __syscall_linkat(
    sys: &mut Sys,
    old_dir: i32,
    old: u32,
    new_dir: i32,
    new: u32,
    how: u32,
) -> Result<i32, Errno> {
    if how != 0 {
        return Err(Errno::Invalid);
    }
    let (old, new) = (sys.path(old)?, sys.path(new)?);
    let (old_directory, old) = sys.directory(old_dir, &old, rights::PATH_LINK_SOURCE)?;
    let (new_directory, new) = sys.directory(new_dir, &new, rights::PATH_LINK_TARGET)?;
    dir::link(&old_directory, &old, &new_directory, &new)?;
    Ok(0)
}

pub(super) fn __syscall_symlinkat(
    sys: &mut Sys,
    target: u32,
    dir: i32,
    path: u32,
) -> Result<i32, Errno> {
    let (target, path) = (sys.path(target)?, sys.path(path)?);
    let (directory, path) = sys.directory(dir, &path, rights::PATH_SYMLINK)?;
    dir::symlink(&target, &directory, &path)?;
    Ok(0)
}

pub(super) fn __syscall_symlink(sys: &mut Sys, target: u32, path: u32) -> Result<i32, Errno> {
    __syscall_symlinkat(sys, target, AT_FDCWD, path)
}

pub(super) fn __syscall_readlinkat(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    buffer: u32,
    len: u32,
) -> Result<i32, Errno> {
    if len == 0 || i32::try_from(len).is_err() {
        return Err(Errno::Invalid);
    }
    let path = sys.path(path)?;
    sys.guest.check(buffer, len)?;
    let (directory, path) = sys.directory(dir, &path, rights::PATH_READLINK)?;
    let target = dir::readlink(&directory, &path)?;
    let target = target.as_bytes();
    let part = &target[..target.len().min(len as usize)];
    sys.guest.put(buffer, part)?;
    Ok(part.len() as i32)
}

pub(super) fn __syscall_readlink(
    sys: &mut Sys,
    path: u32,
    buffer: u32,
    len: u32,
) -> Result<i32, Errno> {
    __syscall_readlinkat(sys, AT_FDCWD, path, buffer, len)
}

/// What is there may be read, and executed or searched; written to where the grant says so.
pub(super) fn __syscall_faccessat(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    wanted: u32,
    _flags: u32,
) -> Result<i32, Errno> {
    if wanted & !(R_OK | W_OK | X_OK) != 0 {
        return Err(Errno::Invalid);
    }
    let path = sys.path(path)?;
    let fd = sys.look(dir, &path, true, rights::PATH_FILESTAT_GET)?;
    let way = sys.way(dir, &path)?;
    let granted = sys.ctx.fds.get(way.dir)?.inheriting;
    let mode = rustix::fs::fstat(fd)?.st_mode;
    let allows = |wanted_bit, mode_bits| wanted & wanted_bit == 0 || mode & mode_bits != 0;
    let writes = wanted & W_OK == 0 || granted & rights::FD_WRITE != 0;
    let is_directory = FileType::from_raw_mode(mode) == FileType::Directory;
    if writes && allows(R_OK, 0o444) && allows(W_OK, 0o222) && (is_directory || allows(X_OK, 0o111))
    {
        Ok(0)
    } else {
        Err(Errno::Access)
    }
}

pub(super) fn __syscall_access(sys: &mut Sys, path: u32, wanted: u32) -> Result<i32, Errno> {
    __syscall_faccessat(sys, AT_FDCWD, path, wanted, 0)
}

pub(super) fn __syscall_fstatat64(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    result: u32,
    how: u32,
) -> Result<i32, Errno> {
    if how & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::Invalid);
    }
    let path = sys.path(path)?;
    if path.is_empty() && how & AT_EMPTY_PATH != 0 && dir != AT_FDCWD {
        return super::file::__syscall_fstat64(sys, dir.cast_unsigned(), result);
    }
    let follow = how & AT_SYMLINK_NOFOLLOW == 0;
    let fd = sys.look(dir, &path, follow, rights::PATH_FILESTAT_GET)?;
    let stat = rustix::fs::fstat(fd)?;
    sys.state.stat_layout.put(sys.guest, result, &stat)
}

pub(super) fn __syscall_stat64(sys: &mut Sys, path: u32, result: u32) -> Result<i32, Errno> {
    __syscall_fstatat64(sys, AT_FDCWD, path, result, 0)
}

pub(super) fn __syscall_lstat64(sys: &mut Sys, path: u32, result: u32) -> Result<i32, Errno> {
    __syscall_fstatat64(sys, AT_FDCWD, path, result, AT_SYMLINK_NOFOLLOW)
}

pub(super) fn __syscall_truncate64(sys: &mut Sys, path: u32, len: u64) -> Result<i32, Errno> {
    let fd = __syscall_open(sys, path, flags::WRITE_ONLY, 0)?.cast_unsigned();
    let truncated = super::file::__syscall_ftruncate64(sys, fd, len);
    sys.ctx.fds.remove(fd)?;
    truncated
}

pub(super) fn __syscall_utimensat(
    sys: &mut Sys,
    dir: i32,
    path: u32,
    times: u32,
    how: u32,
) -> Result<i32, Errno> {
    if how & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::Invalid);
    }
    let times = timestamps(sys, times)?;
    // A descriptor without a path means its file.
    if path == 0 {
        let fd = u32::try_from(dir).map_err(|_| Errno::Fault)?;
        let entry = sys.ctx.fds.with_rights(fd, rights::FD_FILESTAT_SET_TIMES)?;
        rustix::fs::futimens(entry.object.host_fd().ok_or(Errno::BadFd)?, &times)?;
        return Ok(0);
    }
    let path = sys.path(path)?;
    let follow = how & AT_SYMLINK_NOFOLLOW == 0;
    let fd = sys.look(dir, &path, follow, rights::PATH_FILESTAT_SET_TIMES)?;
    rustix::fs::utimensat(fd, "", &times, AtFlags::EMPTY_PATH)?;
    Ok(0)
}

/// The times at an address, now if there is none.
fn timestamps(sys: &Sys, times: u32) -> Result<Timestamps, Errno> {
    if times == 0 {
        let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        return Ok(Timestamps { last_access: now, last_modification: now });
    }
    let layout = sys.state.stat_layout;
    let second = times.checked_add(layout.timespec_size()).ok_or(Errno::Fault)?;
    Ok(Timestamps {
        last_access: layout.timespec(sys.guest, times)?,
        last_modification: layout.timespec(sys.guest, second)?,
    })
}

pub(super) fn __syscall_getcwd(sys: &mut Sys, buffer: u32, size: u32) -> Result<i32, Errno> {
    let mut cwd = sys.cwd().into_bytes();
    cwd.push(0);
    if size == 0 {
        return Err(Errno::Invalid);
    }
    if (size as usize) < cwd.len() {
        return Err(Errno::Range);
    }
    sys.guest.put(buffer, &cwd)?;
    // Newer releases take the length for the result, older ones the address; both test its sign.
    Ok(cwd.len() as i32)
}

pub(super) fn __syscall_chdir(sys: &mut Sys, path: u32) -> Result<i32, Errno> {
    let path = sys.path(path)?;
    let target = absolute(&sys.cwd(), &path);
    let target = if target == "/" { target } else { target.trim_end_matches('/').to_owned() };
    // The root is there even if nobody has granted it.
    if path.is_empty() || target != "/" {
        let fd = sys.look(AT_FDCWD, &path, true, rights::PATH_OPEN)?;
        enter(&fd)?;
    }
    sys.state.cwd.replace(target);
    Ok(0)
}

/// Only a grant has a name that the current directory can take.
pub(super) fn __syscall_fchdir(sys: &mut Sys, fd: u32) -> Result<i32, Errno> {
    let directory = sys.ctx.fds.directory(fd, rights::PATH_OPEN)?;
    let name = directory.preopened_as.as_deref().ok_or(Errno::NotSupported)?;
    sys.state.cwd.replace(absolute("/", name));
    Ok(0)
}

fn enter(fd: &OwnedFd) -> Result<(), Errno> {
    match FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) {
        FileType::Directory => Ok(()),
        _ => Err(Errno::NotDirectory),
    }
}

/// Fails for a file that is there: modes and owners are the host's.
pub(super) fn refuse(sys: &mut Sys, dir: i32, path: u32) -> Result<i32, Errno> {
    let path = sys.path(path)?;
    sys.look(dir, &path, true, rights::PATH_FILESTAT_GET)?;
    Err(Errno::NotPermitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasi::types::fdflags;

    #[test]
    fn paths_have_one_form() {
        assert_eq!(absolute("/", ""), "/");
        assert_eq!(absolute("/a/b", "c"), "/a/b/c");
        assert_eq!(absolute("/a/b", "../c/./d//e/"), "/a/c/d/e/");
        assert_eq!(absolute("/a", "/../../b"), "/b");
        assert_eq!(absolute("/a", ".."), "/");
        assert_eq!(absolute("/", "."), "/");
    }

    #[test]
    fn a_grant_is_a_whole_component() {
        assert_eq!(below("/", "/a/b"), Some("a/b"));
        assert_eq!(below("/", "/"), Some(""));
        assert_eq!(below("/a", "/a"), Some(""));
        assert_eq!(below("/a", "/a/b/"), Some("b/"));
        assert_eq!(below("/a", "/ab"), None);
    }

    #[test]
    fn flags_of_files_are_those_of_wasi() {
        assert_eq!(flags::to_wasi(flags::APPEND | flags::CREATE), fdflags::APPEND);
        assert_eq!(flags::from_wasi(fdflags::NONBLOCK), flags::NONBLOCK);
    }
}
