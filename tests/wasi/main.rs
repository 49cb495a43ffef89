//! WASI as guests see it. Everything here runs three times: with the kernel's own resolution of
//! paths, in a process in which `openat2` does not exist, and with guests whose memory is shared.

mod escapes;
mod files;
mod guest;
mod matrix;
mod pointers;
mod programs;
mod streams;

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set in the processes that have no `openat2`.
const WITHOUT: &str = "TENON_TEST_WITHOUT_OPENAT2";

/// Set in the process whose guests have shared memories.
const SHARED: &str = "TENON_TEST_SHARED_MEMORY";

/// Makes `openat2` fail with this error in this process and its children.
fn forbid_openat2(errno: i32) -> std::io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // The number of the system call is the first word.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: libc::SYS_openat2 as u32,
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its statements live through the calls.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// The error of `openat2` for a descriptor that is not open.
fn openat2_error() -> Option<i32> {
    // SAFETY: null pointers make the call fail, if it is there.
    let result = unsafe { libc::syscall(libc::SYS_openat2, -1, 0, 0, 0) };
    assert_eq!(result, -1);
    std::io::Error::last_os_error().raw_os_error()
}

/// Runs the tests whose names contain `filter` in a process in which `openat2` fails.
fn run_again(errno: i32, filter: &str) {
    let mut command = again(filter);
    command.env(WITHOUT, errno.to_string());
    // SAFETY: the function only makes system calls.
    unsafe { command.pre_exec(move || forbid_openat2(errno)) };
    passes(command);
}

/// This program, for the tests whose names contain `filter`.
fn again(filter: &str) -> Command {
    let exe = std::env::current_exe().expect("the test knows its own file");
    let mut command = Command::new(exe);
    command.args(["--test-threads=2", "--quiet", filter]);
    command
}

fn passes(mut command: Command) {
    let output = command.output().expect("the test can be run again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}:\n{text}");
    assert!(!text.contains(" 0 passed"), "{text}");
}

#[test]
fn everything_again_with_shared_memories() {
    if std::env::var_os(SHARED).is_none() && std::env::var_os(WITHOUT).is_none() {
        let mut command = again("");
        command.env(SHARED, "1");
        passes(command);
    }
}

#[test]
fn everything_again_without_openat2() {
    if let Some(errno) = std::env::var_os(WITHOUT) {
        assert_eq!(errno.to_str().map(str::parse), openat2_error().map(Ok));
        return;
    }
    if std::env::var_os(SHARED).is_some() {
        return;
    }
    assert_ne!(openat2_error(), Some(libc::ENOSYS), "only the way without openat2 is tested");
    // As in old kernels.
    run_again(libc::ENOSYS, "");
    // As filters of system calls answer.
    run_again(libc::EPERM, "escapes");
}
