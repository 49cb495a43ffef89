//! Sockets of guests: those of preview 1, WasmEdge's and WASIX's, and what guests are refused.
//! Nothing here leaves the machine.

mod probe;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use probe::{Probe, errno};
use tenon::wasi::Config;
use tenon::{Error, Val};

const SERVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/serve.wasm");
const SERVE_WASMEDGE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/serve_wasmedge.wasm");

/// A process that ends with the test.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(args: &[&str]) -> Guest {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
    command.arg("run").args(args).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Guest(command.spawn().expect("the command line has been built"))
}

/// What a server answers to a request for a path.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the guest listens");
    // In two parts, so that the guest has to wait for the second.
    stream.write_all(format!("GET {path} HT").as_bytes()).expect("the guest takes it");
    stream.write_all(b"TP/1.1\r\nHost: here\r\n\r\n").expect("the guest takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the guest answers");
    answer
}

/// Has a server answer that many clients at once, one of whom says nothing and goes.
fn visit(address: &str, clients: usize) {
    let silent = TcpStream::connect(address).expect("the guest listens");
    thread::scope(|scope| {
        for i in 0..clients {
            scope.spawn(move || {
                let path = format!("/{i}/{}", "x".repeat(i));
                let answer = get(address, &path);
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
                assert!(answer.ends_with(&format!("\r\n\r\n{path}")), "{answer}");
            });
        }
    });
    drop(silent);
}

#[test]
fn a_server_on_a_listener_that_it_is_given() {
    let mut guest = run(&["--tcplisten", "127.0.0.1:0", SERVE, "12"]);
    let mut line = String::new();
    BufReader::new(guest.0.stderr.take().expect("it is piped"))
        .read_line(&mut line)
        .expect("it is text");
    let address = line.trim().strip_prefix("listening on ").expect("it says where");
    visit(address, 12);
    let mut out = String::new();
    guest.0.stdout.take().expect("it is piped").read_to_string(&mut out).expect("it is text");
    assert_eq!(out, "served\n");
    assert!(guest.0.wait().expect("it ends").success());
}

#[test]
fn a_server_that_makes_its_listener_as_wasmedge_does() {
    let mut guest = run(&["--allow-net", "127.0.0.1:0", SERVE_WASMEDGE, "0", "12"]);
    let mut line = String::new();
    BufReader::new(guest.0.stdout.take().expect("it is piped"))
        .read_line(&mut line)
        .expect("it is text");
    visit(line.trim(), 12);
    assert!(guest.0.wait().expect("it ends").success());
}

#[test]
fn a_server_without_grant_ends_with_eacces() {
    for (grant, failed) in [(None, "sock_open"), (Some("127.0.0.1:1"), "sock_bind")] {
        let mut args: Vec<_> = grant.iter().flat_map(|grant| ["--allow-net", *grant]).collect();
        args.extend([SERVE_WASMEDGE, "0"]);
        let mut guest = run(&args);
        let mut text = String::new();
        guest.0.stderr.take().expect("it is piped").read_to_string(&mut text).expect("it is text");
        assert_eq!(text, format!("{failed}: error 2\n"));
        assert_eq!(guest.0.wait().expect("it ends").code(), Some(2));
    }
}

#[test]
fn the_command_line_refuses_nonsense() {
    let cases = [
        ("--allow-net", "127.0.0.1", "a grant is HOST:PORT"),
        ("--allow-net", "::1:80", "brackets"),
        ("--tcplisten", "127.0.0.1", "127.0.0.1: "),
        ("--tcplisten", "192.0.2.1:0", "192.0.2.1:0: "),
    ];
    for (flag, value, says) in cases {
        let mut guest = run(&[flag, value, SERVE]);
        let mut text = String::new();
        guest.0.stderr.take().expect("it is piped").read_to_string(&mut text).expect("it is text");
        assert!(text.starts_with("error: ") && text.contains(says), "{text}");
        assert_eq!(guest.0.wait().expect("it ends").code(), Some(1));
    }
}

/// A guest with a listener as descriptor 3, and the listener's address.
fn with_listener() -> (Probe, std::net::SocketAddr) {
    let mut config = Config::new();
    let address = config.tcp_listen("127.0.0.1:0").expect("there is a loopback");
    (Probe::new(config), address)
}

#[test]
fn accepts_receives_and_sends() {
    let (mut guest, address) = with_listener();
    // Filetype of a stream socket, no flags; rights to accept, none to read.
    assert_eq!(guest.call("fd_fdstat_get", &[3, 256]), 0);
    assert_eq!(guest.bytes(256, 4), [6, 0, 0, 0]);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[3, 4]), 0);
    assert_eq!(guest.call("sock_accept", &[3, 0, 64]), errno::AGAIN);
    assert_eq!(guest.poll(&[(3, probe::READ)], 0), []);

    let mut client = TcpStream::connect(address).expect("the guest listens");
    let events = guest.poll(&[(3, probe::READ)], probe::FOREVER);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].error, events[0].kind), (0, probe::READ));
    assert_eq!(guest.call("sock_accept", &[3, 4, 64]), 0);
    assert_eq!(guest.u32(64), 4);
    assert_eq!(guest.call("fd_fdstat_get", &[4, 256]), 0);
    // Nonblocking, as was asked for.
    assert_eq!(guest.bytes(256, 4), [6, 0, 4, 0]);
    guest.put_vectors(0, &[(512, 5), (600, 100)]);
    assert_eq!(guest.call("sock_recv", &[4, 0, 2, 0, 64, 68]), errno::AGAIN);

    client.write_all(b"hello guest").expect("the guest takes it");
    let events = guest.poll(&[(4, probe::READ)], probe::FOREVER);
    assert_eq!((events[0].bytes, events[0].hangup), (11, false));
    // What is only looked at stays.
    assert_eq!(guest.call("sock_recv", &[4, 0, 2, 1, 64, 68]), 0);
    assert_eq!(guest.u32(64), 11);
    assert_eq!(guest.call("sock_recv", &[4, 0, 2, 2, 64, 68]), 0);
    assert_eq!(guest.u32(64), 11);
    assert_eq!((guest.bytes(512, 5), guest.bytes(600, 6)), (b"hello".to_vec(), b" guest".to_vec()));

    let events = guest.poll(&[(4, probe::WRITE)], probe::FOREVER);
    assert_eq!((events.len(), events[0].kind), (1, probe::WRITE));
    assert_eq!(guest.call("sock_send", &[4, 0, 1, 0, 64]), 0);
    guest.put_vectors(0, &[(600, 6)]);
    assert_eq!(guest.call("fd_write", &[4, 0, 1, 64]), 0);
    assert_eq!(guest.call("sock_shutdown", &[4, 2]), 0);
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("the guest sends");
    assert_eq!(answer, "hello guest");

    // After the guest's own end of writing, and after the peer's.
    assert_eq!(guest.call("sock_send", &[4, 0, 1, 0, 64]), errno::PIPE);
    client.write_all(b"!").expect("the guest takes it");
    client.shutdown(Shutdown::Write).expect("it is open");
    let events = guest.poll(&[(4, probe::READ)], probe::FOREVER);
    assert_eq!((events[0].error, events[0].hangup), (0, true));
    assert_eq!(guest.call("fd_read", &[4, 0, 1, 64]), 0);
    assert_eq!(guest.u32(64), 1);
    assert_eq!(guest.call("fd_read", &[4, 0, 1, 64]), 0);
    assert_eq!(guest.u32(64), 0);
    assert_eq!(guest.call("fd_close", &[4]), 0);
    assert_eq!(guest.call("sock_recv", &[4, 0, 1, 0, 64, 68]), errno::BAD_FD);
}

#[test]
fn deadlines_end_waiting() {
    let mut engine = tenon::Config::new();
    engine.interruptible(true);
    let mut config = Config::new();
    config.tcp_listen("127.0.0.1:0").expect("there is a loopback");
    let mut guest = Probe::on(&engine, config);
    assert_eq!(guest.call("x:fd_pipe", &[64, 68]), 0);
    guest.put_vectors(0, &[(512, 5)]);
    let store = guest.instance.store();
    let waits: [(&str, &[i32]); 3] = [
        ("sock_accept", &[3, 0, 64]),
        ("sock_recv", &[4, 0, 1, 0, 64, 68]),
        ("fd_read", &[4, 0, 1, 64]),
    ];
    for (name, args) in waits {
        store.set_deadline(Some(Duration::from_millis(20))).expect("it can be set");
        let args: Vec<_> = args.iter().map(|arg| Val::I32(*arg)).collect();
        let func = guest.instance.func(name).expect("it is exported");
        assert!(matches!(func.call(&args), Err(Error::Trap(_))), "{name}");
    }
    // What need not wait does not.
    store.set_deadline(None).expect("it can be set");
    assert_eq!(guest.call("sock_send", &[4, 0, 1, 0, 64]), 0);
    assert_eq!(guest.call("sock_recv", &[5, 0, 1, 0, 64, 68]), 0);
    assert_eq!(guest.u32(64), 5);
}

#[test]
fn listeners_follow_directories() {
    let mut config = Config::new();
    config.dir(env!("CARGO_MANIFEST_DIR"), "/", false).expect("it is there");
    let first = config.tcp_listen("127.0.0.1:0").expect("there is a loopback");
    config
        .listener(TcpListener::bind("127.0.0.1:0").expect("there is a loopback"))
        .expect("it is one");
    let mut guest = Probe::new(config);
    assert_eq!(guest.call("sock_accept", &[3, 0, 64]), errno::NOT_SOCKET);
    let _client = TcpStream::connect(first).expect("the guest listens");
    assert_eq!(guest.call("sock_accept", &[4, 0, 64]), 0);
    assert_eq!(guest.u32(64), 6);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[5, 4]), 0);
    assert_eq!(guest.call("sock_accept", &[5, 0, 64]), errno::AGAIN);
    assert_eq!(guest.call("sock_accept", &[7, 0, 64]), errno::BAD_FD);
}

#[test]
fn what_is_no_socket_is_refused() {
    let mut guest = Probe::new(Config::new());
    guest.put_vectors(0, &[(512, 5)]);
    let calls: [(&str, &[u64]); 9] = [
        ("sock_accept", &[0, 0, 64]),
        ("sock_accept/1", &[0, 64]),
        ("sock_recv", &[0, 0, 1, 0, 64, 68]),
        ("sock_send", &[1, 0, 1, 0, 64]),
        ("sock_shutdown", &[1, 3]),
        ("sock_listen", &[1, 3]),
        ("sock_getsockopt", &[1, 0, 0, 64, 68]),
        ("x:sock_listen", &[1, 3]),
        ("x:sock_status", &[1, 64]),
    ];
    for (name, args) in calls {
        assert_eq!(guest.call(name, args), errno::NOT_SOCKET, "{name}");
        let mut closed = args.to_vec();
        closed[0] = 99;
        assert_eq!(guest.call(name, &closed), errno::BAD_FD, "{name}");
    }
}

#[test]
fn wrong_flags_are_refused() {
    let (mut guest, address) = with_listener();
    let _client = TcpStream::connect(address).expect("the guest listens");
    // Only whether the connection blocks can be chosen.
    assert_eq!(guest.call("sock_accept", &[3, 1, 64]), errno::INVALID);
    assert_eq!(guest.call("sock_accept", &[3, 0x1_0004, 64]), errno::INVALID);
    assert_eq!(guest.call("sock_accept", &[3, 0, 64]), 0);
    guest.put_vectors(0, &[(512, 5)]);
    assert_eq!(guest.call("sock_recv", &[4, 0, 1, 16, 64, 68]), errno::INVALID);
    assert_eq!(guest.call("sock_send", &[4, 0, 1, 2, 64]), errno::INVALID);
    // What WASIX adds: no waiting.
    assert_eq!(guest.call("sock_recv", &[4, 0, 1, 8, 64, 68]), errno::AGAIN);
    assert_eq!(guest.call("sock_send", &[4, 0, 1, 1, 64]), 0);
    assert_eq!(guest.call("sock_shutdown", &[4, 0]), errno::INVALID);
    assert_eq!(guest.call("sock_shutdown", &[4, 4]), errno::INVALID);
    assert_eq!(guest.call("fd_seek", &[4, 0, 0, 64]), errno::NOT_CAPABLE);
    // Data does not go through a listener.
    assert_eq!(guest.call("sock_recv", &[3, 0, 1, 0, 64, 68]), errno::NOT_CAPABLE);
    // Rights that are given up do not come back with a connection.
    assert_eq!(guest.call("fd_fdstat_set_rights", &[3, 1 << 29, 1 << 1]), 0);
    let _client = TcpStream::connect(address).expect("the guest listens");
    assert_eq!(guest.call("sock_accept", &[3, 0, 64]), 0);
    assert_eq!(guest.call("sock_send", &[5, 0, 1, 0, 64]), errno::NOT_CAPABLE);
    assert_eq!(guest.call("sock_shutdown", &[5, 3]), errno::NOT_CAPABLE);
}

#[test]
fn waits_for_all_buffers() {
    let (mut guest, address) = with_listener();
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(address).expect("the guest listens");
        for byte in b"abcdefgh" {
            client.write_all(&[*byte]).expect("the guest takes it");
        }
        client
    });
    assert_eq!(guest.call("sock_accept", &[3, 0, 64]), 0);
    guest.put_vectors(0, &[(512, 3), (520, 0), (530, 5)]);
    assert_eq!(guest.call("sock_recv", &[4, 0, 3, 2, 64, 68]), 0);
    assert_eq!(guest.u32(64), 8);
    assert_eq!((guest.bytes(512, 3), guest.bytes(530, 5)), (b"abc".to_vec(), b"defgh".to_vec()));
    // No room for anything: nothing to wait for.
    guest.put_vectors(0, &[(512, 0)]);
    assert_eq!(guest.call("sock_recv", &[4, 0, 1, 0, 64, 68]), 0);
    assert_eq!(guest.call("sock_recv", &[4, 0, 0, 0, 64, 68]), 0);
    assert_eq!(guest.u32(64), 0);
    drop(client.join().expect("it has written"));
}

#[test]
fn too_many_buffers_and_lengths_that_overflow_are_refused() {
    let (mut guest, address) = with_listener();
    let _client = TcpStream::connect(address).expect("the guest listens");
    assert_eq!(guest.call("sock_accept", &[3, 0, 64]), 0);
    for count in [1025, 1 << 29, u32::MAX.into()] {
        assert_eq!(guest.call("sock_recv", &[4, 0, count, 0, 64, 68]), errno::INVALID);
        assert_eq!(guest.call("sock_send", &[4, 0, count, 0, 64]), errno::INVALID);
        assert_eq!(guest.call("fd_read", &[4, 0, count, 64]), errno::INVALID);
        let args = [4, 0, count, 0, 64, 68, 128];
        assert_eq!(guest.call("x:sock_recv_from", &args), errno::INVALID);
    }
    guest.put_vectors(0, &[(512, u32::MAX)]);
    assert_eq!(guest.call("sock_recv", &[4, 0, 1, 0, 64, 68]), errno::FAULT);
    assert_eq!(guest.call("sock_send", &[4, 0, 1, 0, 64]), errno::FAULT);
}

#[test]
fn connections_are_made_in_the_background() {
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let port = u64::from(server.local_addr().expect("it is bound").port());
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[3, 4]), 0);
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    // The system may be done at once.
    let error = guest.call("sock_connect", &[3, 128, port]);
    assert!(error == 0 || error == errno::IN_PROGRESS, "{error}");
    let events = guest.poll(&[(3, probe::WRITE)], probe::FOREVER);
    assert_eq!((events[0].error, events[0].hangup), (0, false));
    guest.put(68, &4_u32.to_le_bytes());
    assert_eq!(guest.call("sock_getsockopt", &[3, 0, 2, 256, 68]), 0);
    assert_eq!(guest.u32(256), 0);
    assert_eq!(guest.call("x:sock_status", &[3, 64]), 0);
    assert_eq!(guest.bytes(64, 1), [1]);
    // The system may say once more that it has connected.
    guest.call("sock_connect", &[3, 128, port]);
    assert_eq!(guest.call("sock_connect", &[3, 128, port]), errno::IS_CONNECTED);
    assert!(server.accept().is_ok());

    // Nobody listens at the guest's own socket.
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    assert_eq!(guest.call("sock_bind", &[4, 128, 0]), 0);
    assert_eq!(guest.call("x:sock_addr_local", &[4, 320]), 0);
    let port = u64::from(u16::from_le_bytes([guest.bytes(322, 1)[0], guest.bytes(323, 1)[0]]));
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[5, 4]), 0);
    let error = guest.call("sock_connect", &[5, 128, port]);
    if error != errno::CONNECTION_REFUSED {
        assert_eq!(error, errno::IN_PROGRESS);
        assert_eq!(guest.poll(&[(5, probe::WRITE)], probe::FOREVER).len(), 1);
        assert_eq!(guest.call("x:sock_status", &[5, 64]), 0);
        assert_eq!(guest.bytes(64, 1), [3]);
        assert_eq!(guest.call("x:sock_get_opt_size", &[5, 11, 256]), 0);
        assert_eq!(guest.u32(256), errno::CONNECTION_REFUSED);
    }
}

#[test]
fn closing_does_not_wait() {
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let port = u64::from(server.local_addr().expect("it is bound").port());
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    assert_eq!(guest.call("sock_connect", &[3, 128, port]), 0);
    // For longer than any test runs, with a peer that does not read.
    let (peer, _) = server.accept().expect("the guest has connected");
    guest.put(256, &[1_u32.to_le_bytes(), 30_000_u32.to_le_bytes()].concat());
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 9, 256, 8]), 0);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[3, 4]), 0);
    guest.put_vectors(0, &[(0, 0x8000)]);
    while guest.call("sock_send", &[3, 0, 1, 0, 64]) == 0 {}
    assert_eq!(guest.call("fd_close", &[3]), 0);
    drop(peer);
}

#[test]
fn what_is_not_granted_is_refused() {
    let mut guest = Probe::new(Config::new());
    assert_eq!(guest.call("sock_open", &[1, 1, 64]), errno::ACCESS);
    assert_eq!(guest.call("x:sock_open", &[1, 2, 0, 64]), errno::ACCESS);
    guest.put(1024, b"localhost");
    assert_eq!(guest.call("x:resolve", &[1024, 9, 0, 256, 4, 64]), errno::ACCESS);

    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let port = u64::from(elsewhere.local_addr().expect("it is bound").port());
    let mut config = Config::new();
    config.allow_net("127.0.0.1:1").expect("it is a grant");
    config.allow_net("127.0.0.2:*").expect("it is a grant");
    let mut guest = Probe::new(config);
    for (ty, fd) in [(2, 3), (1, 4)] {
        assert_eq!(guest.call("sock_open", &[1, ty, 64]), 0);
        guest.put_vectors(0, &[(512, 5)]);
        // Another port, another address, all addresses, the unspecified one, in the clothes of
        // version 6.
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[255, 255, 127, 0, 0, 1]);
        let addresses: [&[u8]; 4] = [&[127, 0, 0, 1], &[127, 0, 0, 3], &[0, 0, 0, 0], &mapped];
        for address in addresses {
            guest.put_address(128, 160, address);
            assert_eq!(guest.call("sock_connect", &[fd, 128, port]), errno::ACCESS, "{address:?}");
            assert_eq!(guest.call("sock_bind", &[fd, 128, port]), errno::ACCESS, "{address:?}");
            let args = [fd, 0, 1, 128, port, 0, 64];
            assert_eq!(guest.call("sock_send_to", &args), errno::ACCESS, "{address:?}");
        }
    }
    // Listening without an address would take all of them.
    assert_eq!(guest.call("sock_listen", &[3, 1]), errno::ACCESS);
    guest.put_address(128, 160, &[127, 0, 0, 2]);
    assert_eq!(guest.call("sock_bind", &[3, 128, 0]), 0);
    assert_eq!(guest.call("sock_listen", &[3, 1]), 0);
}

#[test]
fn wasix_connections_datagrams_and_names() {
    let mut guest = Probe::with_loopback();
    // A listener.
    assert_eq!(guest.call("x:sock_open", &[1, 1, 6, 64]), 0);
    guest.put(256, &[1, 0, 0, 0, 127, 0, 0, 1]);
    assert_eq!(guest.call("x:sock_bind", &[3, 256]), 0);
    assert_eq!(guest.call("x:sock_status", &[3, 64]), 0);
    assert_eq!(guest.bytes(64, 1), [0]);
    assert_eq!(guest.call("x:sock_listen", &[3, 4]), 0);
    assert_eq!(guest.call("x:sock_status", &[3, 64]), 0);
    assert_eq!(guest.bytes(64, 1), [1]);
    assert_eq!(guest.call("x:sock_get_opt_flag", &[3, 10, 64]), 0);
    assert_eq!(guest.bytes(64, 1), [1]);
    assert_eq!(guest.call("x:sock_addr_local", &[3, 256]), 0);
    let at = guest.bytes(256, 20);
    assert_eq!((at[0], &at[4..8]), (1, &[127, 0, 0, 1][..]));
    // Its own client.
    assert_eq!(guest.call("x:sock_open", &[1, 1, 0, 64]), 0);
    assert_eq!(guest.call("x:sock_connect", &[4, 256]), 0);
    assert_eq!(guest.call("x:sock_accept_v2", &[3, 0, 64, 320]), 0);
    assert_eq!(guest.u32(64), 5);
    assert_eq!(guest.call("x:sock_addr_local", &[4, 288]), 0);
    assert_eq!(guest.bytes(288, 20), guest.bytes(320, 20));
    assert_eq!(guest.call("x:sock_addr_peer", &[4, 288]), 0);
    assert_eq!(guest.bytes(288, 8), at[..8]);
    assert_eq!(guest.call("x:sock_status", &[5, 64]), 0);
    assert_eq!(guest.bytes(64, 1), [1]);

    // Datagrams.
    let peer = UdpSocket::bind("127.0.0.1:0").expect("there is a loopback");
    let [low, high] = peer.local_addr().expect("it is bound").port().to_le_bytes();
    assert_eq!(guest.call("x:sock_open", &[1, 2, 17, 64]), 0);
    guest.put(256, &[1, 0, low, high, 127, 0, 0, 1]);
    guest.put_vectors(0, &[(512, 4)]);
    guest.put(512, b"ping");
    assert_eq!(guest.call("x:sock_send_to", &[6, 0, 1, 1, 256, 64]), 0);
    let mut bytes = [0; 10];
    let (len, from) = peer.recv_from(&mut bytes).expect("the guest has sent");
    assert_eq!(&bytes[..len], b"ping");
    peer.send_to(b"pong!", from).expect("it is there");
    guest.put(256, &[0xff; 20]);
    assert_eq!(guest.call("x:sock_recv_from", &[6, 0, 1, 0, 64, 68, 256]), 0);
    assert_eq!(
        (guest.u32(64), guest.bytes(68, 2), guest.bytes(512, 4)),
        (4, vec![1, 0], b"pong".to_vec())
    );
    assert_eq!(guest.bytes(256, 8), [1, 0, low, high, 127, 0, 0, 1]);

    guest.put(1024, b"localhost");
    assert_eq!(guest.call("x:resolve", &[1024, 9, 80, 256, 4, 64]), 0);
    assert_eq!((guest.u32(64), guest.bytes(256, 6)), (1, vec![1, 0, 127, 0, 0, 1]));
    assert_eq!(guest.call("x:resolve", &[1024, 9, 80, 0xffff_ffff, 0, 64]), 0);
    assert_eq!(guest.u32(64), 0);
    guest.put(1024, b"nowhere.x");
    assert_eq!(guest.call("x:resolve", &[1024, 9, 80, 256, 4, 64]), errno::ACCESS);
    // Wrong families, types and protocols.
    assert_eq!(guest.call("x:sock_open", &[3, 1, 0, 64]), errno::ADDRESS_FAMILY);
    assert_eq!(guest.call("x:sock_open", &[1, 3, 0, 64]), errno::PROTOCOL_TYPE);
    assert_eq!(guest.call("x:sock_open", &[1, 1, 17, 64]), errno::PROTOCOL_NOT_SUPPORTED);
    guest.put(256, &[3, 0, low, high]);
    assert_eq!(guest.call("x:sock_connect", &[6, 256]), errno::ADDRESS_FAMILY);
}

#[test]
fn wasix_settings() {
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("x:sock_open", &[1, 1, 0, 64]), 0);
    for option in [1, 2, 3, 6, 12, 14] {
        assert_eq!(guest.call("x:sock_set_opt_flag", &[3, option, 1]), 0, "{option}");
        assert_eq!(guest.call("x:sock_get_opt_flag", &[3, option, 64]), 0, "{option}");
        assert_eq!(guest.bytes(64, 1), [1], "{option}");
    }
    assert_eq!(guest.call("x:sock_set_opt_flag", &[3, 2, 2]), errno::INVALID);
    assert_eq!(guest.call("x:sock_set_opt_flag", &[3, 10, 1]), errno::NO_SUCH_OPTION);
    assert_eq!(guest.call("x:sock_set_opt_flag", &[3, 5, 0]), errno::NOT_SUPPORTED);
    assert_eq!(guest.call("x:sock_get_opt_flag", &[3, 99, 64]), errno::NO_SUCH_OPTION);
    for option in [13, 19, 20] {
        guest.put(256, &[1]);
        guest.put(264, &3_000_000_000_u64.to_le_bytes());
        assert_eq!(guest.call("x:sock_set_opt_time", &[3, option, 256]), 0, "{option}");
        guest.put(256, &[0; 16]);
        assert_eq!(guest.call("x:sock_get_opt_time", &[3, option, 256]), 0, "{option}");
        assert_eq!(guest.bytes(256, 1), [1]);
        assert_eq!(guest.bytes(264, 8), 3_000_000_000_u64.to_le_bytes());
        guest.put(256, &[0]);
        assert_eq!(guest.call("x:sock_set_opt_time", &[3, option, 256]), 0, "{option}");
        assert_eq!(guest.call("x:sock_get_opt_time", &[3, option, 256]), 0, "{option}");
        assert_eq!(guest.bytes(256, 1), [0]);
    }
    guest.put(256, &[2]);
    assert_eq!(guest.call("x:sock_set_opt_time", &[3, 13, 256]), errno::INVALID);
    assert_eq!(guest.call("x:sock_set_opt_size", &[3, 23, 9]), 0);
    for (option, size) in [(23, 9), (25, 1), (11, 0)] {
        assert_eq!(guest.call("x:sock_get_opt_size", &[3, option, 256]), 0);
        assert_eq!(guest.u32(256), size);
    }
    assert_eq!(guest.call("x:sock_set_opt_size", &[3, 15, 1 << 31]), errno::INVALID);
    assert_eq!(guest.call("x:sock_set_opt_size", &[3, 15, 1 << 32]), errno::INVALID);
}

#[test]
fn version_6_where_the_machine_has_it() {
    let Ok(server) = TcpListener::bind("[::1]:0") else {
        eprintln!("skipped: this machine has no loopback of version 6");
        return;
    };
    let port = u64::from(server.local_addr().expect("it is bound").port());
    let mut config = Config::new();
    config.allow_net("[::1]:*").expect("it is a grant");
    config.allow_net("[::]:*").expect("it is a grant");
    let mut guest = Probe::new(config);
    assert_eq!(guest.call("sock_open", &[2, 2, 64]), 0);
    let mut loopback = [0; 16];
    loopback[15] = 1;
    guest.put_address(128, 160, &loopback);
    assert_eq!(guest.call("sock_connect", &[3, 128, port]), 0);
    guest.put_address(128, 160, &[0; 16]);
    assert_eq!(guest.call("sock_getpeeraddr/4", &[3, 128, 64, 68]), 0);
    assert_eq!((guest.bytes(160, 16), guest.u32(64)), (loopback.to_vec(), 6));
    // Too small for an address of version 6.
    guest.put_address(128, 160, &[0; 4]);
    assert_eq!(guest.call("sock_getpeeraddr/4", &[3, 128, 64, 68]), errno::INVALID);
    assert_eq!(guest.call("x:sock_addr_peer", &[3, 256]), 0);
    assert_eq!(guest.bytes(256, 2), [2, 0]);
    assert_eq!(guest.bytes(260, 16), loopback);

    // All addresses of version 6 are none of version 4.
    assert_eq!(guest.call("sock_open", &[2, 2, 64]), 0);
    guest.put_address(128, 160, &[0; 16]);
    assert_eq!(guest.call("sock_bind", &[4, 128, 0]), 0);
    assert_eq!(guest.call("sock_listen", &[4, 1]), 0);
    assert_eq!(guest.call("sock_getlocaladdr/4", &[4, 128, 64, 68]), 0);
    let port = guest.u32(68) as u16;
    assert!(TcpStream::connect(("::1", port)).is_ok());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn descriptors_run_out() {
    let mut guest = Probe::new(Config::new());
    let mut error = 0;
    for _ in 0..600 {
        error = guest.call("x:fd_pipe", &[64, 68]);
        if error != 0 {
            break;
        }
    }
    assert_eq!(error, errno::TOO_MANY_FILES);
    assert_eq!(guest.call("x:fd_dup2", &[0, 1024, 0, 64]), errno::TOO_MANY_FILES);
    assert_eq!(guest.call("x:fd_dup2", &[0, u32::MAX.into(), 0, 64]), errno::TOO_MANY_FILES);
}
