//! A guest that does what the test says: it exports each function of WASI under its own name, and
//! the test writes arguments to its memory and reads results from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tenon::wasi::{Config, FUNCTIONS, Param, Snapshot, Wasi};
use tenon::{Engine, Error, Instance, Linker, Memory, Module, Store, Trap, Val};

/// Error numbers of WASI.
pub mod errno {
    #![allow(dead_code, reason = "the numbers are a table")]
    pub const SUCCESS: u32 = 0;
    pub const ACCESS: u32 = 2;
    pub const AGAIN: u32 = 6;
    pub const BADF: u32 = 8;
    pub const EXIST: u32 = 20;
    pub const FAULT: u32 = 21;
    pub const ILSEQ: u32 = 25;
    pub const INVAL: u32 = 28;
    pub const IO: u32 = 29;
    pub const ISDIR: u32 = 31;
    pub const LOOP: u32 = 32;
    pub const MFILE: u32 = 33;
    pub const NAMETOOLONG: u32 = 37;
    pub const NOENT: u32 = 44;
    pub const NOSPC: u32 = 51;
    pub const NOTDIR: u32 = 54;
    pub const NOTEMPTY: u32 = 55;
    pub const NOTSOCK: u32 = 57;
    pub const NOTSUP: u32 = 58;
    pub const NXIO: u32 = 60;
    pub const PERM: u32 = 63;
    pub const PIPE: u32 = 64;
    pub const SPIPE: u32 = 70;
    pub const NOTCAPABLE: u32 = 76;
}

/// Rights of WASI.
pub mod rights {
    pub const READ: u64 = 1 << 1;
    pub const SEEK: u64 = 1 << 2;
    pub const TELL: u64 = 1 << 5;
    pub const WRITE: u64 = 1 << 6;
    pub const READDIR: u64 = 1 << 14;
    pub const SET_SIZE: u64 = 1 << 22;
    pub const SET_TIMES: u64 = 1 << 23;
    pub const ALLOCATE: u64 = 1 << 8;
    pub const ALL: u64 = (1 << 29) - 1;
    /// All but those that make a directory be opened to be written to, which fails.
    pub const DIRECTORY: u64 = ALL & !(WRITE | ALLOCATE | SET_SIZE);
    /// What a guest asks for that wants to read a file, or a directory.
    pub const READS: u64 = READ | SEEK | TELL | READDIR | 1 << 21 | 1 << 27;
}

pub const CREAT: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const EXCL: u32 = 4;
pub const TRUNC: u32 = 8;
pub const FOLLOW: u32 = 1;

/// The first directory that a guest is given.
pub const DIR: u32 = 3;

/// Where results are put, arrays of buffers, the bytes of paths and of data.
pub const RESULT: u32 = 64;
pub const BUFFERS: u32 = 1024;
pub const PATH: u32 = 8192;
pub const OTHER_PATH: u32 = 16384;
pub const DATA: u32 = 65536;

/// A directory of the host's that is removed when the test is done with it.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tenon-wasi-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the directory for temporary files can be written");
        TempDir(path)
    }

    pub fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.join(path), bytes).expect("a file of the test can be written");
    }

    pub fn mkdir(&self, path: &str) {
        fs::create_dir(self.join(path)).expect("a directory of the test can be made");
    }

    pub fn link(&self, path: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.join(path)).expect("a link can be made");
    }

    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.join(path)).ok()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The engine of all tests.
pub fn engine() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&tenon::Config::new()).expect("there is an engine"))
}

fn wasm_type(param: Param) -> &'static str {
    match param {
        Param::U64 | Param::I64 => "i64",
        Param::U32 | Param::Fd | Param::Ptr | Param::Len => "i32",
    }
}

/// The text of the guest's module.
fn text(snapshot: Snapshot) -> String {
    let (mut imports, mut exports) = (String::new(), String::new());
    for function in FUNCTIONS.iter().filter(|function| snapshot.has(function.name)) {
        let name = function.name;
        let types: Vec<_> = function.params.iter().map(|param| wasm_type(*param)).collect();
        let result = if name == "proc_exit" { "" } else { "(result i32)" };
        let ty = format!("(param {}) {result}", types.join(" "));
        let module = snapshot.module();
        imports += &format!("(import \"{module}\" \"{name}\" (func ${name} {ty}))");
        let args: String = (0..types.len()).map(|i| format!("(local.get {i})")).collect();
        exports += &format!("(func (export \"{name}\") {ty} (call ${name} {args}))");
    }
    let memory = if std::env::var_os(crate::SHARED).is_some() { "4 65536 shared" } else { "4" };
    format!("(module {imports} {exports} (memory (export \"memory\") {memory}))")
}

/// The guest's module, made once for each version of WASI.
fn module(snapshot: Snapshot) -> &'static Module {
    static MODULES: [std::sync::OnceLock<Module>; 2] = [const { std::sync::OnceLock::new() }; 2];
    MODULES[snapshot as usize].get_or_init(|| {
        Module::from_text(engine(), text(snapshot).as_bytes()).expect("the guest is valid")
    })
}

pub struct Guest {
    instance: Instance,
    pub memory: Memory,
}

impl Guest {
    pub fn new(config: Config) -> Guest {
        Guest::of(Snapshot::Preview1, config)
    }

    pub fn of(snapshot: Snapshot, config: Config) -> Guest {
        Guest::with_module(module(snapshot), config)
    }

    /// A guest whose execution can be ended from outside.
    pub fn interruptible(config: Config) -> Guest {
        let mut settings = tenon::Config::new();
        let engine = Engine::new(settings.interruptible(true)).expect("there is an engine");
        let module = Module::from_text(&engine, text(Snapshot::Preview1).as_bytes());
        Guest::with_module(&module.expect("the guest is valid"), config)
    }

    fn with_module(module: &Module, config: Config) -> Guest {
        let store = Store::new(module.engine());
        let mut linker = Linker::new(&store);
        Wasi::new(config).define(&mut linker).expect("the functions can be defined");
        let instance = linker.instantiate(module).expect("the guest links");
        let memory = instance.memory("memory").expect("the guest has a memory");
        Guest { instance, memory }
    }

    /// A guest with one directory, to read and to write.
    pub fn with_dir(dir: &Path) -> Guest {
        let mut config = Config::new();
        config.dir(dir, "/", true).expect("the directory is there");
        Guest::new(config)
    }

    /// Calls a function; its trap.
    pub fn call_trapping(&self, name: &str, args: &[i64]) -> Result<u32, Trap> {
        let function = FUNCTIONS.iter().find(|f| f.name == name).expect("the function exists");
        assert_eq!(args.len(), function.params.len(), "{name}");
        let args = function.params.iter().zip(args).map(|(param, arg)| match wasm_type(*param) {
            "i64" => Val::I64(*arg),
            _ => Val::I32(*arg as i32),
        });
        let func = self.instance.func(name).expect("the guest exports every function");
        match func.call(&args.collect::<Vec<_>>()) {
            Ok(results) => match results.as_slice() {
                [Val::I32(errno)] => Ok(*errno as u32),
                _ => Ok(0),
            },
            Err(Error::Trap(trap)) => Err(trap),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Calls a function; its error number.
    pub fn call(&self, name: &str, args: &[i64]) -> u32 {
        match self.call_trapping(name, args) {
            Ok(errno) => errno,
            Err(trap) => panic!("{name} traps: {trap}"),
        }
    }

    /// Calls a function that is to succeed.
    pub fn succeed(&self, name: &str, args: &[i64]) {
        assert_eq!(self.call(name, args), errno::SUCCESS, "{name} {args:?}");
    }

    pub fn put(&self, address: u32, bytes: &[u8]) {
        self.memory.write(address.into(), bytes).expect("the guest's memory is large enough");
    }

    pub fn bytes(&self, address: u32, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        self.memory.read(address.into(), &mut bytes).expect("the guest's memory is large enough");
        bytes
    }

    pub fn get<const SIZE: usize>(&self, address: u32) -> [u8; SIZE] {
        self.bytes(address, SIZE as u32).try_into().expect("as many bytes as asked for")
    }

    pub fn u32(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.get(address))
    }

    pub fn u64(&self, address: u32) -> u64 {
        u64::from_le_bytes(self.get(address))
    }

    /// Puts a path into the memory; its address and length as arguments.
    pub fn path(&self, path: &str) -> [i64; 2] {
        self.path_at(PATH, path)
    }

    pub fn path_at(&self, address: u32, path: &str) -> [i64; 2] {
        self.put(address, path.as_bytes());
        [address.into(), path.len() as i64]
    }

    /// Describes buffers by an array of addresses and lengths; its address and length.
    pub fn buffers(&self, buffers: &[(u32, u32)]) -> [i64; 2] {
        for (i, (address, len)) in buffers.iter().enumerate() {
            self.put(BUFFERS + i as u32 * 8, &address.to_le_bytes());
            self.put(BUFFERS + i as u32 * 8 + 4, &len.to_le_bytes());
        }
        [BUFFERS.into(), buffers.len() as i64]
    }

    /// Opens with all that `path_open` can be told.
    pub fn open_with(
        &self,
        (dir, lookup): (u32, u32),
        path: &str,
        open: u32,
        base: u64,
        flags: u32,
    ) -> Result<u32, u32> {
        let [at, len] = self.path(path);
        let (base, all) = (base as i64, rights::ALL as i64);
        let args = [
            dir.into(),
            lookup.into(),
            at,
            len,
            open.into(),
            base,
            all,
            flags.into(),
            RESULT.into(),
        ];
        match self.call("path_open", &args) {
            errno::SUCCESS => Ok(self.u32(RESULT)),
            errno => Err(errno),
        }
    }

    /// Opens to read.
    pub fn open(&self, dir: u32, path: &str) -> Result<u32, u32> {
        self.open_with((dir, FOLLOW), path, 0, rights::READS, 0)
    }

    /// Opens to write, with these flags.
    pub fn create(&self, dir: u32, path: &str, open: u32) -> Result<u32, u32> {
        self.open_with((dir, FOLLOW), path, open, rights::ALL & !rights::READDIR, 0)
    }

    pub fn close(&self, fd: u32) -> u32 {
        self.call("fd_close", &[fd.into()])
    }

    pub fn write(&self, fd: u32, bytes: &[u8]) -> Result<u32, u32> {
        self.put(DATA, bytes);
        let [array, count] = self.buffers(&[(DATA, bytes.len() as u32)]);
        match self.call("fd_write", &[fd.into(), array, count, RESULT.into()]) {
            errno::SUCCESS => Ok(self.u32(RESULT)),
            errno => Err(errno),
        }
    }

    pub fn read(&self, fd: u32, len: u32) -> Result<Vec<u8>, u32> {
        let [array, count] = self.buffers(&[(DATA, len)]);
        match self.call("fd_read", &[fd.into(), array, count, RESULT.into()]) {
            errno::SUCCESS => Ok(self.bytes(DATA, self.u32(RESULT))),
            errno => Err(errno),
        }
    }

    /// What is known of a file, or of the link that it is.
    pub fn stat(&self, dir: u32, lookup: u32, path: &str) -> Result<Stat, u32> {
        let [at, len] = self.path(path);
        let args = [dir.into(), lookup.into(), at, len, RESULT.into()];
        match self.call("path_filestat_get", &args) {
            errno::SUCCESS => Ok(self.stat_at(RESULT)),
            errno => Err(errno),
        }
    }

    /// The struct of `wasi_snapshot_preview1` at an address.
    pub fn stat_at(&self, address: u32) -> Stat {
        Stat {
            ino: self.u64(address + 8),
            filetype: self.get::<1>(address + 16)[0],
            nlink: self.u64(address + 24),
            size: self.u64(address + 32),
            atim: self.u64(address + 40),
            mtim: self.u64(address + 48),
        }
    }

    /// Calls a function of a directory and a path.
    pub fn on_path(&self, name: &str, dir: u32, path: &str) -> u32 {
        let [at, len] = self.path(path);
        self.call(name, &[dir.into(), at, len])
    }

    pub fn rename(&self, from: (u32, &str), to: (u32, &str)) -> u32 {
        let [old, old_len] = self.path(from.1);
        let [new, new_len] = self.path_at(OTHER_PATH, to.1);
        self.call("path_rename", &[from.0.into(), old, old_len, to.0.into(), new, new_len])
    }

    pub fn link(&self, lookup: u32, from: (u32, &str), to: (u32, &str)) -> u32 {
        let [old, old_len] = self.path(from.1);
        let [new, new_len] = self.path_at(OTHER_PATH, to.1);
        let (from, to) = (from.0.into(), to.0.into());
        self.call("path_link", &[from, lookup.into(), old, old_len, to, new, new_len])
    }

    pub fn symlink(&self, target: &str, dir: u32, path: &str) -> u32 {
        let [old, old_len] = self.path_at(OTHER_PATH, target);
        let [at, len] = self.path(path);
        self.call("path_symlink", &[old, old_len, dir.into(), at, len])
    }

    /// What a link says, as far as `room` bytes hold it.
    pub fn readlink(&self, dir: u32, path: &str, room: u32) -> Result<Vec<u8>, u32> {
        let [at, len] = self.path(path);
        let args = [dir.into(), at, len, DATA.into(), room.into(), RESULT.into()];
        match self.call("path_readlink", &args) {
            errno::SUCCESS => Ok(self.bytes(DATA, self.u32(RESULT))),
            errno => Err(errno),
        }
    }

    /// File type, flags, rights, and rights to inherit of a descriptor.
    pub fn fdstat(&self, fd: u32) -> Result<(u8, u16, u64, u64), u32> {
        match self.call("fd_fdstat_get", &[fd.into(), RESULT.into()]) {
            errno::SUCCESS => Ok((
                self.get::<1>(RESULT)[0],
                u16::from_le_bytes(self.get(RESULT + 2)),
                self.u64(RESULT + 8),
                self.u64(RESULT + 16),
            )),
            errno => Err(errno),
        }
    }
}

/// What is known of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    pub ino: u64,
    pub filetype: u8,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
}
