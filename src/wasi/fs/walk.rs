//! Paths resolved one component at a time, for systems whose `openat2` is missing or forbidden.
//!
//! No component is ever followed by the system: each is opened as it is, links are read and taken
//! apart here, and `..` leads back to the directory that the walk came through, whose descriptor is
//! held. What somebody renames meanwhile can change what is found beneath the first directory, but
//! cannot lead out of it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

/// Links that one path may lead through, as on Linux.
const MAX_LINKS: usize = 40;

/// Directories that one path may lead down through; the descriptor of each is held meanwhile.
const MAX_DEPTH: usize = 256;

/// To look at a file of any kind without following it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Where a walk is.
struct Walk<'a> {
    /// What it began with, and never leaves.
    root: BorrowedFd<'a>,
    /// The directories that lead from there to where it is.
    passed: Vec<OwnedFd>,
    /// The components still to come, the next one last.
    pending: Vec<Vec<u8>>,
    /// The links followed.
    links: usize,
}

/// Opens what a path below `root` leads to, as `openat2` does with `RESOLVE_BENEATH`: `XDEV` when
/// it leads out. The path is relative, and has no slash at its end.
pub(super) fn open(
    root: BorrowedFd,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let mut walk = Walk { root, passed: Vec::new(), pending: Vec::new(), links: 0 };
    walk.push(path.as_bytes());
    while let Some(name) = walk.pending.pop() {
        if name == b".." {
            walk.passed.pop().ok_or(Errno::XDEV)?;
        } else if name == b"." {
            continue;
        } else if !walk.pending.is_empty() {
            walk.step(&name)?;
        } else if let Some(opened) = walk.last(&name, flags, mode)? {
            return Ok(opened);
        }
    }
    // The path ends where the walk is: at a directory that has no name to open it by.
    openat(walk.here(), c".", flags, mode)
}

impl Walk<'_> {
    fn here(&self) -> BorrowedFd<'_> {
        self.passed.last().map_or(self.root, AsFd::as_fd)
    }

    /// Puts the components of a path before those still to come. A slash at its end stands for
    /// the directory itself.
    fn push(&mut self, path: &[u8]) {
        if path.ends_with(b"/") {
            self.pending.push(b".".to_vec());
        }
        let components = path.split(|byte| *byte == b'/').rev().filter(|name| !name.is_empty());
        self.pending.extend(components.map(<[u8]>::to_vec));
    }

    /// Goes on to a directory, or to where a link leads.
    fn step(&mut self, name: &[u8]) -> Result<(), Errno> {
        let fd = openat(self.here(), name, LOOK, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
            FileType::Symlink => self.follow(&fd),
            FileType::Directory if self.passed.len() == MAX_DEPTH => Err(Errno::NAMETOOLONG),
            FileType::Directory => {
                self.passed.push(fd);
                Ok(())
            }
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Opens the last component; none if it is a link that has to be followed.
    fn last(&mut self, name: &[u8], flags: OFlags, mode: Mode) -> Result<Option<OwnedFd>, Errno> {
        let creates_new = flags.contains(OFlags::CREATE | OFlags::EXCL);
        if !creates_new && !flags.contains(OFlags::NOFOLLOW) {
            match openat(self.here(), name, LOOK, Mode::empty()) {
                Ok(fd) if FileType::from_raw_mode(fstat(&fd)?.st_mode) == FileType::Symlink => {
                    self.follow(&fd)?;
                    return Ok(None);
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
        }
        // Should somebody put a link here after the look at it, this fails.
        openat(self.here(), name, flags | OFlags::NOFOLLOW, mode).map(Some)
    }

    /// Goes on with the target of a link.
    fn follow(&mut self, link: &OwnedFd) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(link, c"", Vec::new())?;
        let target = target.as_bytes();
        if target.starts_with(b"/") {
            return Err(Errno::XDEV);
        }
        self.push(target);
        Ok(())
    }
}
