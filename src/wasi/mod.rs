//! WASI preview 1, over the engine's public API and nothing else. May use: engine.
//!
//! A guest gets what its [`Config`] gives and nothing more: no directory, no environment, no
//! network by default. Every address and length of its is checked at one place ([`guest`]); what
//! is wrong with a call is an errno, never a trap.

#![forbid(unsafe_code)]
#![allow(clippy::too_many_arguments, reason = "the functions have the parameters of WASI's")]

mod args;
mod clock;
pub mod emscripten;
mod errno;
mod fds;
mod fs;
mod functions;
mod guest;
mod poll;
mod proc;
mod random;
mod sock;
mod types;

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::{Rc, Weak};

use rustix::fs::{CWD, Mode, OFlags};

use crate::engine::{Error, Extern, Linker, Memory, Module, Store, Trap};
use fds::{Directory, Entry, Fds, Object};
use fs::stdio::Stream;
use types::rights;

pub use fs::stdio::Capture;
pub use functions::MODULE;

/// What a guest gets.
pub struct Config {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    directories: Vec<(Directory, bool)>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Null,
            directories: Vec::new(),
        }
    }
}

impl Config {
    /// Nothing: no arguments, no environment, no directory, streams that lead nowhere.
    pub fn new() -> Config {
        Config::default()
    }

    /// Appends an argument; the first is the program's name. What follows a zero byte is lost.
    pub fn arg(&mut self, arg: impl Into<Vec<u8>>) -> &mut Config {
        self.args.push(without_zero(arg.into()));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Config {
        let mut variable = key.into();
        variable.push(b'=');
        variable.extend(value.into());
        self.env.push(without_zero(variable));
        self
    }

    /// Gives the guest a directory of the host under a name of its own, to read, and to write if
    /// `writable`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be opened.
    pub fn dir(
        &mut self,
        host: impl AsRef<Path>,
        guest: impl Into<String>,
        writable: bool,
    ) -> io::Result<&mut Config> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, host.as_ref(), flags, Mode::empty())?;
        let directory = Directory { fd, preopened_as: Some(guest.into()) };
        self.directories.push((directory, writable));
        Ok(self)
    }

    /// Lets the guest read the host's standard input.
    pub fn inherit_stdin(&mut self) -> &mut Config {
        self.stdin = Stream::HostInput;
        self
    }

    /// Lets the guest read these bytes from its standard input.
    pub fn stdin_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Config {
        self.stdin = Stream::bytes(bytes.into());
        self
    }

    /// Lets the guest write to the host's standard output.
    pub fn inherit_stdout(&mut self) -> &mut Config {
        self.stdout = Stream::HostOutput;
        self
    }

    /// Lets the guest write to the host's standard error.
    pub fn inherit_stderr(&mut self) -> &mut Config {
        self.stderr = Stream::HostError;
        self
    }

    /// Keeps what the guest writes to its standard output.
    pub fn capture_stdout(&mut self, capture: &Capture) -> &mut Config {
        self.stdout = Stream::Capture(capture.clone());
        self
    }

    /// Keeps what the guest writes to its standard error.
    pub fn capture_stderr(&mut self, capture: &Capture) -> &mut Config {
        self.stderr = Stream::Capture(capture.clone());
        self
    }
}

fn without_zero(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0);
    bytes.truncate(end.unwrap_or(bytes.len()));
    bytes
}

/// The state of a guest's functions.
struct Context {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    fds: Fds,
    /// What the embedder has named as the guest's memory. The functions live in the store and
    /// must not keep a handle to something in it, or the store would keep itself.
    memory: Weak<RefCell<Option<Memory>>>,
}

impl Context {
    fn memory(&self) -> Option<Memory> {
        self.memory.upgrade()?.borrow().clone()
    }
}

/// Functions for a guest, with a state of their own. Cloning it gives another handle to the same.
#[derive(Clone)]
pub struct Wasi {
    context: Rc<RefCell<Context>>,
    memory: Rc<RefCell<Option<Memory>>>,
}

impl Wasi {
    /// Functions that give a guest what the settings say.
    pub fn new(config: Config) -> Wasi {
        let mut fds = Fds::default();
        let streams = [
            (config.stdin, rights::FD_READ),
            (config.stdout, rights::FD_WRITE),
            (config.stderr, rights::FD_WRITE),
        ];
        for (stream, direction) in streams {
            let others = rights::STREAM & !(rights::FD_READ | rights::FD_WRITE);
            // A file of the host's may be positioned; the descriptor says if it can be.
            let file = if stream.host_fd().is_some() { rights::FILE } else { others };
            let both = rights::FD_READ | rights::FD_WRITE;
            let granted = (file & !both) | others | direction;
            add(&mut fds, Object::Stream(stream), granted, 0);
        }
        for (directory, writable) in config.directories {
            let denied = if writable { 0 } else { rights::WRITING };
            let inheriting = (rights::DIRECTORY | rights::FILE) & !denied;
            let object = Object::Directory(Rc::new(directory));
            add(&mut fds, object, rights::DIRECTORY & !denied, inheriting);
        }
        let memory = Rc::default();
        let context =
            Context { args: config.args, env: config.env, fds, memory: Rc::downgrade(&memory) };
        Wasi { context: Rc::new(RefCell::new(context)), memory }
    }

    /// Gives the functions their names in a linker.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn define(&self, linker: &mut Linker) -> Result<(), Error> {
        let store = linker.store().clone();
        for name in functions::NAMES {
            if let Some(func) = functions::function(&store, &self.context, name) {
                linker.define(MODULE, name, func?);
            }
        }
        Ok(())
    }

    /// The functions that a module imports, each at its import's place; none at the place of what
    /// is no function of WASI.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn imports(&self, store: &Store, module: &Module) -> Result<Vec<Option<Extern>>, Error> {
        let imports = module.imports().map(|import| {
            if import.module != MODULE {
                return Ok(None);
            }
            let func = functions::function(store, &self.context, import.name).transpose()?;
            Ok(func.map(Extern::from))
        });
        imports.collect()
    }

    /// Names the memory of guests that have none themselves, for instance because their functions
    /// are called by the host directly. It is used as long as this handle or a clone of it lives.
    pub fn set_memory(&self, memory: &Memory) {
        *self.memory.borrow_mut() = Some(memory.clone());
    }
}

fn add(fds: &mut Fds, object: Object, rights: u64, inheriting: u64) {
    // More directories than a guest can have descriptors are not there for it.
    let _ = fds.add(Entry { object, rights, inheriting });
}

/// What `proc_exit` ends execution with: the data of its trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit(pub u32);

impl Exit {
    /// The exit that a trap stands for, if it does.
    pub fn of(trap: &Trap) -> Option<Exit> {
        trap.data().copied()
    }
}
