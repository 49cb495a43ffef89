//! WasmEdge's functions on sockets, in both versions.

mod probe;

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};

use probe::{Probe, errno};

#[test]
fn datagrams_come_back() {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("there is a loopback");
    let port = peer.local_addr().expect("it is bound").port();
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("sock_open", &[1, 1, 64]), 0);
    let fd = u64::from(guest.u32(64));
    assert_eq!(guest.call("fd_fdstat_get", &[fd, 256]), 0);
    assert_eq!(guest.bytes(256, 1), [5]);
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    guest.put_vectors(0, &[(512, 3), (600, 4)]);
    guest.put(512, b"one");
    guest.put(600, b" two");
    let args = [fd, 0, 2, 128, port.into(), 0, 64];
    assert_eq!(guest.call("sock_send_to", &args), 0);
    assert_eq!(guest.u32(64), 7);

    let mut bytes = [0; 100];
    let (len, from) = peer.recv_from(&mut bytes).expect("the guest has sent");
    assert_eq!(&bytes[..len], b"one two");
    for text in ["echo 1", "echo 2", "much longer"] {
        peer.send_to(text.as_bytes(), from).expect("it is there");
    }
    // Version 1 gives the address, version 2 the port too, and the family with 128 bytes.
    assert_eq!(guest.call("sock_recv_from/7", &[fd, 0, 2, 128, 0, 64, 68]), 0);
    assert_eq!((guest.u32(64), guest.bytes(160, 4)), (6, vec![127, 0, 0, 1]));
    assert_eq!((guest.bytes(512, 3), guest.bytes(600, 3)), (b"ech".to_vec(), b"o 1".to_vec()));
    guest.put_address(128, 160, &[0; 128]);
    guest.put(72, &[0xff; 4]);
    assert_eq!(guest.call("sock_recv_from/8", &[fd, 0, 2, 128, 0, 72, 64, 68]), 0);
    assert_eq!(guest.bytes(160, 6), [1, 0, 127, 0, 0, 1]);
    // Two bytes for the port, as WasmEdge has it.
    assert_eq!(guest.bytes(72, 4), [port.to_le_bytes()[0], port.to_le_bytes()[1], 0xff, 0xff]);
    assert_eq!(guest.bytes(68, 2), [0, 0]);
    // What does not fit is lost, and said to be.
    assert_eq!(guest.call("sock_recv_from_v2", &[fd, 0, 2, 128, 0, 72, 64, 68]), 0);
    assert_eq!((guest.u32(64), guest.bytes(68, 2)), (7, vec![1, 0]));
}

#[test]
fn connections_have_two_ends() {
    let server = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let port = server.local_addr().expect("it is bound").port();
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    assert_eq!(guest.call("sock_connect", &[3, 128, port.into()]), 0);
    let (mut peer, from) = server.accept().expect("the guest has connected");
    guest.put_address(128, 160, &[0; 16]);
    assert_eq!(guest.call("sock_getlocaladdr/4", &[3, 128, 64, 68]), 0);
    assert_eq!(guest.bytes(160, 4), [127, 0, 0, 1]);
    assert_eq!((guest.u32(64), guest.u32(68)), (4, from.port().into()));
    assert_eq!(guest.call("sock_getpeeraddr/4", &[3, 128, 64, 68]), 0);
    assert_eq!(guest.u32(68), port.into());
    assert_eq!(guest.call("sock_getpeeraddr/3", &[3, 128, 68]), errno::INVALID);
    guest.put_address(128, 160, &[0; 128]);
    assert_eq!(guest.call("sock_getpeeraddr/3", &[3, 128, 68]), 0);
    assert_eq!((guest.bytes(160, 6), guest.u32(68)), (vec![1, 0, 127, 0, 0, 1], port.into()));
    assert_eq!(guest.call("sock_getpeeraddr/4", &[3, 128, 64, 68]), errno::INVALID);
    guest.put_vectors(0, &[(512, 5)]);
    guest.put(512, b"hello");
    assert_eq!(guest.call("sock_send", &[3, 0, 1, 0, 64]), 0);
    let mut bytes = [0; 5];
    peer.read_exact(&mut bytes).expect("the guest has sent");
    assert_eq!(&bytes, b"hello");

    // Nobody listens at the address of a socket that is only bound.
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    assert_eq!(guest.call("sock_bind", &[4, 128, 0]), 0);
    guest.put_address(128, 160, &[0; 16]);
    assert_eq!(guest.call("sock_getlocaladdr/4", &[4, 128, 64, 68]), 0);
    let port = u64::from(guest.u32(68));
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    assert_eq!(guest.call("sock_connect", &[5, 128, port]), errno::CONNECTION_REFUSED);
    assert_eq!(guest.call("sock_connect", &[5, 128, 0x1_0000]), errno::INVALID);
}

#[test]
fn listens_and_accepts_in_both_versions() {
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("sock_open_v2", &[1, 2, 64]), 0);
    let mut storage = [0; 128];
    storage[..6].copy_from_slice(&[1, 0, 127, 0, 0, 1]);
    guest.put_address(128, 160, &storage);
    assert_eq!(guest.call("sock_bind_v2", &[3, 128, 0]), 0);
    assert_eq!(guest.call("sock_listen", &[3, 4]), 0);
    assert_eq!(guest.call("sock_getlocaladdr/3", &[3, 128, 68]), 0);
    let address = ("127.0.0.1", guest.u32(68) as u16);
    let _clients = [0; 3].map(|_| TcpStream::connect(address).expect("the guest listens"));
    assert_eq!(guest.call("sock_accept", &[3, 4, 64]), 0);
    assert_eq!(guest.call("sock_accept/1", &[3, 64]), 0);
    assert_eq!(guest.call("sock_accept_v2", &[3, 0, 64]), 0);
    assert_eq!(guest.u32(64), 6);
}

#[test]
fn settings_have_numbers() {
    let mut guest = Probe::with_loopback();
    assert_eq!(guest.call("sock_open", &[1, 2, 64]), 0);
    assert_eq!(guest.call("sock_open", &[1, 1, 64]), 0);
    let get = |guest: &mut Probe, fd: u64, name: u64, room: u32| {
        guest.put(68, &room.to_le_bytes());
        (guest.call("sock_getsockopt", &[fd, 0, name, 256, 68]), guest.u32(68), guest.u32(256))
    };
    // Flags, sizes, types, errors.
    for (name, on) in [(0, 1), (4, 1), (7, 1), (8, 1)] {
        guest.put(256, &u32::to_le_bytes(on));
        assert_eq!(guest.call("sock_setsockopt", &[3, 0, name, 256, 4]), 0, "{name}");
        assert_eq!(get(&mut guest, 3, name, 4), (0, 4, on), "{name}");
    }
    assert_eq!(get(&mut guest, 3, 1, 4), (0, 4, 2));
    assert_eq!(get(&mut guest, 4, 1, 16), (0, 4, 1));
    assert_eq!(get(&mut guest, 3, 2, 4), (0, 4, 0));
    assert_eq!(get(&mut guest, 3, 13, 4), (0, 4, 0));
    guest.put(256, &8192_u32.to_le_bytes());
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 6, 256, 4]), 0);
    let (error, _, size) = get(&mut guest, 3, 6, 4);
    assert!(error == 0 && size >= 8192);
    // Times: seconds and microseconds in 16 bytes, lingering in 8.
    guest.put(256, &[2_u64.to_le_bytes(), 500_000_u64.to_le_bytes()].concat());
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 11, 256, 16]), 0);
    assert_eq!(get(&mut guest, 3, 11, 16), (0, 16, 2));
    assert_eq!(guest.u32(264) / 10_000, 50);
    guest.put(256, &[1_u32.to_le_bytes(), 7_u32.to_le_bytes()].concat());
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 9, 256, 8]), 0);
    assert_eq!(get(&mut guest, 3, 9, 8), (0, 8, 1));
    assert_eq!(guest.u32(260), 7);
    // No delay is on the level of TCP.
    guest.put(256, &1_u32.to_le_bytes());
    assert_eq!(guest.call("sock_setsockopt", &[3, 6, 15, 256, 4]), 0);
    // Too little room, unknown, not to be set, not there.
    assert_eq!(get(&mut guest, 3, 0, 3).0, errno::INVALID);
    assert_eq!(get(&mut guest, 3, 2, 3).0, errno::INVALID);
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 11, 256, 8]), errno::INVALID);
    assert_eq!(get(&mut guest, 3, 15, 4).0, errno::INVALID);
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 1, 256, 4]), errno::NO_SUCH_OPTION);
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 14, 256, 4]), errno::NO_SUCH_OPTION);
    guest.put(256, &(-1_i64).to_le_bytes());
    assert_eq!(guest.call("sock_setsockopt", &[3, 0, 11, 256, 16]), errno::INVALID);
}

#[test]
fn looks_names_up() {
    let mut guest = Probe::with_loopback();
    let look_up = |guest: &mut Probe, node: &str, service: &str, hints: [u8; 5], max: u64| {
        guest.put(1024, node.as_bytes());
        guest.put(1280, service.as_bytes());
        guest.put(1400, &[0; 28]);
        guest.put(1400, &hints);
        // Entries of 28 bytes, addresses of 12, data of 26.
        for i in 0..4_u32 {
            guest.put(2000 + i * 28, &[0; 28]);
            guest.put(2000 + i * 28 + 12, &(2200 + i * 12).to_le_bytes());
            guest.put(2000 + i * 28 + 24, &(2000 + (i + 1) * 28).to_le_bytes());
            guest.put(2200 + i * 12 + 8, &(2300 + i * 26).to_le_bytes());
        }
        guest.put(64, &2000_u32.to_le_bytes());
        let lens = (node.len() as u64, service.len() as u64);
        let args = [1024, lens.0, 1280, lens.1, 1400, 64, max, 68];
        guest.call("sock_getaddrinfo", &args)
    };
    assert_eq!(look_up(&mut guest, "localhost\0", "http", [0, 0, 0, 0, 0], 4), 0);
    // A stream and datagrams to 127.0.0.1; [::1] is not granted.
    assert_eq!(guest.u32(68), 2);
    assert_eq!(guest.bytes(2000, 5), [0, 0, 1, 2, 1]);
    assert_eq!(guest.bytes(2028, 5), [0, 0, 1, 1, 2]);
    assert_eq!((guest.bytes(2200, 1), guest.u32(2204)), (vec![1], 14));
    assert_eq!(guest.bytes(2300, 6), [0, 80, 127, 0, 0, 1]);
    assert_eq!(look_up(&mut guest, "127.0.0.1", "8080", [4, 0, 1, 2, 1], 1), 0);
    assert_eq!((guest.u32(68), guest.bytes(2300, 2)), (1, 8080_u16.to_be_bytes().to_vec()));
    assert_eq!(look_up(&mut guest, "", "80", [1, 0, 1, 2, 0], 4), 0);
    assert_eq!(guest.bytes(2300, 6), [0, 80, 0, 0, 0, 0]);

    assert_eq!(look_up(&mut guest, "example.com", "80", [0; 5], 4), errno::ACCESS);
    assert_eq!(look_up(&mut guest, "192.0.2.1", "80", [0; 5], 4), errno::ACCESS);
    assert_eq!(look_up(&mut guest, "localhost", "80", [0, 0, 2, 0, 0], 4), errno::LOOKUP_NAME);
    assert_eq!(look_up(&mut guest, "localhost", "80", [4, 0, 0, 0, 0], 4), errno::LOOKUP_NAME);
    assert_eq!(look_up(&mut guest, "", "", [0; 5], 4), errno::LOOKUP_NAME);
    assert_eq!(look_up(&mut guest, "localhost", "nothing", [0; 5], 4), errno::LOOKUP_SERVICE);
    assert_eq!(look_up(&mut guest, "localhost", "80", [0, 1, 0, 0, 0], 4), errno::LOOKUP_FLAGS);
    assert_eq!(look_up(&mut guest, "localhost", "80", [0, 0, 3, 0, 0], 4), errno::LOOKUP_FAMILY);
    assert_eq!(look_up(&mut guest, "localhost", "80", [0, 0, 0, 9, 0], 4), errno::LOOKUP_TYPE);
    assert_eq!(look_up(&mut guest, "localhost", "80", [0; 5], 0), errno::LOOKUP_MEMORY);
}
