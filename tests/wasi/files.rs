//! Files, directories and descriptors: a test for each rule that implementations are known to get
//! wrong.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use tenon::wasi::{Config, Snapshot};

use crate::guest::*;

fn scene() -> (TempDir, Guest) {
    let dir = TempDir::new();
    let guest = Guest::with_dir(&dir.0);
    (dir, guest)
}

/// Names, cookies and types of a directory's entries, by calls with so much room each.
fn entries(guest: &Guest, fd: u32, room: u32) -> Vec<(String, u64, u8)> {
    let (mut found, mut cookie) = (Vec::new(), 0u64);
    loop {
        let args = [fd.into(), DATA.into(), room.into(), cookie as i64, RESULT.into()];
        guest.succeed("fd_readdir", &args);
        let used = guest.u32(RESULT);
        assert!(used <= room);
        let (mut at, before) = (DATA, found.len());
        while at + 24 <= DATA + used {
            let (next, len) = (guest.u64(at), guest.u32(at + 16));
            if at + 24 + len > DATA + used {
                break;
            }
            let name = String::from_utf8(guest.bytes(at + 24, len)).expect("names are text");
            found.push((name, next, guest.get::<1>(at + 20)[0]));
            cookie = next;
            at += 24 + len;
        }
        if used < room {
            return found;
        }
        assert!(found.len() > before, "{room} bytes are too few for an entry");
    }
}

#[test]
fn directories_are_listed_with_stable_cookies() {
    let (dir, guest) = scene();
    let fd = guest.open_with((DIR, 0), ".", DIRECTORY, rights::DIRECTORY, 0).expect("it opens");
    let mut names: Vec<_> = entries(&guest, fd, 4096).into_iter().map(|entry| entry.0).collect();
    names.sort();
    assert_eq!(names, [".", ".."]);
    for i in 0..200 {
        dir.write(&format!("file {i:03}"), b"");
    }
    dir.mkdir("sub");
    dir.link("link", "sub");
    let all = entries(&guest, fd, 4096);
    assert_eq!(all.len(), 204);
    for room in [64, 100, 333, 60000] {
        assert_eq!(entries(&guest, fd, room), all, "{room}");
    }
    for (name, _, filetype) in &all {
        let expected = match name.as_str() {
            "." | ".." | "sub" => 3,
            "link" => 7,
            _ => 4,
        };
        assert_eq!(*filetype, expected, "{name}");
    }
    // Every cookie leads to the entry after its own, also when others are gone.
    for pair in all.windows(2) {
        let args = [fd.into(), DATA.into(), 300, pair[0].1 as i64, RESULT.into()];
        guest.succeed("fd_readdir", &args);
        let len = guest.u32(DATA + 16);
        assert_eq!(guest.bytes(DATA + 24, len), pair[1].0.as_bytes());
    }
    for i in 0..200 {
        fs::remove_file(dir.join(&format!("file {i:03}"))).expect("the host can remove it");
    }
    let args = [fd.into(), DATA.into(), 4096, all[100].1 as i64, RESULT.into()];
    guest.succeed("fd_readdir", &args);
    // An entry that does not fit is cut off; the room is used up.
    let args = [fd.into(), DATA.into(), 10, 0, RESULT.into()];
    guest.succeed("fd_readdir", &args);
    assert_eq!(guest.u32(RESULT), 10);
    let args = [fd.into(), DATA.into(), 4096, -1, RESULT.into()];
    assert_eq!(guest.call("fd_readdir", &args), errno::INVAL);
    let file = guest.create(DIR, "file", CREAT).expect("it can be made");
    let args = [file.into(), DATA.into(), 4096, 0, RESULT.into()];
    assert_eq!(guest.call("fd_readdir", &args), errno::NOTDIR);
}

#[test]
fn descriptors_are_renumbered() {
    let (dir, guest) = scene();
    dir.write("a", b"a");
    dir.write("b", b"b");
    let a = guest.open(DIR, "a").expect("it opens");
    let b = guest.open(DIR, "b").expect("it opens");
    assert_eq!((a, b), (4, 5));
    let renumber = |from: u32, to: u32| guest.call("fd_renumber", &[from.into(), to.into()]);
    assert_eq!(renumber(a, 6), errno::BADF);
    assert_eq!(renumber(6, a), errno::BADF);
    assert_eq!(renumber(a, u32::MAX), errno::BADF);
    assert_eq!(renumber(a, a), 0);
    assert_eq!(renumber(a, b), 0);
    assert_eq!(guest.read(b, 9), Ok(b"a".to_vec()));
    assert_eq!(guest.read(a, 9), Err(errno::BADF));
    // Over a standard stream, and over the directory itself.
    assert_eq!(renumber(b, 0), 0);
    assert_eq!(guest.call("fd_seek", &[0, 0, 0, RESULT.into()]), 0);
    assert_eq!(guest.read(0, 9), Ok(b"a".to_vec()));
    assert_eq!(renumber(0, DIR), 0);
    assert_eq!(guest.open(DIR, "a"), Err(errno::NOTDIR));
    // The lowest free number is given out.
    assert_eq!(guest.close(1), 0);
    assert_eq!(guest.close(1), errno::BADF);
}

#[test]
fn rights_are_dropped_and_never_come_back() {
    let (dir, guest) = scene();
    dir.write("file", b"text");
    let fd = guest.open_with((DIR, 0), "file", 0, rights::ALL, 0).expect("it opens");
    let set = |base: u64| guest.call("fd_fdstat_set_rights", &[fd.into(), base as i64, 0]);
    let kept = rights::READ | rights::SEEK;
    assert_eq!(set(kept), 0);
    assert_eq!(guest.fdstat(fd).map(|stat| stat.2), Ok(kept));
    assert_eq!(guest.write(fd, b"x"), Err(errno::NOTCAPABLE));
    assert_eq!(set(kept | rights::WRITE), errno::NOTCAPABLE);
    assert_eq!(guest.fdstat(fd).map(|stat| stat.2), Ok(kept));
    assert_eq!(guest.read(fd, 9), Ok(b"text".to_vec()));
    assert_eq!(set(0), 0);
    assert_eq!(guest.read(fd, 9), Err(errno::NOTCAPABLE));
    assert_eq!(guest.call("fd_seek", &[fd.into(), 0, 0, RESULT.into()]), errno::NOTCAPABLE);
    // What a directory no longer hands on, nothing opened through it has.
    let (_, _, base, inheriting) = guest.fdstat(DIR).expect("it is open");
    let less = (inheriting & !rights::WRITE) as i64;
    guest.succeed("fd_fdstat_set_rights", &[DIR.into(), base as i64, less]);
    assert_eq!(guest.create(DIR, "file", 0), Err(errno::NOTCAPABLE));
    assert!(guest.open(DIR, "file").is_ok());
}

#[test]
fn base_rights_decide_how_a_file_is_opened() {
    let (dir, guest) = scene();
    dir.write("file", b"text");
    for (base, reads, writes) in [
        (rights::READ, true, false),
        (rights::WRITE, false, true),
        (rights::READ | rights::WRITE, true, true),
        (0, false, false),
    ] {
        let fd = guest.open_with((DIR, 0), "file", 0, base | rights::SEEK, 0).expect("it opens");
        let granted = guest.fdstat(fd).expect("it is open").2;
        assert_eq!(granted & (rights::READ | rights::WRITE), base);
        assert_eq!(guest.read(fd, 1).is_ok(), reads);
        assert_eq!(guest.write(fd, b"").is_ok(), writes);
        assert_eq!(guest.close(fd), 0);
    }
    assert_eq!(guest.create(DIR, ".", 0), Err(errno::ISDIR));
    assert_eq!(guest.open_with((DIR, 0), "file", DIRECTORY, 0, 0), Err(errno::NOTDIR));
    assert_eq!(guest.create(DIR, "file", CREAT | EXCL), Err(errno::EXIST));
    assert_eq!(guest.create(DIR, "dir", CREAT | DIRECTORY), Err(errno::INVAL));
    for (lookup, open, flags) in [(2, 0, 0), (0, 16, 0), (0, 0, 32), (0, 1 << 16, 0)] {
        let result = guest.open_with((DIR, lookup), "file", open, rights::READ, flags);
        assert_eq!(result, Err(errno::INVAL));
    }
    assert_eq!(dir.read("file").as_deref(), Some(&b"text"[..]));
}

#[test]
fn a_directory_to_read_is_only_read() {
    let dir = TempDir::new();
    dir.write("file", b"text");
    dir.mkdir("sub");
    dir.mkdir("empty");
    dir.write("sub/file", b"text");
    dir.link("link", "file");
    let mut config = Config::new();
    config.dir(&dir.0, "/", false).expect("it is there");
    let guest = Guest::new(config);
    let before = fs::metadata(dir.join("file")).expect("it is there");
    for fd in
        [DIR, guest.open_with((DIR, 0), "sub", DIRECTORY, rights::DIRECTORY, 0).expect("opens")]
    {
        for open in [CREAT, TRUNC, CREAT | EXCL] {
            for base in [0, rights::READ, rights::WRITE] {
                let result = guest.open_with((fd, FOLLOW), "file", open, base, 0);
                assert_eq!(result, Err(errno::NOTCAPABLE), "{open} {base}");
            }
        }
        for base in [rights::WRITE, rights::SET_SIZE, rights::ALLOCATE] {
            let result = guest.open_with((fd, FOLLOW), "file", 0, base, 0);
            assert_eq!(result, Err(errno::NOTCAPABLE), "{base}");
        }
        // Too many rights that change nothing by opening are only not given.
        let file = guest.open_with((fd, 0), "file", 0, rights::READ | rights::SET_TIMES, 0);
        let file = file.expect("it opens");
        let args = [file.into(), 0, 0, 5];
        assert_eq!(guest.call("fd_filestat_set_times", &args), errno::NOTCAPABLE);
        assert_eq!(guest.call("fd_filestat_set_size", &[file.into(), 0]), errno::NOTCAPABLE);
        assert_eq!(guest.call("fd_allocate", &[file.into(), 0, 9]), errno::NOTCAPABLE);
        assert_eq!(guest.write(file, b"x"), Err(errno::NOTCAPABLE));
        assert_eq!(guest.read(file, 9), Ok(b"text".to_vec()));
        let args = [fd.into(), 0, 0, 5];
        assert_eq!(guest.call("fd_filestat_set_times", &args), errno::NOTCAPABLE);
        let [at, len] = guest.path("file");
        let args = [fd.into(), 0, at, len, 0, 0, 5];
        assert_eq!(guest.call("path_filestat_set_times", &args), errno::NOTCAPABLE);
        assert_eq!(guest.on_path("path_unlink_file", fd, "file"), errno::NOTCAPABLE);
        assert_eq!(guest.on_path("path_remove_directory", fd, "empty"), errno::NOTCAPABLE);
        assert_eq!(guest.on_path("path_create_directory", fd, "new"), errno::NOTCAPABLE);
        assert_eq!(guest.rename((fd, "file"), (fd, "new")), errno::NOTCAPABLE);
        assert_eq!(guest.link(0, (fd, "file"), (fd, "new")), errno::NOTCAPABLE);
        assert_eq!(guest.symlink("file", fd, "new"), errno::NOTCAPABLE);
        assert!(guest.stat(fd, FOLLOW, "file").is_ok());
    }
    assert_eq!(guest.readlink(DIR, "link", 9), Ok(b"file".to_vec()));
    let after = fs::metadata(dir.join("file")).expect("it is there");
    assert_eq!(before.mtime_nsec(), after.mtime_nsec());
    assert_eq!(before.size(), after.size());
}

#[test]
fn flags_are_seen_and_changed() {
    const APPEND: u16 = 1;
    const DSYNC: u16 = 2;
    const NONBLOCK: u16 = 4;
    const SYNC: u16 = 16;
    let (dir, guest) = scene();
    for flags in [0, APPEND, DSYNC, NONBLOCK, SYNC, APPEND | SYNC] {
        let fd = guest.open_with((DIR, 0), "file", CREAT, rights::ALL, flags.into());
        let fd = fd.expect("it opens");
        let seen = guest.fdstat(fd).expect("it is open").1;
        assert_eq!(seen & flags, flags, "{flags}");
        assert_eq!(seen & (APPEND | NONBLOCK), flags & (APPEND | NONBLOCK));
        let set = |flags: u16| guest.call("fd_fdstat_set_flags", &[fd.into(), flags.into()]);
        let kept = seen & !(APPEND | NONBLOCK);
        for new in [APPEND, NONBLOCK, APPEND | NONBLOCK, 0] {
            assert_eq!(set(kept | new), 0);
            assert_eq!(guest.fdstat(fd).expect("it is open").1, kept | new);
        }
        let other = if kept & DSYNC == 0 { kept | SYNC } else { 0 };
        assert_eq!(set(other), errno::NOTSUP);
        assert_eq!(set(32), errno::INVAL);
        assert_eq!(guest.close(fd), 0);
    }
    // Appending is by the file's end, even when the place is given, as on Linux.
    dir.write("log", b"abc");
    let fd = guest.open_with((DIR, 0), "log", 0, rights::ALL, APPEND.into()).expect("it opens");
    guest.put(DATA, b"Z");
    let [array, count] = guest.buffers(&[(DATA, 1)]);
    guest.succeed("fd_pwrite", &[fd.into(), array, count, 0, RESULT.into()]);
    assert_eq!(guest.u32(RESULT), 1);
    assert_eq!(dir.read("log").as_deref(), Some(&b"abcZ"[..]));
}

#[test]
fn times_are_set_to_the_nanosecond() {
    let (dir, guest) = scene();
    dir.write("file", b"");
    dir.link("link", "file");
    let fd = guest.create(DIR, "file", 0).expect("it opens");
    let (atim, mtim) = (1_000_000_000_123_456_789_i64, 1_500_000_000_987_654_321_i64);
    guest.succeed("fd_filestat_set_times", &[fd.into(), atim, mtim, 5]);
    let stat = guest.stat(DIR, FOLLOW, "link").expect("it is there");
    assert_eq!((stat.atim, stat.mtim), (atim as u64, mtim as u64));
    let set = |lookup: u32, path: &str, flags: i64| {
        let [at, len] = guest.path(path);
        guest.call("path_filestat_set_times", &[3, lookup.into(), at, len, 77, 88, flags])
    };
    // Only one of them; none at all.
    assert_eq!(set(FOLLOW, "link", 4), 0);
    let stat = guest.stat(DIR, FOLLOW, "link").expect("it is there");
    assert_eq!((stat.atim, stat.mtim), (atim as u64, 88));
    assert_eq!(set(FOLLOW, "link", 0), 0);
    assert_eq!(guest.stat(DIR, FOLLOW, "link").expect("it is there"), stat);
    // Those of the link itself.
    assert_eq!(set(0, "link", 5), 0);
    let link = guest.stat(DIR, 0, "link").expect("it is there");
    assert_eq!((link.filetype, link.atim, link.mtim), (7, 77, 88));
    assert_eq!(guest.stat(DIR, FOLLOW, "link").expect("it is there"), stat);
    assert_eq!(set(FOLLOW, "file", 10), 0);
    assert!(guest.stat(DIR, FOLLOW, "file").expect("it is there").mtim > mtim as u64);
    for wrong in [3, 12, 15, 16, 1 << 16] {
        assert_eq!(set(FOLLOW, "file", wrong), errno::INVAL, "{wrong}");
        let args = [fd.into(), 0, 0, wrong];
        assert_eq!(guest.call("fd_filestat_set_times", &args), errno::INVAL, "{wrong}");
    }
    assert_eq!(set(2, "file", 5), errno::INVAL);
}

#[test]
fn links_are_followed_when_the_guest_says_so() {
    let (dir, guest) = scene();
    dir.write("file", b"text");
    dir.mkdir("sub");
    dir.link("link", "file");
    dir.link("to sub", "sub");
    dir.link("dangling", "sub/new");
    dir.link("loop", "loop");
    assert!(guest.open(DIR, "link").is_ok());
    let open = |lookup, path: &str, open| {
        guest.open_with((DIR, lookup), path, open, rights::READS, 0).map(drop)
    };
    assert_eq!(open(0, "link", 0), Err(errno::LOOP));
    assert!(matches!(open(0, "to sub", DIRECTORY), Err(errno::LOOP | errno::NOTDIR)));
    assert_eq!(open(FOLLOW, "to sub", DIRECTORY), Ok(()));
    assert_eq!(open(0, "to sub/../link", 0), Err(errno::LOOP));
    assert_eq!(open(FOLLOW, "loop", 0), Err(errno::LOOP));
    assert_eq!(open(FOLLOW, "loop/x", 0), Err(errno::LOOP));
    assert_eq!(open(FOLLOW, "dangling", 0), Err(errno::NOENT));
    assert_eq!(open(0, "dangling", 0), Err(errno::LOOP));
    assert_eq!(open(FOLLOW, "dangling", CREAT | EXCL), Err(errno::EXIST));
    assert_eq!(open(FOLLOW, "dangling", CREAT), Ok(()));
    assert_eq!(dir.read("sub/new").as_deref(), Some(&b""[..]));
    // What a link says is cut off without complaint, and ends without a zero byte.
    guest.put(DATA, b"########");
    assert_eq!(guest.readlink(DIR, "dangling", 3), Ok(b"sub".to_vec()));
    assert_eq!(guest.bytes(DATA, 5), b"sub##");
    assert_eq!(guest.readlink(DIR, "dangling", 100), Ok(b"sub/new".to_vec()));
    assert_eq!(guest.readlink(DIR, "dangling", 0), Ok(Vec::new()));
    assert_eq!(guest.readlink(DIR, "file", 9), Err(errno::INVAL));
    assert_eq!(guest.symlink("/absolute", DIR, "new"), errno::PERM);
    assert_eq!(guest.symlink("", DIR, "new"), errno::NOENT);
    assert_eq!(guest.symlink("anything", DIR, "link"), errno::EXIST);
    // As many links as the kernel follows, and one more.
    dir.link("chain0", "file");
    for i in 1..=40 {
        dir.link(&format!("chain{i}"), &format!("chain{}", i - 1));
    }
    assert_eq!(open(FOLLOW, "chain39", 0), Ok(()));
    assert_eq!(open(FOLLOW, "chain40", 0), Err(errno::LOOP));
}

#[test]
fn a_slash_at_the_end_wants_a_directory() {
    let (dir, guest) = scene();
    dir.write("file", b"");
    dir.mkdir("dir");
    dir.link("link", "dir");
    for path in ["file/", "file//", "file/."] {
        assert_eq!(guest.open(DIR, path), Err(errno::NOTDIR), "{path}");
        assert_eq!(guest.stat(DIR, FOLLOW, path), Err(errno::NOTDIR), "{path}");
        assert_eq!(guest.on_path("path_unlink_file", DIR, path), errno::NOTDIR, "{path}");
        assert_eq!(guest.on_path("path_remove_directory", DIR, path), errno::NOTDIR, "{path}");
        assert_eq!(guest.rename((DIR, path), (DIR, "new")), errno::NOTDIR, "{path}");
        assert_ne!(guest.link(0, (DIR, path), (DIR, "new")), 0, "{path}");
    }
    assert_eq!(guest.rename((DIR, "file"), (DIR, "new/")), errno::NOTDIR);
    assert_ne!(guest.link(0, (DIR, "file"), (DIR, "new/")), 0);
    assert_ne!(guest.symlink("file", DIR, "new/"), 0);
    assert_eq!(guest.create(DIR, "new/", CREAT), Err(errno::ISDIR));
    assert!(guest.open(DIR, "dir/").is_ok());
    assert!(guest.open(DIR, "link/").is_ok());
    assert_eq!(guest.on_path("path_create_directory", DIR, "new/"), 0);
    assert_eq!(guest.rename((DIR, "new/"), (DIR, "newer/")), 0);
    assert_eq!(guest.on_path("path_remove_directory", DIR, "newer/"), 0);
    assert!(dir.join("file").exists() && dir.join("link").exists());
}

#[test]
fn strange_paths_are_refused() {
    let (dir, guest) = scene();
    dir.mkdir("dir");
    dir.mkdir("dir/nested");
    dir.write("dir/nested/file", b"");
    for good in ["dir/.//nested/../../dir/nested/../nested///./file", "./dir/nested/file"] {
        assert!(guest.open(DIR, good).is_ok(), "{good}");
    }
    for (path, expected) in [
        ("", errno::NOENT),
        ("dir/nested/file\0", errno::INVAL),
        ("dir\0/nested", errno::INVAL),
        ("/dir/nested/file", errno::PERM),
        ("dir/nested/file/x", errno::NOTDIR),
        ("dir/no/../nested/file", errno::NOENT),
    ] {
        assert_eq!(guest.open(DIR, path), Err(expected), "{path:?}");
    }
    guest.put(PATH, b"\xff\xfe");
    let args = [DIR.into(), 0, PATH.into(), 2, RESULT.into()];
    assert_eq!(guest.call("path_filestat_get", &args), errno::ILSEQ);
    let long = "x".repeat(256);
    assert_eq!(guest.create(DIR, &long, CREAT), Err(errno::NAMETOOLONG));
    let long = "./".repeat(2050);
    assert_eq!(guest.open(DIR, &long), Err(errno::NAMETOOLONG));
    assert!(guest.create(DIR, &"ü".repeat(127), CREAT).is_ok());
}

#[test]
fn directories_have_the_names_they_were_given_under() {
    let dir = TempDir::new();
    let mut config = Config::new();
    config.dir(&dir.0, "/some/name", true).expect("it is there");
    let guest = Guest::new(config);
    guest.succeed("fd_prestat_get", &[DIR.into(), RESULT.into()]);
    assert_eq!((guest.u32(RESULT), guest.u32(RESULT + 4)), (0, 10));
    guest.put(DATA, b"############");
    guest.succeed("fd_prestat_dir_name", &[DIR.into(), DATA.into(), 10]);
    assert_eq!(guest.bytes(DATA, 11), b"/some/name#");
    for len in [0, 9] {
        let args = [DIR.into(), DATA.into(), len];
        assert_eq!(guest.call("fd_prestat_dir_name", &args), errno::NAMETOOLONG);
    }
    let sub = guest.open_with((DIR, 0), ".", DIRECTORY, rights::DIRECTORY, 0).expect("it opens");
    for fd in [0, 1, sub, 99] {
        assert_eq!(guest.call("fd_prestat_get", &[fd.into(), RESULT.into()]), errno::BADF);
        let args = [fd.into(), DATA.into(), 99];
        assert_eq!(guest.call("fd_prestat_dir_name", &args), errno::BADF);
    }
}

#[test]
fn files_and_directories_are_removed_by_their_own_functions() {
    let (dir, guest) = scene();
    dir.write("file", b"");
    dir.mkdir("dir");
    dir.write("dir/file", b"");
    assert_eq!(guest.on_path("path_unlink_file", DIR, "dir"), errno::ISDIR);
    assert_eq!(guest.on_path("path_unlink_file", DIR, "dir/"), errno::ISDIR);
    assert_eq!(guest.on_path("path_remove_directory", DIR, "file"), errno::NOTDIR);
    assert_eq!(guest.on_path("path_remove_directory", DIR, "dir"), errno::NOTEMPTY);
    assert_eq!(guest.on_path("path_create_directory", DIR, "dir"), errno::EXIST);
    assert_eq!(guest.on_path("path_unlink_file", DIR, "dir/file"), 0);
    assert_eq!(guest.on_path("path_remove_directory", DIR, "dir"), 0);
    assert_eq!(guest.on_path("path_remove_directory", DIR, "."), errno::INVAL);
    assert_eq!(guest.on_path("path_unlink_file", DIR, "file"), 0);
    assert_eq!(guest.on_path("path_unlink_file", DIR, "file"), errno::NOENT);
}

#[test]
fn links_of_the_hard_kind() {
    let (dir, guest) = scene();
    dir.write("file", b"text");
    dir.mkdir("dir");
    dir.link("link", "file");
    dir.link("dangling", "nothing");
    assert_eq!(guest.link(0, (DIR, "file"), (DIR, "dir/second")), 0);
    assert_eq!(guest.stat(DIR, 0, "file").map(|stat| stat.nlink), Ok(2));
    assert_eq!(guest.link(0, (DIR, "file"), (DIR, "link")), errno::EXIST);
    assert_eq!(guest.link(0, (DIR, "dir"), (DIR, "dir2")), errno::PERM);
    assert_eq!(guest.link(0, (DIR, "nothing"), (DIR, "new")), errno::NOENT);
    assert_eq!(guest.link(FOLLOW, (DIR, "link"), (DIR, "new")), errno::INVAL);
    assert_eq!(guest.link(0, (DIR, "dangling"), (DIR, "new")), 0);
    assert_eq!(guest.stat(DIR, 0, "new").map(|stat| stat.filetype), Ok(7));
    assert_eq!(guest.link(2, (DIR, "file"), (DIR, "newer")), errno::INVAL);
}

#[test]
fn positions_are_checked() {
    let (dir, guest) = scene();
    dir.write("file", b"0123456789");
    let fd = guest.create(DIR, "file", 0).expect("it opens");
    let seek = |delta: i64, whence: i64| match guest
        .call("fd_seek", &[fd.into(), delta, whence, RESULT.into()])
    {
        0 => Ok(guest.u64(RESULT)),
        errno => Err(errno),
    };
    assert_eq!(seek(4, 0), Ok(4));
    assert_eq!(seek(3, 1), Ok(7));
    assert_eq!(seek(-2, 2), Ok(8));
    assert_eq!(seek(100, 2), Ok(110));
    assert_eq!(seek(-1, 0), Err(errno::INVAL));
    assert_eq!(seek(-200, 1), Err(errno::INVAL));
    assert_eq!(seek(0, 3), Err(errno::INVAL));
    guest.succeed("fd_tell", &[fd.into(), RESULT.into()]);
    assert_eq!(guest.u64(RESULT), 110);
    assert_eq!(guest.call("fd_seek", &[DIR.into(), 0, 0, RESULT.into()]), errno::NOTCAPABLE);
    for at in [-1, i64::MIN] {
        let [array, count] = guest.buffers(&[(DATA, 4)]);
        for name in ["fd_pread", "fd_pwrite"] {
            let args = [fd.into(), array, count, at, RESULT.into()];
            assert_eq!(guest.call(name, &args), errno::INVAL, "{name}");
        }
        assert_eq!(guest.call("fd_filestat_set_size", &[fd.into(), at]), errno::INVAL);
        assert_eq!(guest.call("fd_allocate", &[fd.into(), at, 1]), errno::INVAL);
        assert_eq!(guest.call("fd_advise", &[fd.into(), at, 1, 0]), errno::INVAL);
    }
    guest.succeed("fd_advise", &[fd.into(), 0, 0, 5]);
    assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, 6]), errno::INVAL);
    guest.succeed("fd_filestat_set_size", &[fd.into(), 3]);
    assert_eq!(dir.read("file").as_deref(), Some(&b"012"[..]));
    assert!(matches!(guest.call("fd_allocate", &[fd.into(), 0, 20]), 0 | errno::NOTSUP));
    for name in ["fd_sync", "fd_datasync"] {
        guest.succeed(name, &[fd.into()]);
        guest.succeed(name, &[1]);
        assert_eq!(guest.call(name, &[99]), errno::BADF);
    }
}

#[test]
fn buffers_are_filled_together() {
    let (dir, guest) = scene();
    dir.write("file", b"0123456789");
    let fd = guest.open(DIR, "file").expect("it opens");
    let pread = |buffers: &[(u32, u32)], at: i64| {
        let [array, count] = guest.buffers(buffers);
        match guest.call("fd_pread", &[fd.into(), array, count, at, RESULT.into()]) {
            0 => Ok(guest.u32(RESULT)),
            errno => Err(errno),
        }
    };
    guest.put(DATA, &[b'#'; 100]);
    // Not in the order of their addresses, with empty ones, of which one is at the very end.
    let end = guest.memory.size() as u32;
    assert_eq!(
        pread(&[(DATA + 20, 3), (end, 0), (DATA, 4), (DATA + 4, 0), (DATA + 8, 9)], 0),
        Ok(10)
    );
    assert_eq!(guest.bytes(DATA, 24), b"3456####789#########012#");
    // Of buffers that overlap one is filled.
    guest.put(DATA, &[b'#'; 100]);
    assert_eq!(pread(&[(DATA, 4), (DATA + 2, 4)], 0), Ok(4));
    assert_eq!(guest.bytes(DATA, 6), b"0123##");
    assert_eq!(pread(&[], 0), Ok(0));
    assert_eq!(pread(&[(DATA, 0)], 0), Ok(0));
    let many: Vec<_> = (0..40).map(|i| (DATA + 64 * (40 - i), 1)).collect();
    assert_eq!(pread(&many, 0), Ok(10));
    assert_eq!(guest.bytes(DATA + 64 * 31, 1), b"9");
    let args = [fd.into(), BUFFERS.into(), 1 << 26, 0, RESULT.into()];
    assert_eq!(guest.call("fd_pread", &args), errno::INVAL);
}

#[test]
fn the_older_version_has_its_own_numbers_and_layouts() {
    let dir = TempDir::new();
    dir.write("file", b"0123456789");
    let mut config = Config::new();
    config.dir(&dir.0, "/", true).expect("it is there");
    let guest = Guest::of(Snapshot::Unstable, config);
    let fd = guest.open(DIR, "file").expect("it opens");
    for (delta, whence, expected) in [(4, 2, 4), (3, 0, 7), (-2, 1, 8), (0, 0, 8)] {
        guest.succeed("fd_seek", &[fd.into(), delta, whence, RESULT.into()]);
        assert_eq!(guest.u64(RESULT), expected, "{whence}");
    }
    assert_eq!(guest.call("fd_seek", &[fd.into(), 0, 3, RESULT.into()]), errno::INVAL);
    let host = fs::metadata(dir.join("file")).expect("it is there");
    let [at, len] = guest.path("file");
    for by_path in [false, true] {
        guest.put(RESULT, &[0xee; 64]);
        if by_path {
            guest.succeed("path_filestat_get", &[DIR.into(), 1, at, len, RESULT.into()]);
        } else {
            guest.succeed("fd_filestat_get", &[fd.into(), RESULT.into()]);
        }
        assert_eq!(guest.u64(RESULT + 8), host.ino());
        assert_eq!(guest.get::<1>(RESULT + 16), [4]);
        assert_eq!(guest.u32(RESULT + 20), 1);
        assert_eq!(guest.u64(RESULT + 24), 10);
        assert_eq!(guest.u64(RESULT + 40) % 1_000_000_000, host.mtime_nsec() as u64);
        // It ends after 56 bytes.
        assert_eq!(guest.bytes(RESULT + 56, 8), [0xee; 8]);
    }
    // A clock's number comes after an identifier.
    let mut subscription = [0u8; 56];
    subscription[0] = 42;
    subscription[16..24].fill(0xff);
    subscription[24] = 1;
    subscription[32] = 1;
    guest.put(DATA, &subscription);
    subscription[0] = 43;
    subscription[24] = 9;
    guest.put(DATA + 56, &subscription);
    let args = [DATA.into(), (DATA + 1000).into(), 2, RESULT.into()];
    guest.succeed("poll_oneoff", &args);
    assert!(guest.u32(RESULT) >= 1);
    assert_eq!(guest.u64(DATA + 1000), 43);
    assert_eq!(guest.get::<2>(DATA + 1008), (errno::INVAL as u16).to_le_bytes());
}

#[test]
fn what_is_no_file_can_be_opened_without_waiting() {
    let (dir, guest) = scene();
    let made = std::process::Command::new("mkfifo").arg(dir.join("fifo")).status();
    assert!(made.expect("there is a mkfifo").success());
    assert!(fs::metadata(dir.join("fifo")).expect("it is there").file_type().is_fifo());
    assert_eq!(guest.open_with((DIR, 0), "fifo", 0, rights::WRITE, 0), Err(errno::NXIO));
    let fd = guest.open(DIR, "fifo").expect("it opens, although nobody writes");
    assert_eq!(guest.read(fd, 9), Ok(Vec::new()));
    assert_eq!(guest.call("fd_seek", &[fd.into(), 0, 0, RESULT.into()]), errno::SPIPE);
    let other = guest.open_with((DIR, 0), "fifo", 0, rights::WRITE, 0).expect("somebody reads");
    assert_eq!(guest.write(other, b"through"), Ok(7));
    assert_eq!(guest.read(fd, 9), Ok(b"through".to_vec()));
    assert_eq!(guest.close(fd), 0);
    assert_eq!(guest.write(other, b"x"), Err(errno::PIPE));
}
