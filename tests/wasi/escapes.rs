//! What leads out of a guest's directories is refused, and nothing outside is read or changed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tenon::wasi::Config;

use crate::guest::*;

/// A directory of the guest's, and beside it what it must not reach.
fn scene() -> (TempDir, Guest) {
    let dir = TempDir::new();
    dir.mkdir("root");
    dir.mkdir("root/inside");
    dir.write("outside.txt", b"SECRET");
    dir.link("root/up.txt", "../outside.txt");
    dir.link("root/absolute", "/etc/hostname");
    dir.link("root/environ", "/proc/self/environ");
    dir.link("root/outdir", "..");
    dir.link("root/slash", "/");
    dir.link("root/inside/over", "../../outside.txt");
    dir.link("root/chain", "inside/over");
    let guest = Guest::with_dir(&dir.join("root"));
    (dir, guest)
}

/// Paths that all lead to something outside that is there.
const OUT: [&str; 14] = [
    "../outside.txt",
    "inside/../../outside.txt",
    "inside/../../root/../outside.txt",
    "./..//outside.txt",
    "up.txt",
    "absolute",
    "environ",
    "outdir/outside.txt",
    "outdir/root/inside",
    "slash/etc/hostname",
    "chain",
    "inside/over",
    "/etc/hostname",
    "..",
];

fn unchanged(dir: &TempDir) {
    assert_eq!(dir.read("outside.txt").as_deref(), Some(&b"SECRET"[..]));
    let mut names: Vec<_> = fs::read_dir(&dir.0)
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be listed").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["outside.txt", "root"]);
}

#[test]
fn nothing_outside_is_opened() {
    let (dir, guest) = scene();
    for path in OUT {
        for open in [0, CREAT, TRUNC, CREAT | TRUNC, DIRECTORY] {
            for base in [rights::READS, rights::READ | rights::WRITE] {
                let result = guest.open_with((DIR, FOLLOW), path, open, base, 0);
                assert_eq!(result, Err(errno::PERM), "{path} {open} {base:x}");
            }
        }
        assert_eq!(guest.stat(DIR, FOLLOW, path), Err(errno::PERM), "{path}");
        let [at, len] = guest.path(path);
        let args = [DIR.into(), FOLLOW.into(), at, len, 0, 0, 5];
        assert_eq!(guest.call("path_filestat_set_times", &args), errno::PERM, "{path}");
    }
    unchanged(&dir);
}

#[test]
fn nothing_is_made_outside() {
    let (dir, guest) = scene();
    dir.write("root/file", b"");
    for name in ["new", "root/new"] {
        for above in ["..", "outdir", "inside/../..", "/tmp", "slash/tmp"] {
            let path = &format!("{above}/{name}");
            assert_eq!(guest.create(DIR, path, CREAT), Err(errno::PERM), "{path}");
            assert_eq!(guest.on_path("path_create_directory", DIR, path), errno::PERM, "{path}");
            assert_eq!(guest.symlink("file", DIR, path), errno::PERM, "{path}");
            assert_eq!(guest.rename((DIR, "file"), (DIR, path)), errno::PERM, "{path}");
            assert_eq!(guest.link(0, (DIR, "file"), (DIR, path)), errno::PERM, "{path}");
        }
    }
    unchanged(&dir);
}

#[test]
fn nothing_outside_is_moved_or_removed() {
    let (dir, guest) = scene();
    for path in ["../outside.txt", "outdir/outside.txt", "inside/../../outside.txt"] {
        assert_eq!(guest.on_path("path_unlink_file", DIR, path), errno::PERM, "{path}");
        assert_eq!(guest.on_path("path_remove_directory", DIR, path), errno::PERM, "{path}");
        assert_eq!(guest.rename((DIR, path), (DIR, "mine")), errno::PERM, "{path}");
        assert_eq!(guest.link(0, (DIR, path), (DIR, "mine")), errno::PERM, "{path}");
        assert_eq!(guest.link(FOLLOW, (DIR, path), (DIR, "mine")), errno::INVAL, "{path}");
        assert_eq!(guest.readlink(DIR, path, 100), Err(errno::PERM), "{path}");
    }
    for path in ["..", "../..", "outdir/..", "../root", "outdir/root/../root"] {
        assert_ne!(guest.on_path("path_remove_directory", DIR, path), 0, "{path}");
        assert_ne!(guest.rename((DIR, path), (DIR, "mine")), 0, "{path}");
    }
    // Slashes at the end must not make the kernel follow the last link.
    for path in ["outdir/", "outdir//", "slash/"] {
        assert_ne!(guest.on_path("path_remove_directory", DIR, path), 0, "{path}");
        assert_ne!(guest.on_path("path_unlink_file", DIR, path), 0, "{path}");
        assert_ne!(guest.rename((DIR, path), (DIR, "mine")), 0, "{path}");
        assert_ne!(guest.on_path("path_create_directory", DIR, path), 0, "{path}");
        assert_eq!(guest.stat(DIR, FOLLOW, path), Err(errno::PERM), "{path}");
    }
    unchanged(&dir);
}

#[test]
fn links_of_the_guests_own_lead_nowhere() {
    let (dir, guest) = scene();
    assert_eq!(guest.symlink("/etc/hostname", DIR, "l"), errno::PERM);
    assert_eq!(guest.symlink("../outside.txt", DIR, "l"), 0);
    assert_eq!(guest.open(DIR, "l"), Err(errno::PERM));
    assert_eq!(guest.create(DIR, "l", CREAT | TRUNC), Err(errno::PERM));
    // A link that was harmless where it was made, and is moved.
    assert_eq!(guest.symlink("../root", DIR, "inside/l"), 0);
    assert_eq!(guest.stat(DIR, FOLLOW, "inside/l"), Err(errno::NOENT));
    assert_eq!(guest.symlink("../file", DIR, "inside/m"), 0);
    assert_eq!(guest.rename((DIR, "inside/m"), (DIR, "m")), 0);
    assert_eq!(guest.create(DIR, "m", CREAT), Err(errno::PERM));
    // Links to nowhere outside are not made to lead somewhere.
    assert_eq!(guest.symlink("../new", DIR, "n"), 0);
    assert_eq!(guest.create(DIR, "n", CREAT), Err(errno::PERM));
    unchanged(&dir);
}

/// A directory that the guest holds open is moved up by the host: its `..` is not the guest's.
#[test]
fn a_directory_that_moves_leads_nowhere() {
    let (dir, guest) = scene();
    dir.mkdir("root/a");
    dir.mkdir("root/a/b");
    let fd = guest.open_with((DIR, 0), "a/b", DIRECTORY, rights::DIRECTORY, 0);
    let fd = fd.expect("the directory can be opened");
    assert_eq!(guest.stat(fd, FOLLOW, ".."), Err(errno::PERM));
    fs::rename(dir.join("root/a/b"), dir.join("moved")).expect("the host can move it");
    for path in ["..", "../outside.txt", "../root"] {
        assert_eq!(guest.stat(fd, FOLLOW, path), Err(errno::PERM), "{path}");
    }
    assert_eq!(guest.create(fd, "mine", CREAT).map(drop), Ok(()));
    assert!(dir.join("moved/mine").exists());
}

/// Two grants: what one has does not reach the other by a path.
#[test]
fn grants_do_not_lead_to_each_other() {
    let dir = TempDir::new();
    for name in ["a", "b"] {
        dir.mkdir(name);
        dir.write(&format!("{name}/file"), name.as_bytes());
    }
    let mut config = Config::new();
    config.dir(dir.join("a"), "/a", true).expect("it is there");
    config.dir(dir.join("b"), "/b", false).expect("it is there");
    let guest = Guest::new(config);
    assert_eq!(guest.open(DIR, "../b/file"), Err(errno::PERM));
    assert_eq!(guest.rename((DIR, "file"), (DIR + 1, "new")), errno::NOTCAPABLE);
    assert_eq!(guest.rename((DIR + 1, "file"), (DIR, "new")), errno::NOTCAPABLE);
    // A second name of a file that may only be read could be written to.
    assert_eq!(guest.link(0, (DIR + 1, "file"), (DIR, "new")), errno::NOTCAPABLE);
    assert_eq!(guest.link(0, (DIR, "file"), (DIR + 1, "new")), errno::NOTCAPABLE);
    assert_eq!(dir.read("b/file").as_deref(), Some(&b"b"[..]));
}

/// One thread of the host swaps a directory for a link that leads out, as fast as it can; the
/// guest, as fast as it can, opens what is behind it. `TENON_TEST_RENAMES` sets how often.
#[test]
fn swapping_directories_opens_no_gap() {
    let renames = std::env::var("TENON_TEST_RENAMES").ok().and_then(|n| n.parse().ok());
    let renames: u32 = renames.unwrap_or(4_000);
    let (dir, guest) = scene();
    dir.mkdir("root/swap");
    dir.write("root/swap/outside.txt", b"inside");
    let running = Arc::new(AtomicBool::new(true));
    let swapper = {
        let (running, root) = (running.clone(), dir.join("root"));
        std::thread::spawn(move || {
            let names = ["swap", "kept", "outdir"].map(|name| root.join(name));
            for _ in 0..renames / 4 {
                let [swap, kept, outdir] = &names;
                for (from, to) in [(swap, kept), (outdir, swap), (swap, outdir), (kept, swap)] {
                    fs::rename(from, to).expect("the host can rename");
                }
            }
            running.store(false, Ordering::Release);
        })
    };
    let (mut opened, mut refused) = (0, 0);
    while running.load(Ordering::Acquire) {
        match guest.open(DIR, "swap/outside.txt") {
            Ok(fd) => {
                assert_eq!(guest.read(fd, 10), Ok(b"inside".to_vec()));
                assert_eq!(guest.close(fd), 0);
                opened += 1;
            }
            Err(errno::PERM | errno::NOENT | errno::LOOP | errno::NOTDIR) => refused += 1,
            Err(errno) => panic!("{errno}"),
        }
        match guest.create(DIR, "swap/mine", CREAT) {
            Ok(fd) => assert_eq!(guest.close(fd), 0),
            Err(errno) => assert_ne!(errno, errno::AGAIN),
        }
    }
    swapper.join().expect("the host has renamed");
    assert!(!dir.join("mine").exists(), "opened {opened} times, refused {refused} times");
    let _ = fs::remove_file(dir.join("root/swap/mine"));
    unchanged(&dir);
}
