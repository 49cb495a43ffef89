//! The guest's descriptors.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use super::errno::Errno;
use super::fs::stdio::Stream;
use super::sock::Socket;

/// Descriptors that a guest can have at a time.
pub(super) const MAX_FDS: usize = 1024;

/// The guest's descriptors: the lowest free number is given out first.
#[derive(Default)]
pub(super) struct Fds {
    entries: Vec<Option<Entry>>,
}

/// What a descriptor is, and what it may be used for. A second entry for the same thing is a clone.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) object: Object,
    /// What this descriptor may be used for.
    pub(super) rights: u64,
    /// What descriptors that are opened through it may be used for.
    pub(super) inheriting: u64,
}

/// What a descriptor stands for.
#[derive(Clone)]
pub(super) enum Object {
    /// A standard stream.
    Stream(Rc<Stream>),
    /// A file, or whatever else has been opened that is no directory.
    File(Rc<File>),
    /// A directory.
    Directory(Rc<Directory>),
    /// A socket.
    Socket(Rc<Socket>),
}

/// What has been opened and is no directory.
pub(super) struct File {
    pub(super) fd: OwnedFd,
    /// Whether it is a regular file; writing to others may raise a signal.
    pub(super) regular: bool,
}

/// A directory.
pub(super) struct Directory {
    pub(super) fd: OwnedFd,
    /// The name under which it was there from the start, if it was.
    pub(super) preopened_as: Option<String>,
}

impl Object {
    /// The descriptor of the host behind it, if there is one.
    pub(super) fn host_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Object::Stream(stream) => stream.host_fd(),
            Object::File(file) => Some(file.fd.as_fd()),
            Object::Directory(directory) => Some(directory.fd.as_fd()),
            Object::Socket(socket) => Some(socket.as_fd()),
        }
    }
}

impl Fds {
    /// The number that the next descriptor gets.
    pub(super) fn next(&self) -> Result<usize, Errno> {
        self.next_from(0)
    }

    /// The lowest free number that is at least `least`.
    fn next_from(&self, least: usize) -> Result<usize, Errno> {
        let free = self.entries.iter().skip(least).position(Option::is_none);
        let number = free.map_or(self.entries.len().max(least), |free| least + free);
        if number < MAX_FDS { Ok(number) } else { Err(Errno::TooManyFiles) }
    }

    /// Adds a descriptor; its number.
    pub(super) fn add(&mut self, entry: Entry) -> Result<u32, Errno> {
        self.add_from(0, entry)
    }

    /// Adds a descriptor; its number, the lowest free one that is at least `least`.
    pub(super) fn add_from(&mut self, least: u32, entry: Entry) -> Result<u32, Errno> {
        let number = self.next_from(least as usize)? as u32;
        self.put(number, entry)?;
        Ok(number)
    }

    /// Adds a descriptor with this number; the one that has had it is closed.
    pub(super) fn put(&mut self, number: u32, entry: Entry) -> Result<(), Errno> {
        let number = number as usize;
        if number >= MAX_FDS {
            return Err(Errno::BadFd);
        }
        if number >= self.entries.len() {
            self.entries.resize_with(number + 1, || None);
        }
        self.entries[number] = Some(entry);
        Ok(())
    }

    /// All descriptors with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let numbered = self.entries.iter().enumerate();
        numbered.filter_map(|(number, entry)| Some((number as u32, entry.as_ref()?)))
    }

    /// The directories that were there from the start, with their names.
    pub(super) fn preopened(&self) -> impl Iterator<Item = (&str, &Rc<Directory>)> {
        self.entries.iter().flatten().filter_map(|entry| match &entry.object {
            Object::Directory(directory) => Some((directory.preopened_as.as_deref()?, directory)),
            _ => None,
        })
    }

    /// The entry of a descriptor.
    pub(super) fn get(&self, fd: u32) -> Result<&Entry, Errno> {
        self.entries.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::BadFd)
    }

    /// The entry of a descriptor, to change.
    pub(super) fn get_mut(&mut self, fd: u32) -> Result<&mut Entry, Errno> {
        self.entries.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::BadFd)
    }

    /// The entry of a descriptor that has all of these rights.
    pub(super) fn with_rights(&self, fd: u32, rights: u64) -> Result<&Entry, Errno> {
        let entry = self.get(fd)?;
        if entry.rights & rights == rights { Ok(entry) } else { Err(Errno::NotCapable) }
    }

    /// The directory that a descriptor with these rights stands for.
    pub(super) fn directory(&self, fd: u32, rights: u64) -> Result<Rc<Directory>, Errno> {
        match &self.get(fd)?.object {
            Object::Directory(directory) => {
                let directory = directory.clone();
                self.with_rights(fd, rights).map(|_| directory)
            }
            _ => Err(Errno::NotDirectory),
        }
    }

    /// Removes a descriptor.
    pub(super) fn remove(&mut self, fd: u32) -> Result<Entry, Errno> {
        self.entries.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::BadFd)
    }

    /// Moves a descriptor to the number of another one, which is closed.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            self.entries[to as usize] = self.entries[from as usize].take();
        }
        Ok(())
    }
}
