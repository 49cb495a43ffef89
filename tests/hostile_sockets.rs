//! Functions on sockets and of WASIX under guests that pass anything: bad pointers are faults, and
//! no arguments at all make the host panic, wait or grow.

mod probe;

use probe::{Probe, errno};
use tenon::wasi::Config;

/// A call whose arguments are good; the places of the pointers among them.
type Good<'a> = (&'a str, &'a [u64], &'a [usize]);

#[test]
fn bad_pointers_are_faults() {
    let mut config = Config::new();
    config.allow_net("127.0.0.1:*").expect("it is a grant");
    let mut guest = Probe::new(config);
    // 3 is a listener, 4 a stream, 5 for datagrams, 6 and 7 a pair.
    for ty in [2, 2, 1] {
        assert_eq!(guest.call("sock_open", &[1, ty, 64]), 0);
    }
    assert_eq!(guest.call("x:sock_pair", &[3, 1, 0, 64, 68]), 0);
    let calls: &[Good] = &[
        ("sock_accept", &[3, 0, 64], &[2]),
        ("sock_accept/1", &[3, 64], &[1]),
        ("sock_accept_v2", &[3, 0, 64], &[2]),
        ("sock_open", &[1, 2, 64], &[2]),
        ("sock_bind", &[3, 128, 0], &[1]),
        ("sock_connect", &[3, 128, 1], &[1]),
        ("sock_recv", &[6, 0, 1, 0, 64, 68], &[1, 4, 5]),
        ("sock_recv_v2", &[6, 0, 1, 0, 64, 68], &[1, 4, 5]),
        ("sock_recv_from/7", &[5, 0, 1, 128, 0, 64, 68], &[1, 3, 5, 6]),
        ("sock_recv_from/8", &[5, 0, 1, 128, 0, 72, 64, 68], &[1, 3, 5, 6, 7]),
        ("sock_send", &[6, 0, 1, 0, 64], &[1, 4]),
        ("sock_send_v2", &[6, 0, 1, 0, 64], &[1, 4]),
        ("sock_send_to", &[5, 0, 1, 128, 1, 0, 64], &[1, 3, 6]),
        ("sock_getlocaladdr/4", &[3, 128, 64, 68], &[1, 2, 3]),
        ("sock_getlocaladdr/3", &[3, 136, 68], &[1, 2]),
        ("sock_getsockopt", &[3, 0, 0, 64, 76], &[3, 4]),
        ("sock_setsockopt", &[3, 0, 0, 64, 4], &[3]),
        ("sock_getaddrinfo", &[1024, 9, 1040, 2, 1100, 80, 1, 68], &[0, 2, 4, 5, 7]),
        ("x:chdir", &[1024, 1], &[0]),
        ("x:fd_dup", &[3, 64], &[1]),
        ("x:fd_dup2", &[3, 0, 0, 64], &[3]),
        ("x:fd_event", &[0, 0, 64], &[2]),
        ("x:fd_fdflags_get", &[3, 64], &[1]),
        ("x:fd_pipe", &[64, 68], &[0, 1]),
        ("x:futex_wait", &[64, 99, 1200, 68], &[0, 2, 3]),
        ("x:futex_wake", &[64, 68], &[0, 1]),
        ("x:getcwd", &[64, 76], &[1]),
        ("x:proc_id", &[64], &[0]),
        ("x:proc_join", &[1200, 0, 64], &[0, 2]),
        ("x:proc_parent", &[1, 64], &[1]),
        ("x:resolve", &[1024, 9, 0, 256, 1, 64], &[0, 3, 5]),
        ("x:sock_accept_v2", &[3, 0, 64, 256], &[2, 3]),
        ("x:sock_addr_local", &[3, 256], &[1]),
        ("x:sock_bind", &[3, 1300], &[1]),
        ("x:sock_connect", &[4, 1300], &[1]),
        ("x:sock_get_opt_flag", &[3, 2, 64], &[2]),
        ("x:sock_get_opt_size", &[3, 15, 64], &[2]),
        ("x:sock_get_opt_time", &[3, 19, 256], &[2]),
        ("x:sock_open", &[1, 1, 0, 64], &[3]),
        ("x:sock_pair", &[3, 1, 0, 64, 68], &[3, 4]),
        ("x:sock_recv_from", &[5, 0, 1, 0, 64, 68, 256], &[1, 4, 5, 6]),
        ("x:sock_send_to", &[5, 0, 1, 0, 1300, 64], &[1, 4, 5]),
        ("x:sock_send_file", &[6, 3, 0, 1, 64], &[4]),
        ("x:sock_set_opt_time", &[3, 19, 1200], &[2]),
        ("x:sock_status", &[3, 64], &[1]),
        ("x:thread_parallelism", &[64], &[0]),
        ("x:tty_get", &[256], &[0]),
        ("x:tty_set", &[256], &[0]),
    ];
    for (name, good, pointers) in calls {
        for pointer in *pointers {
            // The last byte, behind the end, near 2^32, and where adding wraps around.
            let end = u64::from(guest.size());
            for bad in [end, end + 1, 0x8000_0000, 0xffff_fff0, 0xffff_ffff] {
                guest.put_vectors(0, &[(512, 4)]);
                guest.put_address(128, 160, &[127, 0, 0, 1]);
                guest.put_address(136, 320, &[0; 128]);
                guest.put(76, &4_u32.to_le_bytes());
                guest.put(80, &2000_u32.to_le_bytes());
                guest.put(1024, b"localhost");
                guest.put(1040, b"80");
                guest.put(1100, &[0; 28]);
                guest.put(1200, &[0; 16]);
                guest.put(1300, &[1, 0, 9, 0, 127, 0, 0, 1]);
                let mut args = good.to_vec();
                args[*pointer] = bad;
                let got = guest.call(name, &args);
                assert_eq!(got, errno::FAULT, "{name}, parameter {pointer} is {bad:#x}");
            }
        }
    }
    // Results that would reach over the end.
    let end = u64::from(guest.size());
    assert_eq!(guest.call("sock_accept", &[3, 0, end - 3]), errno::FAULT);
    assert_eq!(guest.call("x:sock_addr_local", &[3, end - 19]), errno::FAULT);
    guest.put_address(128, 160, &[127, 0, 0, 1]);
    guest.put(132, &16_u32.to_le_bytes());
    guest.put(128, &(guest.size() - 15).to_le_bytes());
    assert_eq!(guest.call("sock_bind", &[3, 128, 0]), errno::FAULT);
    guest.put(128, &0xffff_fffe_u32.to_le_bytes());
    assert_eq!(guest.call("sock_connect", &[3, 128, 1]), errno::FAULT);
    // Inside the list for the results of a lookup.
    guest.put(80, &0xffff_fff8_u32.to_le_bytes());
    let args = [1024, 9, 1040, 2, 1100, 80, 1, 68];
    assert_eq!(guest.call("sock_getaddrinfo", &args), errno::FAULT);
    guest.put(80, &2000_u32.to_le_bytes());
    guest.put(2000, &[0xff; 28]);
    assert_eq!(guest.call("sock_getaddrinfo", &args), errno::FAULT);
}

/// Numbers that look random, the same in every run (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number as a guest might pass it: a descriptor or flag, an address, something at an end.
    fn arg(&mut self) -> u64 {
        match self.below(8) {
            0..3 => self.below(10),
            3..6 => self.below(0x1_0000) & !3,
            6 => 0xffff - self.below(40),
            _ => u64::MAX - self.below(1 << 34),
        }
    }
}

#[test]
fn random_calls_do_no_harm() {
    // What waits if it is told to, and what makes descriptors that wait.
    let left_out = [
        "fd_close",
        "fd_fdstat_set_flags",
        "fd_fdstat_set_rights",
        "poll_oneoff",
        "sock_open",
        "sock_open_v2",
        "x:fd_close",
        "x:fd_event",
        "x:fd_pipe",
        "x:futex_wait",
        "x:sock_open",
        "x:sock_pair",
        "x:thread_sleep",
    ];
    let names: Vec<_> = probe::names().filter(|name| !left_out.contains(name)).collect();
    let mut config = Config::new();
    // Sockets can be bound, and reach nobody.
    config.allow_net("127.0.0.1:0").expect("it is a grant");
    config.tcp_listen("127.0.0.1:0").expect("there is a loopback");
    let mut guest = Probe::new(config);
    for ty in [1, 2, 1] {
        assert_eq!(guest.call("sock_open", &[1, ty, 64]), 0);
    }
    assert_eq!(guest.call("x:sock_pair", &[3, 1, 0, 64, 68]), 0);
    assert_eq!(guest.call("x:fd_event", &[0, 0, 64]), 0);
    let fds = 3..10;
    for fd in fds.clone() {
        assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, 4]), 0);
    }
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let (mut failed, mut done) = (0, 0);
    for _ in 0..40_000 {
        for _ in 0..8 {
            let at = numbers.below(0x4000) as u32 * 4;
            let word = numbers.arg() as u32;
            guest.put(at, &word.to_le_bytes());
        }
        let name = names[numbers.below(names.len() as u64) as usize];
        let args: Vec<_> = (0..10).map(|_| numbers.arg()).collect();
        match guest.call(name, &args) {
            0 => done += 1,
            error => {
                assert!(error < 87, "{name}{args:?}: {error}");
                failed += 1;
            }
        }
    }
    assert!(failed > 1000 && done > 1000, "{failed} failed, {done} did something");
    // It is still there.
    for fd in fds {
        assert_eq!(guest.call("fd_fdstat_get", &[fd, 256]), 0);
    }
}
