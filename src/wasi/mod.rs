//! WASI preview 1, in both of its versions, over the engine's public API and nothing else. May use: engine.
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
use fds::{Directory, Entry, Fds, MAX_FDS, Object};
use types::rights;

pub use clock::Clock;
pub use fs::stdio::{Capture, Stream};
pub use functions::{FUNCTIONS, Function, MODULE, Param, Snapshot};

/// What a clock of the embedder's shows, in nanoseconds.
type ShowTime = Box<dyn Fn(Clock) -> u64>;
/// Fills bytes by chance, or as the embedder understands it.
type FillRandom = Box<dyn FnMut(&mut [u8])>;

/// The standard streams, which have the first descriptors.
const STREAMS: usize = 3;

/// What a guest gets.
pub struct Config {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    directories: Vec<(Directory, bool)>,
    clock: Option<ShowTime>,
    random: Option<FillRandom>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Stream::null(),
            stdout: Stream::null(),
            stderr: Stream::null(),
            directories: Vec::new(),
            clock: None,
            random: None,
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
    /// When the directory cannot be opened, or the guest would have more than descriptors.
    pub fn dir(
        &mut self,
        host: impl AsRef<Path>,
        guest: impl Into<String>,
        writable: bool,
    ) -> io::Result<&mut Config> {
        if self.directories.len() + STREAMS >= MAX_FDS {
            return Err(io::Error::other("a guest cannot have as many directories"));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, host.as_ref(), flags, Mode::empty())?;
        let directory = Directory { fd, preopened_as: Some(guest.into()) };
        self.directories.push((directory, writable));
        Ok(self)
    }

    /// Sets where the guest's standard input comes from.
    pub fn stdin(&mut self, stream: Stream) -> &mut Config {
        self.stdin = stream;
        self
    }

    /// Sets where the guest's standard output goes.
    pub fn stdout(&mut self, stream: Stream) -> &mut Config {
        self.stdout = stream;
        self
    }

    /// Sets where the guest's standard error goes.
    pub fn stderr(&mut self, stream: Stream) -> &mut Config {
        self.stderr = stream;
        self
    }

    /// Lets the guest read the host's standard input.
    pub fn inherit_stdin(&mut self) -> &mut Config {
        self.stdin(Stream::host_input())
    }

    /// Lets the guest read these bytes from its standard input.
    pub fn stdin_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Config {
        self.stdin(Stream::bytes(bytes))
    }

    /// Lets the guest write to the host's standard output.
    pub fn inherit_stdout(&mut self) -> &mut Config {
        self.stdout(Stream::host_output())
    }

    /// Lets the guest write to the host's standard error.
    pub fn inherit_stderr(&mut self) -> &mut Config {
        self.stderr(Stream::host_error())
    }

    /// Keeps what the guest writes to its standard output.
    pub fn capture_stdout(&mut self, capture: &Capture) -> &mut Config {
        self.stdout(Stream::capture(capture))
    }

    /// Keeps what the guest writes to its standard error.
    pub fn capture_stderr(&mut self, capture: &Capture) -> &mut Config {
        self.stderr(Stream::capture(capture))
    }

    /// Gives the guest clocks of the embedder's: nanoseconds, since 1970 for
    /// [`Clock::Realtime`]. Their resolution is said to be a nanosecond. When a guest waits for one
    /// of them, it waits for the difference to what the clock shows then.
    pub fn clock(&mut self, show: impl Fn(Clock) -> u64 + 'static) -> &mut Config {
        self.clock = Some(Box::new(show));
        self
    }

    /// Gives the guest what is filled in here for random bytes.
    pub fn random(&mut self, fill: impl FnMut(&mut [u8]) + 'static) -> &mut Config {
        self.random = Some(Box::new(fill));
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
    clock: Option<ShowTime>,
    random: Option<FillRandom>,
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
            // What the descriptor stands for decides which of these rights are of use.
            let file = if stream.host_fd().is_some() { rights::HOST_STREAM } else { 0 };
            let both = rights::FD_READ | rights::FD_WRITE;
            let granted = (file | rights::STREAM) & !both | direction;
            add(&mut fds, Object::Stream(stream), granted, 0);
        }
        for (directory, writable) in config.directories {
            let denied = if writable { 0 } else { rights::WRITING };
            let inheriting = (rights::DIRECTORY | rights::FILE) & !denied;
            let object = Object::Directory(Rc::new(directory));
            add(&mut fds, object, rights::DIRECTORY & !denied, inheriting);
        }
        let memory = Rc::default();
        let context = Context {
            args: config.args,
            env: config.env,
            fds,
            clock: config.clock,
            random: config.random,
            memory: Rc::downgrade(&memory),
        };
        Wasi { context: Rc::new(RefCell::new(context)), memory }
    }

    /// Gives the functions their names in a linker.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn define(&self, linker: &mut Linker) -> Result<(), Error> {
        let store = linker.store().clone();
        for snapshot in Snapshot::ALL {
            for Function { name, .. } in FUNCTIONS {
                if let Some(func) = functions::function(&store, &self.context, snapshot, name) {
                    linker.define(snapshot.module(), name, func?);
                }
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
            let Some(snapshot) = Snapshot::of(import.module) else { return Ok(None) };
            let func = functions::function(store, &self.context, snapshot, import.name);
            Ok(func.transpose()?.map(Extern::from))
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
    // There is room: the settings hold no more than that.
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
