//! Paths: where a guest's path leads, and never out of its directory.
//!
//! The kernel resolves them, told not to leave the directory (`RESOLVE_BENEATH`) and not to follow
//! links that are none (`RESOLVE_NO_MAGICLINKS`). Calls that have no such form work on the last
//! component in its parent, which is opened that way, and follow nothing. A slash at the end never
//! reaches the kernel: it would make even calls that follow nothing follow the last link. Where the
//! kernel has no such resolution, [`walk`] resolves paths.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno as HostErrno;

use super::walk;
use crate::wasi::errno::Errno;

/// A path of a guest's, taken apart.
pub(in crate::wasi) struct GuestPath<'a> {
    /// Without slashes at the end.
    whole: &'a str,
    /// Whether there were slashes at the end.
    pub(in crate::wasi) must_be_directory: bool,
}

/// The last component of a path and the directory that it is in.
pub(in crate::wasi) struct Place<'a> {
    parent: Parent<'a>,
    /// The component.
    pub(in crate::wasi) name: &'a str,
}

enum Parent<'a> {
    Opened(OwnedFd),
    Given(BorrowedFd<'a>),
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.parent {
            Parent::Opened(fd) => fd.as_fd(),
            Parent::Given(fd) => fd.as_fd(),
        }
    }
}

impl<'a> GuestPath<'a> {
    pub(in crate::wasi) fn new(path: &'a str) -> Result<GuestPath<'a>, Errno> {
        if path.is_empty() {
            return Err(Errno::NoEntry);
        }
        if path.starts_with('/') {
            return Err(Errno::NotPermitted);
        }
        let whole = path.trim_end_matches('/');
        Ok(GuestPath { whole, must_be_directory: whole.len() < path.len() })
    }

    /// Opens what the path leads to.
    pub(in crate::wasi) fn open(
        &self,
        dir: BorrowedFd,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd, Errno> {
        let directory = if self.must_be_directory { OFlags::DIRECTORY } else { OFlags::empty() };
        open_beneath(dir, self.whole, flags | directory, mode)
    }

    /// The path's last component in its parent, for calls that follow no link.
    pub(in crate::wasi) fn place(&self, dir: BorrowedFd<'a>) -> Result<Place<'a>, Errno> {
        let (parent, name) = match self.whole.rsplit_once('/') {
            Some((parent, name)) => (parent.trim_end_matches('/'), name),
            None => ("", self.whole),
        };
        // These have no name in a directory that is surely beneath.
        if name == ".." {
            open_beneath(dir, self.whole, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
            return Err(Errno::Invalid);
        }
        let parent = match parent {
            "" => Parent::Given(dir),
            parent => {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                Parent::Opened(open_beneath(dir, parent, flags, Mode::empty())?)
            }
        };
        Ok(Place { parent, name })
    }
}

/// How often the kernel is asked again when somebody renames directories meanwhile.
const MAX_RETRIES: u32 = 16;

fn open_beneath(dir: BorrowedFd, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..MAX_RETRIES {
        match openat2(dir, path, flags, mode, resolve) {
            Ok(fd) => return Ok(fd),
            Err(HostErrno::AGAIN | HostErrno::INTR) => {}
            // An old kernel; or a filter on system calls, most of which say PERM. If it is the
            // file's, the walk meets it again.
            Err(HostErrno::NOSYS | HostErrno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(walk::open(dir, path, flags, mode)?)
}
