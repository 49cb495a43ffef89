//! A guest that does what a test tells it: it exports its memory, and every function that it
//! imports.

#![allow(dead_code, reason = "each test uses its part")]

use std::fmt::Write;

use tenon::wasi::{Config, MODULE, WASIX_MODULE, Wasi};
use tenon::{Engine, Instance, Memory, Module, Store, Val, ValType};

/// Error numbers of WASI.
pub mod errno {
    pub const ACCESS: u32 = 2;
    pub const ADDRESS_FAMILY: u32 = 5;
    pub const AGAIN: u32 = 6;
    pub const BAD_FD: u32 = 8;
    pub const NO_CHILD: u32 = 12;
    pub const CONNECTION_REFUSED: u32 = 14;
    pub const DEADLOCK: u32 = 16;
    pub const FAULT: u32 = 21;
    pub const IN_PROGRESS: u32 = 26;
    pub const INVALID: u32 = 28;
    pub const IS_CONNECTED: u32 = 30;
    pub const TOO_MANY_FILES: u32 = 33;
    pub const NO_ENTRY: u32 = 44;
    pub const NO_SUCH_OPTION: u32 = 50;
    pub const NOT_SOCKET: u32 = 57;
    pub const NOT_SUPPORTED: u32 = 58;
    pub const NOT_PERMITTED: u32 = 63;
    pub const PIPE: u32 = 64;
    pub const PROTOCOL_NOT_SUPPORTED: u32 = 66;
    pub const PROTOCOL_TYPE: u32 = 67;
    pub const RANGE: u32 = 68;
    pub const NO_PROCESS: u32 = 71;
    pub const NOT_CAPABLE: u32 = 76;
    pub const LOOKUP_FLAGS: u32 = 79;
    pub const LOOKUP_FAMILY: u32 = 81;
    pub const LOOKUP_MEMORY: u32 = 82;
    pub const LOOKUP_NAME: u32 = 84;
    pub const LOOKUP_SERVICE: u32 = 85;
    pub const LOOKUP_TYPE: u32 = 86;
}

/// Kinds of subscriptions.
pub const READ: u8 = 1;
pub const WRITE: u8 = 2;

/// A timeout that no test should need.
pub const FOREVER: u64 = 60_000_000_000;

/// The name under which a function is called here, with `x:` before those of WASIX and, where there
/// are several, the number of its parameters, or the version, after it; and its parameters, `i` for
/// `i32` and `I` for `i64`.
const FUNCTIONS: &[(&str, &str)] = &[
    ("fd_close", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_read", "iiii"),
    ("fd_seek", "iIii"),
    ("fd_write", "iiii"),
    ("path_open", "iiiiiIIii"),
    ("poll_oneoff", "iiii"),
    ("sock_accept", "iii"),
    ("sock_accept/1", "ii"),
    ("sock_accept_v2", "iii"),
    ("sock_bind", "iii"),
    ("sock_bind_v2", "iii"),
    ("sock_connect", "iii"),
    ("sock_getaddrinfo", "iiiiiiii"),
    ("sock_getlocaladdr/4", "iiii"),
    ("sock_getlocaladdr/3", "iii"),
    ("sock_getpeeraddr/4", "iiii"),
    ("sock_getpeeraddr/3", "iii"),
    ("sock_getsockopt", "iiiii"),
    ("sock_listen", "ii"),
    ("sock_open", "iii"),
    ("sock_open_v2", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_recv_v2", "iiiiii"),
    ("sock_recv_from/7", "iiiiiii"),
    ("sock_recv_from/8", "iiiiiiii"),
    ("sock_recv_from_v2", "iiiiiiii"),
    ("sock_send", "iiiii"),
    ("sock_send_v2", "iiiii"),
    ("sock_send_to", "iiiiiii"),
    ("sock_setsockopt", "iiiii"),
    ("sock_shutdown", "ii"),
    ("x:chdir", "ii"),
    ("x:clock_time_set", "iI"),
    ("x:fd_close", "i"),
    ("x:fd_dup", "ii"),
    ("x:fd_dup2", "iiii"),
    ("x:fd_event", "Iii"),
    ("x:fd_fdflags_get", "ii"),
    ("x:fd_fdflags_set", "ii"),
    ("x:fd_pipe", "ii"),
    ("x:futex_wait", "iiii"),
    ("x:futex_wake", "ii"),
    ("x:futex_wake_all", "ii"),
    ("x:getcwd", "ii"),
    ("x:path_open2", "iiiiiIIiii"),
    ("x:proc_id", "i"),
    ("x:proc_join", "iii"),
    ("x:proc_parent", "ii"),
    ("x:proc_raise_interval", "iIi"),
    ("x:proc_signal", "ii"),
    ("x:resolve", "iiiiii"),
    ("x:sock_accept_v2", "iiii"),
    ("x:sock_addr_local", "ii"),
    ("x:sock_addr_peer", "ii"),
    ("x:sock_bind", "ii"),
    ("x:sock_connect", "ii"),
    ("x:sock_get_opt_flag", "iii"),
    ("x:sock_get_opt_size", "iii"),
    ("x:sock_get_opt_time", "iii"),
    ("x:sock_listen", "ii"),
    ("x:sock_open", "iiii"),
    ("x:sock_pair", "iiiii"),
    ("x:sock_recv_from", "iiiiiii"),
    ("x:sock_send_file", "iiIIi"),
    ("x:sock_send_to", "iiiiii"),
    ("x:sock_set_opt_flag", "iii"),
    ("x:sock_set_opt_size", "iiI"),
    ("x:sock_set_opt_time", "iii"),
    ("x:sock_status", "ii"),
    ("x:thread_id", "i"),
    ("x:thread_join", "i"),
    ("x:thread_parallelism", "i"),
    ("x:thread_signal", "ii"),
    ("x:thread_sleep", "I"),
    ("x:thread_spawn_v2", "ii"),
    ("x:tty_get", "i"),
    ("x:tty_set", "i"),
];

/// What has happened to something that was waited for.
#[derive(PartialEq, Eq, Debug)]
pub struct Event {
    pub error: u16,
    pub kind: u8,
    pub bytes: u64,
    pub hangup: bool,
}

pub struct Probe {
    pub instance: Instance,
    memory: Memory,
}

/// The module's text.
fn text() -> String {
    let mut text = String::from("(module");
    let types = |params: &str| -> String {
        params.chars().map(|c| if c == 'I' { " i64" } else { " i32" }).collect()
    };
    for (name, params) in FUNCTIONS {
        let (module, real) =
            name.strip_prefix("x:").map_or((MODULE, *name), |name| (WASIX_MODULE, name));
        let real = real.split('/').next().expect("there is a first part");
        let params = types(params);
        write!(text, " (import {module:?} {real:?} (func ${name} (param{params}) (result i32)))")
            .expect("there is memory");
    }
    for name in ["proc_exit2", "thread_exit"] {
        write!(text, " (import {WASIX_MODULE:?} {name:?} (func ${name} (param i32)))")
            .expect("there is memory");
    }
    write!(text, " (import {WASIX_MODULE:?} \"callback_signal\" (func $signal (param i32 i32)))")
        .expect("there is memory");
    for (name, params) in FUNCTIONS {
        let gets: String = (0..params.len()).map(|i| format!(" (local.get {i})")).collect();
        let params = types(params);
        write!(text, " (func (export {name:?}) (param{params}) (result i32) (call ${name}{gets}))")
            .expect("there is memory");
    }
    for name in ["proc_exit2", "thread_exit"] {
        write!(text, " (func (export {name:?}) (param i32) (call ${name} (local.get 0)))")
            .expect("there is memory");
    }
    text + " (func (export \"signal\") (call $signal (i32.const 0) (i32.const 1)))
      (memory (export \"memory\") 1))"
}

/// The names of the functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

impl Probe {
    /// A guest with these settings.
    pub fn new(config: Config) -> Probe {
        Probe::on(&tenon::Config::new(), config)
    }

    /// A guest with these settings, on an engine with those.
    pub fn on(engine: &tenon::Config, config: Config) -> Probe {
        let engine = Engine::new(engine).expect("the settings are good");
        let store = Store::new(&engine);
        let module = Module::from_text(&engine, text().as_bytes()).expect("it is a module");
        let imports = Wasi::new(config).imports(&store, &module).expect("there is memory");
        let imports: Vec<_> =
            imports.into_iter().map(|import| import.expect("each is known")).collect();
        let instance = Instance::new(&store, &module, &imports).expect("each has its type");
        let memory = instance.memory("memory").expect("it is exported");
        Probe { instance, memory }
    }

    /// A guest that may reach the loopback of version 4.
    pub fn with_loopback() -> Probe {
        let mut config = Config::new();
        config.allow_net("127.0.0.1:*").expect("it is a grant");
        Probe::new(config)
    }

    /// Calls a function; its error number.
    pub fn call(&mut self, name: &str, args: &[u64]) -> u32 {
        let func = self.instance.func(name).unwrap_or_else(|| panic!("{name} is not there"));
        let args: Vec<_> = func
            .ty()
            .params()
            .iter()
            .zip(args)
            .map(|(ty, arg)| match ty {
                ValType::I64 => Val::I64(arg.cast_signed()),
                _ => Val::I32((*arg as u32).cast_signed()),
            })
            .collect();
        match func.call(&args).unwrap_or_else(|error| panic!("{name}: {error}"))[..] {
            [Val::I32(error)] => error.cast_unsigned(),
            _ => panic!("{name} returns no error"),
        }
    }

    /// The bytes of the memory.
    pub fn size(&self) -> u32 {
        self.memory.size() as u32
    }

    pub fn bytes(&self, at: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory.read(at.into(), &mut bytes).expect("it is there");
        bytes
    }

    pub fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().expect("these are four"))
    }

    pub fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory.write(at.into(), bytes).expect("it is there");
    }

    /// Writes buffers for a vectored read or write.
    pub fn put_vectors(&mut self, at: u32, vectors: &[(u32, u32)]) {
        for (i, (address, len)) in vectors.iter().enumerate() {
            self.put(at + i as u32 * 8, &[address.to_le_bytes(), len.to_le_bytes()].concat());
        }
    }

    /// Writes an address as WasmEdge has it: where it is and how long, and there the address.
    pub fn put_address(&mut self, at: u32, place: u32, address: &[u8]) {
        self.put_vectors(at, &[(place, address.len() as u32)]);
        self.put(place, address);
    }

    /// Waits for descriptors, at most so many nanoseconds; what has happened to them.
    pub fn poll(&mut self, fds: &[(u32, u8)], timeout: u64) -> Vec<Event> {
        const SUBSCRIPTIONS: u32 = 0x8000;
        const EVENTS: u32 = 0x9000;
        for (i, (fd, kind)) in fds.iter().enumerate() {
            let at = SUBSCRIPTIONS + i as u32 * 48;
            self.put(at, &[0; 48]);
            self.put(at + 8, &[*kind]);
            self.put(at + 16, &fd.to_le_bytes());
        }
        let at = SUBSCRIPTIONS + fds.len() as u32 * 48;
        self.put(at, &[0; 48]);
        self.put(at + 16, &1_u32.to_le_bytes());
        self.put(at + 24, &timeout.to_le_bytes());
        let count = fds.len() as u64 + 1;
        let args = [SUBSCRIPTIONS.into(), EVENTS.into(), count, 0xa000];
        assert_eq!(self.call("poll_oneoff", &args), 0);
        let events = (0..self.u32(0xa000)).map(|i| {
            let raw = self.bytes(EVENTS + i * 32, 32);
            Event {
                error: u16::from_le_bytes([raw[8], raw[9]]),
                kind: raw[10],
                bytes: u64::from_le_bytes(raw[16..24].try_into().expect("these are eight")),
                hangup: raw[24] & 1 != 0,
            }
        });
        events.filter(|event| event.kind != 0).collect()
    }
}
