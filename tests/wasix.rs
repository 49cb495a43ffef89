//! WASIX beside its sockets: descriptors, the working directory, the process, its terminal.

mod probe;

use std::path::PathBuf;
use std::{env, fs};

use probe::{Probe, errno};
use tenon::wasi::{Config, Exit, Wasi};
use tenon::{Engine, Error, Linker, Module, Store};

/// A folder for a test's files, empty.
fn folder(test: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wasix").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("there is a place for files");
    dir
}

#[test]
fn copies_of_descriptors_share_what_they_stand_for() {
    let dir = folder("copies");
    let mut config = Config::new();
    config.dir(&dir, "/", true).expect("it is there");
    let mut guest = Probe::new(config);
    guest.put(1024, b"file");
    // Creates it, to read and to write.
    let rights = 1 << 1 | 1 << 2 | 1 << 6;
    let args = [3, 0, 1024, 4, 1, rights, 0, 0, 1, 64];
    assert_eq!(guest.call("x:path_open2", &args), 0);
    assert_eq!(guest.u32(64), 4);
    assert_eq!(guest.call("x:fd_dup", &[4, 64]), 0);
    assert_eq!(guest.u32(64), 5);
    assert_eq!(guest.call("x:fd_dup2", &[4, 100, 1, 64]), 0);
    assert_eq!(guest.u32(64), 100);
    assert_eq!(guest.call("x:fd_dup2", &[4, 7, 0, 64]), 0);
    assert_eq!(guest.u32(64), 7);
    assert_eq!(guest.call("x:fd_dup", &[4, 64]), 0);
    assert_eq!(guest.u32(64), 6);
    // One position for all of them.
    guest.put_vectors(0, &[(1024, 4)]);
    for fd in [4, 100, 7] {
        assert_eq!(guest.call("fd_write", &[fd, 0, 1, 64]), 0);
        assert_eq!(guest.call("x:fd_close", &[fd]), 0);
    }
    assert_eq!(fs::read(dir.join("file")).expect("it is there"), b"filefilefile");
    assert_eq!(guest.call("fd_write", &[5, 0, 1, 64]), 0);
    assert_eq!(guest.call("x:fd_dup", &[4, 64]), errno::BAD_FD);
    assert_eq!(guest.call("x:fd_fdflags_get", &[5, 64]), 0);
    assert_eq!(guest.bytes(64, 2), [1, 0]);
    assert_eq!(guest.call("x:fd_fdflags_set", &[5, 0]), 0);
    assert_eq!(guest.call("x:fd_fdflags_set", &[5, 2]), errno::INVALID);
    let args = [3, 0, 1024, 4, 1, rights, 0, 0, 2, 64];
    assert_eq!(guest.call("x:path_open2", &args), errno::INVALID);
}

#[test]
fn pipes_lead_from_one_end_to_the_other() {
    let mut guest = Probe::new(Config::new());
    assert_eq!(guest.call("x:fd_pipe", &[64, 68]), 0);
    assert_eq!((guest.u32(64), guest.u32(68)), (3, 4));
    assert_eq!(guest.poll(&[(3, probe::READ)], 0), []);
    guest.put_vectors(0, &[(1024, 4)]);
    guest.put(1024, b"text");
    assert_eq!(guest.call("fd_write", &[4, 0, 1, 64]), 0);
    let events = guest.poll(&[(3, probe::READ)], probe::FOREVER);
    assert_eq!((events[0].bytes, events[0].hangup), (4, false));
    guest.put(1024, &[0; 4]);
    assert_eq!(guest.call("fd_read", &[3, 0, 1, 64]), 0);
    assert_eq!(guest.bytes(1024, 4), b"text");
    assert_eq!(guest.call("fd_close", &[4]), 0);
    assert_eq!(guest.call("fd_read", &[3, 0, 1, 64]), 0);
    assert_eq!(guest.u32(64), 0);
    assert_eq!(guest.call("fd_write", &[3, 0, 1, 64]), errno::PIPE);
    // A pipe has no address, and reaches nobody else.
    assert_eq!(guest.call("x:sock_addr_peer", &[3, 256]), errno::ADDRESS_FAMILY);
    guest.put(256, &[1, 0, 1, 0, 127, 0, 0, 1]);
    assert_eq!(guest.call("x:sock_connect", &[3, 256]), errno::ACCESS);
}

#[test]
fn events_count() {
    let mut guest = Probe::new(Config::new());
    guest.put_vectors(0, &[(1024, 8)]);
    assert_eq!(guest.call("x:fd_event", &[3, 0, 64]), 0);
    assert_eq!(guest.call("fd_read", &[3, 0, 1, 64]), 0);
    assert_eq!(guest.bytes(1024, 8), 3_u64.to_le_bytes());
    assert_eq!(guest.poll(&[(3, probe::READ)], 0), []);
    assert_eq!(guest.call("fd_write", &[3, 0, 1, 64]), 0);
    assert_eq!(guest.poll(&[(3, probe::READ)], probe::FOREVER).len(), 1);
    // A semaphore goes down by one.
    assert_eq!(guest.call("x:fd_event", &[3, 1, 64]), 0);
    assert_eq!(guest.call("fd_read", &[4, 0, 1, 64]), 0);
    assert_eq!(guest.bytes(1024, 8), 1_u64.to_le_bytes());
    assert_eq!(guest.call("x:fd_event", &[0, 2, 64]), errno::INVALID);
    assert_eq!(guest.call("x:fd_event", &[1 << 32, 0, 64]), errno::INVALID);
}

#[test]
fn the_working_directory_is_one_of_the_guests() {
    let dir = folder("directory");
    fs::create_dir_all(dir.join("a/b")).expect("there is a place for files");
    fs::write(dir.join("a/file"), "").expect("there is a place for files");
    std::os::unix::fs::symlink("/etc", dir.join("out")).expect("there is a place for files");
    let mut config = Config::new();
    config.dir(&dir, "/data", false).expect("it is there");
    let mut guest = Probe::new(config);
    let chdir = |guest: &mut Probe, path: &str| {
        guest.put(1024, path.as_bytes());
        guest.call("x:chdir", &[1024, path.len() as u64])
    };
    let getcwd = |guest: &mut Probe| {
        guest.put(64, &100_u32.to_le_bytes());
        guest.put(2048, &[b'x'; 100]);
        assert_eq!(guest.call("x:getcwd", &[2048, 64]), 0);
        let len = guest.u32(64);
        assert_eq!(guest.bytes(2048 + len, 1), [0]);
        String::from_utf8(guest.bytes(2048, len as usize)).expect("it is text")
    };
    assert_eq!(getcwd(&mut guest), "/");
    for (path, directory) in [
        ("/data", "/data"),
        ("a", "/data/a"),
        ("./b/", "/data/a/b"),
        ("../../a/b/..", "/data/a"),
        ("..", "/data"),
    ] {
        assert_eq!(chdir(&mut guest, path), 0, "{path}");
        assert_eq!(getcwd(&mut guest), directory, "{path}");
    }
    let wrong = [("/", 44), ("nothing", 44), ("", 44), ("a/file", 54), ("out", 63), ("/etc", 44)];
    for (path, error) in wrong {
        assert_eq!(chdir(&mut guest, path), error, "{path}");
        assert_eq!(getcwd(&mut guest), "/data", "{path}");
    }
    // Too little room, or no place: the length that is needed.
    for (at, room) in [(2048, 4_u32), (0, 100)] {
        guest.put(64, &room.to_le_bytes());
        assert_eq!(guest.call("x:getcwd", &[at, 64]), errno::RANGE);
        assert_eq!(guest.u32(64), 5);
    }
}

#[test]
fn there_is_one_process_of_one_thread() {
    let mut guest = Probe::new(Config::new());
    for name in ["x:proc_id", "x:thread_id", "x:thread_parallelism"] {
        assert_eq!(guest.call(name, &[64]), 0);
        assert_eq!(guest.u32(64), 1, "{name}");
    }
    assert_eq!(guest.call("x:proc_parent", &[1, 64]), 0);
    assert_eq!(guest.u32(64), 0);
    assert_eq!(guest.call("x:proc_parent", &[2, 64]), errno::NO_PROCESS);
    assert_eq!(guest.call("x:proc_join", &[64, 0, 128]), errno::NO_CHILD);
    assert_eq!(guest.call("x:proc_signal", &[1, 0]), 0);
    assert_eq!(guest.call("x:proc_signal", &[1, 15]), errno::NOT_SUPPORTED);
    assert_eq!(guest.call("x:thread_signal", &[2, 15]), errno::NO_PROCESS);
    assert_eq!(guest.call("x:proc_raise_interval", &[14, 1000, 0]), errno::NOT_SUPPORTED);
    assert_eq!(guest.call("x:thread_spawn_v2", &[64, 128]), errno::NOT_SUPPORTED);
    assert_eq!(guest.call("x:thread_join", &[1]), errno::DEADLOCK);
    assert_eq!(guest.call("x:thread_join", &[7]), errno::NO_PROCESS);
    assert_eq!(guest.call("x:thread_sleep", &[1000]), 0);
    assert_eq!(guest.call("x:clock_time_set", &[0, 0]), errno::NOT_PERMITTED);
    assert_eq!(guest.call("x:clock_time_set", &[9, 0]), errno::INVALID);
    let signal = guest.instance.func("signal").expect("it is exported");
    assert!(signal.call(&[]).is_ok());
    for name in ["proc_exit2", "thread_exit"] {
        let exit = guest.instance.func(name).expect("it is exported");
        match exit.call(&[tenon::Val::I32(7)]) {
            Err(Error::Trap(trap)) => assert_eq!(Exit::of(&trap), Some(Exit(7))),
            _ => panic!("{name} returns"),
        }
    }
}

#[test]
fn what_is_not_there_is_named() {
    let engine = Engine::new(&tenon::Config::new()).expect("the settings are good");
    let store = Store::new(&engine);
    let wasi = Wasi::new(Config::new());
    let mut linker = Linker::new(&store);
    wasi.define(&mut linker).expect("there is memory");
    // Everything else has a name without a module that asks for it.
    let text = r#"(module
      (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
      (import "wasix_32v1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
      (import "wasix_32v1" "sock_open" (func (param i32 i32 i32 i32) (result i32)))
      (import "wasix_32v1" "proc_exit2" (func (param i32)))
      (import "wasix_32v1" "proc_fork" (func (param i32 i32) (result i32)))
      (import "wasi" "thread-spawn" (func (param i32) (result i32))))"#;
    let module = Module::from_text(&engine, text.as_bytes()).expect("it is a module");
    let missing = linker.missing(&module);
    let names: Vec<_> = missing.iter().map(|import| (import.module, import.name)).collect();
    assert_eq!(names, [("wasix_32v1", "proc_fork"), ("wasi", "thread-spawn")]);
    match linker.instantiate(&module) {
        Err(Error::Link { module, name, message }) => {
            assert_eq!((module.as_str(), name.as_str()), ("wasix_32v1", "proc_fork"));
            assert!(message.contains("unknown import"), "{message}");
        }
        _ => panic!("it links"),
    }
    // A function of the right name and another type.
    let text = r#"(module (import "wasix_32v1" "sock_open" (func (param i32) (result i32))))"#;
    let module = Module::from_text(&engine, text.as_bytes()).expect("it is a module");
    wasi.define_for(&mut linker, &module).expect("there is memory");
    assert!(matches!(linker.instantiate(&module), Err(Error::Link { .. })));
}

#[test]
fn nobody_wakes_the_only_thread() {
    let mut guest = Probe::new(Config::new());
    // At 128 a timeout of a microsecond, at 160 none.
    guest.put(128, &[1]);
    guest.put(136, &1000_u64.to_le_bytes());
    guest.put(64, &5_u32.to_le_bytes());
    assert_eq!(guest.call("x:futex_wait", &[64, 6, 160, 72]), 0);
    assert_eq!(guest.bytes(72, 1), [1]);
    assert_eq!(guest.call("x:futex_wait", &[64, 5, 128, 72]), 0);
    assert_eq!(guest.bytes(72, 1), [0]);
    assert_eq!(guest.call("x:futex_wait", &[64, 5, 160, 72]), errno::DEADLOCK);
    for name in ["x:futex_wake", "x:futex_wake_all"] {
        guest.put(72, &[1]);
        assert_eq!(guest.call(name, &[64, 72]), 0);
        assert_eq!(guest.bytes(72, 1), [0]);
    }
}

#[test]
fn what_is_no_terminal_has_a_size() {
    let mut guest = Probe::new(Config::new());
    assert_eq!(guest.call("x:tty_get", &[256]), 0);
    assert_eq!((guest.u32(256), guest.u32(260)), (80, 25));
    assert_eq!(guest.bytes(272, 6), [0, 0, 0, 1, 1, 0]);
    assert_eq!(guest.call("x:tty_set", &[256]), errno::NOT_SUPPORTED);
}

#[test]
fn files_go_down_sockets() {
    let dir = folder("send");
    let text: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    fs::write(dir.join("file"), &text).expect("there is a place for files");
    let mut config = Config::new();
    config.dir(&dir, "/", false).expect("it is there");
    let mut guest = Probe::new(config);
    guest.put(1024, b"file");
    let args = [3, 0, 1024, 4, 0, 1 << 1 | 1 << 2, 0, 0, 64];
    assert_eq!(guest.call("path_open", &args), 0);
    assert_eq!(guest.call("x:sock_pair", &[1, 1, 6, 64, 68]), 0);
    guest.put_vectors(0, &[(2048, 20_000)]);
    // From the middle, and beyond the end.
    for (offset, count, sent) in [(10, 1000, 1000), (99_990, 1 << 40, 10), (200_000, 1, 0)] {
        assert_eq!(guest.call("x:sock_send_file", &[5, 4, offset, count, 64]), 0);
        assert_eq!(guest.u32(64), sent);
        if sent > 0 {
            assert_eq!(guest.call("sock_recv", &[6, 0, 1, 0, 64, 68]), 0);
            let at = offset as usize;
            assert_eq!(guest.bytes(2048, sent as usize), text[at..at + sent as usize]);
        }
    }
    // As much as goes without waiting.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[5, 4]), 0);
    let mut total = 0;
    loop {
        match guest.call("x:sock_send_file", &[5, 4, 0, 100_000, 64]) {
            0 => total += guest.u32(64),
            error => break assert_eq!(error, errno::AGAIN),
        }
    }
    assert!(total >= 50_000, "{total}");
    assert_eq!(guest.call("x:sock_send_file", &[5, 3, 0, 1, 64]), errno::NOT_CAPABLE);
    assert_eq!(guest.call("x:sock_send_file", &[5, 6, 0, 1, 64]), errno::NOT_CAPABLE);
    assert_eq!(guest.call("x:sock_send_file", &[5, 4, 1, u64::MAX, 64]), errno::INVALID);
    assert_eq!(guest.call("x:sock_send_file", &[5, 4, 1 << 63, 0, 64]), errno::INVALID);
}
