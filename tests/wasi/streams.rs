//! Standard streams, waiting, clocks, random bytes, and guests that ask for too much.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tenon::TrapCode;
use tenon::wasi::{Capture, Clock, Config, Exit, FUNCTIONS, Snapshot, Stream};

use crate::guest::*;

/// Both ends of a pipe: where it is read, where it is written.
fn pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = io::pipe().expect("the system has pipes");
    (reader.into(), writer.into())
}

fn with_streams(set: impl FnOnce(&mut Config)) -> Guest {
    let mut config = Config::new();
    set(&mut config);
    Guest::new(config)
}

#[test]
fn streams_lead_nowhere_unless_told() {
    let guest = Guest::new(Config::new());
    assert_eq!(guest.read(0, 9), Ok(Vec::new()));
    assert_eq!(guest.write(1, b"text"), Ok(4));
    assert_eq!(guest.write(2, b"text"), Ok(4));
    assert_eq!(guest.write(0, b"text"), Err(errno::NOTCAPABLE));
    assert_eq!(guest.read(1, 9), Err(errno::NOTCAPABLE));
    assert_eq!(guest.read(3, 9), Err(errno::BADF));
    for fd in 0..3 {
        let (filetype, flags, rights, _) = guest.fdstat(fd).expect("it is open");
        assert_eq!((filetype, flags, rights & (rights::SEEK | rights::TELL)), (0, 0, 0));
        let seek = guest.call("fd_seek", &[fd.into(), 0, 0, RESULT.into()]);
        assert!(matches!(seek, errno::NOTCAPABLE | errno::SPIPE), "{seek}");
        assert_eq!(guest.call("fd_filestat_set_size", &[fd.into(), 0]), errno::NOTCAPABLE);
    }
}

/// The C library takes a character device for a terminal if it cannot seek.
#[test]
fn only_terminals_look_like_terminals() {
    const CHARACTER_DEVICE: u8 = 2;
    let looks = |stream| {
        let guest = with_streams(|config| {
            config.stdout(stream);
        });
        let (filetype, _, rights, _) = guest.fdstat(1).expect("it is open");
        filetype == CHARACTER_DEVICE && rights & (rights::SEEK | rights::TELL) == 0
    };
    let device = |path: &str| {
        let options = std::fs::OpenOptions::new().read(true).write(true).open(path);
        OwnedFd::from(options.expect("the device is there"))
    };
    for stream in [
        Stream::null(),
        Stream::capture(&Capture::default()),
        Stream::fd(device("/dev/null")),
        Stream::fd(pipe().1),
    ] {
        assert!(!looks(stream));
    }
    assert!(looks(Stream::fd(device("/dev/ptmx"))));
}

#[test]
fn bytes_readers_and_writers_are_streams() {
    #[derive(Clone, Default)]
    struct Kept(Rc<RefCell<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // As pipes do, it takes less than it is given.
            let bytes = &bytes[..bytes.len().min(3)];
            self.0.borrow_mut().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Failing;
    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let guest = with_streams(|config| {
        config.stdin(Stream::reader(b"0123".chain(&b"456789"[..])));
        config.stdout(Stream::writer(kept.clone()));
        config.stderr(Stream::writer(Failing));
    });
    assert_eq!(guest.read(0, 100), Ok(b"0123".to_vec()));
    assert_eq!(guest.read(0, 4), Ok(b"4567".to_vec()));
    assert_eq!(guest.read(0, 4), Ok(b"89".to_vec()));
    assert_eq!(guest.read(0, 4), Ok(Vec::new()));
    assert_eq!(guest.write(1, b"hello"), Ok(3));
    assert_eq!(guest.write(1, b"lo"), Ok(2));
    assert_eq!(guest.write(1, b""), Ok(0));
    assert_eq!(*kept.0.borrow(), b"hello");
    assert_eq!(guest.write(2, b"x"), Err(errno::PIPE));
}

#[test]
fn captured_output_has_a_bound() {
    let capture = Capture::new(Some(1000));
    let guest = with_streams(|config| {
        config.capture_stdout(&capture).capture_stderr(&capture);
    });
    assert_eq!(guest.write(1, &[1; 900]), Ok(900));
    assert_eq!(guest.write(2, &[2; 900]), Ok(100));
    assert_eq!(guest.write(1, &[3]), Err(errno::NOSPC));
    assert_eq!(capture.take(usize::MAX), [[1; 900].as_slice(), &[2; 100]].concat());
    assert_eq!(guest.write(1, &[4]), Ok(1));
}

/// A child whose SIGPIPE has its default action, as in programs that are not Rust's, survives.
#[test]
fn a_closed_pipe_raises_no_signal() {
    const CHILD: &str = "TENON_TEST_CLOSED_PIPE";
    if std::env::var_os(CHILD).is_none() {
        let exe = std::env::current_exe().expect("the test knows its own file");
        let mut command = std::process::Command::new(exe);
        command.args(["--exact", "streams::a_closed_pipe_raises_no_signal"]).env(CHILD, "1");
        let output = command.output().expect("the test can be run again");
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(" 1 passed"));
        return;
    }
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let (reader, writer) = pipe();
    let dir = TempDir::new();
    let made = std::process::Command::new("mkfifo").arg(dir.join("fifo")).status();
    assert!(made.expect("there is a mkfifo").success());
    let mut config = Config::new();
    config.stdout(Stream::fd(writer)).dir(&dir.0, "/", true).expect("it is there");
    let guest = Guest::new(config);
    assert_eq!(guest.write(1, b"x"), Ok(1));
    drop(reader);
    for _ in 0..3 {
        assert_eq!(guest.write(1, b"x"), Err(errno::PIPE));
    }
    let input = guest.open(DIR, "fifo").expect("it opens");
    let output = guest.open_with((DIR, 0), "fifo", 0, rights::WRITE, 0).expect("it opens");
    assert_eq!(guest.close(input), 0);
    assert_eq!(guest.write(output, b"x"), Err(errno::PIPE));
    // The thread takes the signal again.
    // SAFETY: the sets are initialized by the calls.
    let blocked = unsafe {
        let mut set = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
        libc::sigismember(&raw const set, libc::SIGPIPE)
    };
    assert_eq!(blocked, 0);
}

#[test]
fn the_host_does_not_notice_that_a_guest_does_not_wait() {
    let (reader, writer) = pipe();
    let shared = reader.try_clone().expect("it can be copied");
    let kept = writer.try_clone().expect("it can be copied");
    let guest = with_streams(|config| {
        config.stdin(Stream::fd(reader)).stdout(Stream::fd(writer));
    });
    for fd in [0, 1] {
        guest.succeed("fd_fdstat_set_flags", &[fd, 4]);
        assert_eq!(guest.fdstat(fd as u32).map(|stat| stat.1), Ok(4));
        assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 1]), errno::NOTSUP);
    }
    assert_eq!(guest.read(0, 9), Err(errno::AGAIN));
    // A flood that nobody reads.
    let mut written = 0;
    let end = loop {
        match guest.write(1, &[7; 60_000]) {
            Ok(len) => written += len as usize,
            Err(errno) => break errno,
        }
    };
    assert_eq!(end, errno::AGAIN);
    assert!(written >= 4096, "{written}");
    assert_eq!(guest.read(0, 4).map(|bytes| bytes.len()), Ok(4));
    for fd in [&shared, &kept] {
        let flags = rustix::fs::fcntl_getfl(fd).expect("it is open");
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    }
}

/// Waiting ends when the host wants execution to end, whatever is waited for.
#[test]
fn waiting_can_be_interrupted() {
    let ((reader, _writer), (_reader, writer)) = (pipe(), pipe());
    let mut config = Config::new();
    config.stdin(Stream::fd(reader)).stdout(Stream::fd(writer));
    let guest = Guest::interruptible(config);
    let store = guest.memory.store();
    let handle = store.interrupt_handle().expect("the engine is interruptible");
    let [array, count] = guest.buffers(&[(DATA, 60_000)]);
    guest.put(DATA + 60_000, &clock(1, 1, u64::MAX, 0));
    guest.put(DATA + 60_048, &descriptor(2, 1, 0));
    let (clock, both) = (i64::from(DATA) + 60_000, i64::from(DATA) + 60_096);
    for (name, args) in [
        ("fd_read", vec![0, array, count, RESULT.into()]),
        ("fd_write", vec![1, array, count, RESULT.into()]),
        ("poll_oneoff", vec![clock, both, 1, RESULT.into()]),
        ("poll_oneoff", vec![clock, both, 2, RESULT.into()]),
    ] {
        let handle = handle.clone();
        let interrupter = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            handle.interrupt();
        });
        let trap = loop {
            // A pipe takes some writes before it is full.
            match guest.call_trapping(name, &args) {
                Ok(errno) => assert_eq!((name, errno), ("fd_write", 0)),
                Err(trap) => break trap,
            }
        };
        interrupter.join().expect("it has interrupted");
        assert_eq!(trap.code(), Some(TrapCode::Interrupt), "{name}");
        // The guest goes on afterwards.
        assert_eq!(guest.write(2, b"text"), Ok(4));
    }
    store.set_deadline(Some(Duration::from_millis(10))).expect("there is a deadline");
    let trap = guest.call_trapping("fd_read", &[0, array, count, RESULT.into()]);
    let trap = trap.expect_err("nothing is there to read");
    assert_eq!(trap.code(), Some(TrapCode::DeadlineExceeded));
}

/// A pipe that holds less than the buffers do: what is there is returned.
#[test]
fn reading_does_not_wait_for_the_second_buffer() {
    let (reader, writer) = pipe();
    let guest = with_streams(|config| {
        config.stdin(Stream::fd(reader));
    });
    assert_eq!(rustix::io::write(&writer, b"0123"), Ok(4));
    let [array, count] = guest.buffers(&[(DATA + 100, 4), (DATA, 100)]);
    guest.succeed("fd_read", &[0, array, count, RESULT.into()]);
    assert_eq!(guest.u32(RESULT), 4);
    assert_eq!(guest.bytes(DATA + 100, 4), b"0123");
}

/// Subscriptions of `wasi_snapshot_preview1`.
fn clock(userdata: u8, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut raw = [0; 48];
    raw[0] = userdata;
    raw[16..20].copy_from_slice(&id.to_le_bytes());
    raw[24..32].copy_from_slice(&timeout.to_le_bytes());
    raw[40..42].copy_from_slice(&flags.to_le_bytes());
    raw
}

fn descriptor(userdata: u8, kind: u8, fd: u32) -> [u8; 48] {
    let mut raw = [0; 48];
    (raw[0], raw[8]) = (userdata, kind);
    raw[16..20].copy_from_slice(&fd.to_le_bytes());
    raw
}

/// What has happened: user data, error, kind, bytes, and whether the other side has hung up.
type Event = (u64, u16, u8, u64, u16);

fn poll(guest: &Guest, subscriptions: &[[u8; 48]]) -> Result<Vec<Event>, u32> {
    let events = DATA + 4096;
    guest.put(DATA, &subscriptions.concat());
    let args = [DATA.into(), events.into(), subscriptions.len() as i64, RESULT.into()];
    match guest.call("poll_oneoff", &args) {
        0 => {}
        errno => return Err(errno),
    }
    let half = |at| u16::from_le_bytes(guest.get(at));
    let event = |at| {
        (guest.u64(at), half(at + 8), guest.get::<1>(at + 10)[0], guest.u64(at + 16), half(at + 24))
    };
    Ok((0..guest.u32(RESULT)).map(|i| event(events + 32 * i)).collect())
}

#[test]
fn waiting_ends_when_something_happens() {
    let (reader, writer) = pipe();
    let dir = TempDir::new();
    dir.write("file", b"text");
    let mut config = Config::new();
    config.stdin(Stream::fd(reader)).dir(&dir.0, "/", true).expect("it is there");
    let guest = Guest::new(config);
    let file = guest.open(DIR, "file").expect("it opens");
    assert_eq!(poll(&guest, &[]), Err(errno::INVAL));
    assert_eq!(poll(&guest, &[descriptor(1, 3, 0)]), Err(errno::INVAL));
    // A bad subscription is an event of its own; the others are looked at.
    let events = poll(
        &guest,
        &[
            descriptor(1, 1, 99),
            clock(2, 9, 0, 0),
            clock(3, 0, 0, 2),
            descriptor(4, 1, file),
            descriptor(5, 2, 1),
            descriptor(6, 1, 0),
            clock(7, 1, u64::MAX, 0),
        ],
    );
    let mut events = events.expect("it is polled");
    events.sort();
    let errors: Vec<_> = events.iter().map(|event| (event.0, u32::from(event.1))).collect();
    let expected = [(1, errno::BADF), (2, errno::INVAL), (3, errno::INVAL), (4, 0), (5, 0)];
    assert_eq!(errors, expected);
    assert_eq!(events[3].3, 4);
    // Relative and absolute, of every clock.
    for id in 0..4 {
        assert_eq!(poll(&guest, &[clock(8, id, 1000, 0)]), Ok(vec![(8, 0, 0, 0, 0)]));
        assert_eq!(poll(&guest, &[clock(8, id, 1, 1)]), Ok(vec![(8, 0, 0, 0, 0)]));
    }
    let begun = Instant::now();
    assert!(poll(&guest, &[clock(9, 1, 20_000_000, 0), descriptor(6, 1, 0)]).is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!(rustix::io::write(&writer, b"xyz"), Ok(3));
    let events = poll(&guest, &[descriptor(6, 1, 0), clock(7, 1, u64::MAX, 0)]);
    assert_eq!(events, Ok(vec![(6, 0, 1, 3, 0)]));
    drop(writer);
    let events = poll(&guest, &[descriptor(6, 1, 0)]).expect("it is polled");
    assert_eq!((events[0].1, events[0].4), (0, 1));
}

#[test]
fn clocks_and_chance_can_be_the_embedders() {
    let time = Rc::new(std::cell::Cell::new(5_000_000_000_u64));
    let shown = time.clone();
    let mut next = 0;
    let guest = with_streams(|config| {
        config.clock(move |clock| match clock {
            Clock::Monotonic => shown.get(),
            clock => clock as u64 + 7,
        });
        config.random(move |bytes| {
            for byte in bytes {
                next += 1;
                *byte = next;
            }
        });
    });
    for (id, expected) in [(0, 7), (1, 5_000_000_000), (2, 9), (3, 10)] {
        guest.succeed("clock_time_get", &[id, 0, RESULT.into()]);
        assert_eq!(guest.u64(RESULT), expected);
        guest.succeed("clock_res_get", &[id, RESULT.into()]);
        assert_eq!(guest.u64(RESULT), 1);
    }
    guest.succeed("random_get", &[DATA.into(), 5]);
    assert_eq!(guest.bytes(DATA, 6), [1, 2, 3, 4, 5, 0]);
    // A clock that stands still does not hold a guest for ever.
    assert_eq!(poll(&guest, &[clock(1, 1, 5_000_000, 0)]), Ok(vec![(1, 0, 0, 0, 0)]));
    assert_eq!(poll(&guest, &[clock(1, 1, 5_001_000_000, 1)]), Ok(vec![(1, 0, 0, 0, 0)]));
}

#[test]
fn the_hosts_clocks_are_real() {
    let guest = Guest::new(Config::new());
    for id in 0..4 {
        guest.succeed("clock_res_get", &[id, RESULT.into()]);
        assert!((1..=1_000_000_000).contains(&guest.u64(RESULT)));
        guest.succeed("clock_time_get", &[id, 0, RESULT.into()]);
        let first = guest.u64(RESULT);
        guest.succeed("clock_time_get", &[id, 0, RESULT.into()]);
        assert!(first > 0 && guest.u64(RESULT) >= first, "{id}");
    }
    for id in [4, -1] {
        assert_eq!(guest.call("clock_res_get", &[id, RESULT.into()]), errno::INVAL);
        assert_eq!(guest.call("clock_time_get", &[id, 0, RESULT.into()]), errno::INVAL);
    }
    guest.succeed("random_get", &[DATA.into(), 64]);
    assert_ne!(guest.bytes(DATA, 64), [0; 64]);
    guest.succeed("sched_yield", &[]);
    assert_eq!(guest.call("proc_raise", &[9]), errno::NOTSUP);
}

#[test]
fn leaving_is_a_trap_with_a_status() {
    let guest = Guest::new(Config::new());
    for status in [0, 1, 255, 256, u32::MAX] {
        let trap = guest.call_trapping("proc_exit", &[status.into()]).expect_err("it traps");
        assert_eq!(Exit::of(&trap), Some(Exit(status)));
    }
}

#[test]
fn what_is_no_socket_is_told_apart_from_nothing() {
    let dir = TempDir::new();
    let guest = Guest::with_dir(&dir.0);
    let calls = |fd: u32| {
        let [array, count] = guest.buffers(&[(DATA, 4)]);
        let (fd, result) = (i64::from(fd), i64::from(RESULT));
        [
            guest.call("sock_accept", &[fd, 0, result]),
            guest.call("sock_recv", &[fd, array, count, 0, result, result + 8]),
            guest.call("sock_send", &[fd, array, count, 0, result]),
            guest.call("sock_shutdown", &[fd, 1]),
        ]
    };
    assert_eq!(calls(99), [errno::BADF; 4]);
    assert_eq!(calls(DIR), [errno::NOTSOCK; 4]);
    assert_eq!(calls(1), [errno::NOTSOCK; 4]);
}

/// Numbers that are too large are refused before anything is done with them.
#[test]
fn too_much_is_refused_at_once() {
    let dir = TempDir::new();
    let guest = Guest::with_dir(&dir.0);
    let begun = Instant::now();
    let result = i64::from(RESULT);
    assert_eq!(guest.call("random_get", &[0, -1]), errno::FAULT);
    for name in ["fd_read", "fd_write"] {
        let fd = i64::from(name == "fd_write");
        for count in [1 << 26, -1, 1025] {
            assert_eq!(guest.call(name, &[fd, 0, count, result]), errno::INVAL, "{name} {count}");
        }
    }
    for count in [60_000_000, -1, 4097] {
        let args = [DATA.into(), DATA.into(), count, result];
        assert_eq!(guest.call("poll_oneoff", &args), errno::INVAL, "{count}");
    }
    guest.memory.grow(2000).expect("it can grow");
    let size = guest.memory.size() as i64;
    assert!(size > 100_000_000);
    let args = [DIR.into(), 0, 0, 100_000_000, result];
    assert_eq!(guest.call("path_filestat_get", &args), errno::NAMETOOLONG);
    assert_eq!(guest.call("path_filestat_get", &[3, 0, 1, -1, result]), errno::FAULT);
    // Opening without closing.
    dir.write("file", b"");
    let mut open = 0;
    let end = (0..1_000_000).find_map(|_| {
        open += 1;
        guest.open(DIR, "file").err()
    });
    assert_eq!(end, Some(errno::MFILE));
    assert!(open <= 1024, "{open}");
    assert_eq!(guest.close(5), 0);
    assert_eq!(guest.open(DIR, "file"), Ok(5));
    // Endless, and read as far as the buffer goes.
    let mut config = Config::new();
    config.dir("/dev", "/dev", false).expect("it is there");
    let devices = Guest::new(config);
    let zero = devices.open(DIR, "zero").expect("it opens");
    let [array, count] = devices.buffers(&[(DATA, 100_000)]);
    devices.succeed("fd_read", &[zero.into(), array, count, result]);
    assert_eq!(devices.u32(RESULT), 100_000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_guest_has_only_so_many_directories() {
    let dir = TempDir::new();
    let mut config = Config::new();
    let given = (0..2000).take_while(|_| config.dir(&dir.0, "/", true).is_ok()).count();
    assert_eq!(given, 1021);
    let guest = Guest::new(config);
    guest.succeed("fd_prestat_get", &[1023, RESULT.into()]);
    assert_eq!(guest.open(DIR, "."), Err(errno::MFILE));
    assert_eq!(guest.create(DIR, "file", CREAT), Err(errno::MFILE));
    assert!(!dir.join("file").exists());
}

/// A directory of many entries is listed with no more memory than one of few.
#[test]
fn large_directories_are_listed_piece_by_piece() {
    let entries = std::env::var("TENON_TEST_ENTRIES").ok().and_then(|n| n.parse().ok());
    let entries: u32 = entries.unwrap_or(5_000);
    let dir = TempDir::new();
    for i in 0..entries {
        dir.write(&i.to_string(), b"");
    }
    let guest = Guest::with_dir(&dir.0);
    let (mut cookie, mut count) = (0, 0);
    loop {
        let args = [DIR.into(), DATA.into(), 4096, cookie, RESULT.into()];
        guest.succeed("fd_readdir", &args);
        let used = guest.u32(RESULT);
        let mut at = DATA;
        while at + 24 <= DATA + used && at + 24 + guest.u32(at + 16) <= DATA + used {
            cookie = guest.u64(at) as i64;
            at += 24 + guest.u32(at + 16);
            count += 1;
        }
        if used < 4096 {
            break;
        }
    }
    assert_eq!(count, entries + 2);
}

/// `docs/wasi.md` has a row for each function.
#[test]
fn every_function_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/wasi.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    for function in FUNCTIONS {
        let row = format!("| `{}` |", function.name);
        assert_eq!(text.matches(&row).count(), 1, "{}", function.name);
    }
    assert!(Snapshot::ALL.iter().all(|snapshot| text.contains(snapshot.module())));
}
