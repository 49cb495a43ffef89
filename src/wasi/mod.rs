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
mod extension;
mod fds;
mod fs;
mod functions;
mod guest;
mod poll;
mod proc;
mod random;
mod sock;
mod types;
mod wasix;

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::rc::{Rc, Weak};

use rustix::fs::{CWD, Mode, OFlags};

use crate::engine::{
    Error, Extern, ExternType, Func, FuncType, Linker, Memory, Module, Store, Trap,
};
use fds::{Directory, Entry, Fds, MAX_FDS, Object};
use sock::{Grants, Socket, wasmedge};
use types::rights;

pub use clock::Clock;
pub use fs::stdio::{Capture, Stream};
pub use functions::{FUNCTIONS, Function, MODULE, Param, Snapshot};
pub use wasix::MODULE as WASIX_MODULE;

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
    listeners: Vec<Socket>,
    net: Grants,
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
            listeners: Vec::new(),
            net: Grants::default(),
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

    /// Gives the guest a listener, on which it accepts connections from whoever makes them. Its
    /// descriptor follows those of the directories; several have theirs in the order of the calls.
    ///
    /// # Errors
    ///
    /// When the system does not know what the listener is.
    pub fn listener(&mut self, listener: TcpListener) -> io::Result<&mut Config> {
        let socket = Socket::from_host(listener.into());
        self.listeners.push(socket.map_err(|_| io::Error::other("this is no socket"))?);
        Ok(self)
    }

    /// Gives the guest a listener as [`Config::listener`], bound to an address of the machine,
    /// `ADDRESS:PORT` or `NAME:PORT`; with port 0 the system chooses one. The address that it is
    /// bound to.
    ///
    /// # Errors
    ///
    /// When there is no such address, or it cannot be bound.
    pub fn tcp_listen(&mut self, address: &str) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        let local = listener.local_addr()?;
        self.listener(listener)?;
        Ok(local)
    }

    /// Lets the guest make sockets and reach `HOST:PORT` with them: connect and send to it, bind
    /// to it, and learn that a name leads to it. Without any grant it has no network.
    ///
    /// HOST is an address (of version 6 in brackets), a block of addresses `ADDRESS/BITS`, a name,
    /// or `*` for every address and every name. PORT is a number, a range `FIRST-LAST`, or `*`;
    /// port 0 is the one that the system chooses when a socket is bound. Addresses are what
    /// counts: a name is looked up now and stands for the addresses that it has now.
    ///
    /// # Errors
    ///
    /// When this is no grant, or the name has no address.
    pub fn allow_net(&mut self, grant: &str) -> io::Result<&mut Config> {
        self.net.add(grant)?;
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
    net: Grants,
    wasix: wasix::State,
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
            add(&mut fds, Object::Stream(Rc::new(stream)), granted, 0);
        }
        for (directory, writable) in config.directories {
            let denied = if writable { 0 } else { rights::WRITING };
            let inheriting = (rights::DIRECTORY | rights::FILE) & !denied;
            let object = Object::Directory(Rc::new(directory));
            add(&mut fds, object, rights::DIRECTORY & !denied, inheriting);
        }
        for listener in config.listeners {
            // As for directories.
            let _ = fds.add(sock::listener(listener));
        }
        let memory = Rc::default();
        let context = Context {
            args: config.args,
            env: config.env,
            fds,
            net: config.net,
            wasix: wasix::State::default(),
            clock: config.clock,
            random: config.random,
            memory: Rc::downgrade(&memory),
        };
        Wasi { context: Rc::new(RefCell::new(context)), memory }
    }

    /// Gives the functions their names in a linker. Of those that have several types under one
    /// name it gives the first; [`Wasi::define_for`] knows which one a module wants.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn define(&self, linker: &mut Linker) -> Result<(), Error> {
        let store = linker.store().clone();
        let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
        let preview1: [&[&str]; 2] = [&names, wasmedge::NAMES];
        let wasix: [&[&str]; 3] = [wasix::NAMES[0], wasix::NAMES[1], &names];
        let all = [
            (Snapshot::Unstable.module(), names.clone()),
            (MODULE, preview1.concat()),
            (WASIX_MODULE, wasix.concat()),
        ];
        for (module, names) in all {
            for name in names {
                if let Some(func) = self.function(&store, module, name, None) {
                    linker.define(module, name, func?);
                }
            }
        }
        Ok(())
    }

    /// Gives the functions that a module imports their names in a linker, each with the type that
    /// the module wants where there is a choice.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn define_for(&self, linker: &mut Linker, module: &Module) -> Result<(), Error> {
        let found = self.imports(linker.store(), module)?;
        for (import, found) in module.imports().zip(found) {
            if let Some(found) = found {
                linker.define(import.module, import.name, found);
            }
        }
        Ok(())
    }

    /// The function of a module and a name: of this type, if there is one of it.
    fn function(
        &self,
        store: &Store,
        module: &str,
        name: &str,
        ty: Option<&FuncType>,
    ) -> Option<Result<Func, Error>> {
        let context = &self.context;
        let extension = match module {
            MODULE => wasmedge::function,
            WASIX_MODULE => wasix::function,
            _ => return functions::function(store, context, Snapshot::of(module)?, name),
        };
        // What preview 1 has is right unless the module says that it wants something else.
        let own = functions::function(store, context, Snapshot::Preview1, name);
        match own {
            Some(Ok(func)) if ty.is_none_or(|ty| ty == func.ty()) => Some(Ok(func)),
            own => extension(store, context, name, ty).or(own),
        }
    }

    /// The functions that a module imports, each at its import's place; none at the place of what
    /// is no function of WASI. Standalone modules of Emscripten also get what they import from
    /// `env`.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn imports(&self, store: &Store, module: &Module) -> Result<Vec<Option<Extern>>, Error> {
        let mut imports = match emscripten::is_standalone(module) {
            true => self.emscripten_imports(store, module)?,
            false => module.imports().map(|_| None).collect(),
        };
        for (import, place) in module.imports().zip(&mut imports) {
            let ty = match &import.ty {
                ExternType::Func(ty) => Some(ty),
                _ => None,
            };
            if place.is_none() {
                let func = self.function(store, import.module, import.name, ty).transpose()?;
                *place = func.map(Extern::from);
            }
        }
        Ok(imports)
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
