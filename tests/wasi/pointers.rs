//! Addresses that are not the guest's: for each pointer of each function, in the table's own order.

use tenon::wasi::{Config, FUNCTIONS, Function, Param, Snapshot};

use crate::guest::*;

/// Where the arguments of a call that succeeds point to.
const STRUCT: i64 = 512;

/// Arguments with which a function succeeds, in a guest that is new.
fn good(guest: &Guest, name: &str) -> Option<Vec<i64>> {
    let file = guest.create(DIR, "file", CREAT).map(i64::from).expect("it opens");
    let dir = i64::from(DIR);
    let [path, len] = guest.path("file");
    let [new, new_len] = guest.path_at(OTHER_PATH, "new");
    let [array, count] = guest.buffers(&[(DATA, 4)]);
    // One clock that has struck.
    guest.put(DATA, &[0; 56]);
    Some(match name {
        "args_get" | "environ_get" => vec![STRUCT, DATA.into()],
        "args_sizes_get" | "environ_sizes_get" => vec![STRUCT, STRUCT + 8],
        "clock_res_get" => vec![0, STRUCT],
        "clock_time_get" => vec![1, 0, STRUCT],
        "fd_fdstat_get" | "fd_filestat_get" | "fd_tell" => vec![file, STRUCT],
        "fd_prestat_get" => vec![dir, STRUCT],
        "fd_prestat_dir_name" => vec![dir, STRUCT, 4],
        "fd_pread" | "fd_pwrite" => vec![file, array, count, 0, STRUCT],
        "fd_read" | "fd_write" => vec![file, array, count, STRUCT],
        "fd_readdir" => vec![dir, DATA.into(), 100, 0, STRUCT],
        "fd_seek" => vec![file, 0, 0, STRUCT],
        "path_create_directory" => vec![dir, new, new_len],
        "path_filestat_get" => vec![dir, 0, path, len, STRUCT],
        "path_filestat_set_times" => vec![dir, 0, path, len, 0, 0, 5],
        "path_link" => vec![dir, 0, path, len, dir, new, new_len],
        "path_open" => vec![dir, 0, new, new_len, 1, 2, 0, 0, STRUCT],
        "path_readlink" => {
            assert_eq!(guest.symlink("file", DIR, "link"), 0);
            let [at, len] = guest.path("link");
            vec![dir, at, len, DATA.into(), 4, STRUCT]
        }
        "path_remove_directory" => {
            assert_eq!(guest.on_path("path_create_directory", DIR, "dir"), 0);
            let [at, len] = guest.path("dir");
            vec![dir, at, len]
        }
        "path_rename" => vec![dir, path, len, dir, new, new_len],
        "path_symlink" => vec![path, len, dir, new, new_len],
        "path_unlink_file" => vec![dir, path, len],
        "poll_oneoff" => vec![DATA.into(), i64::from(DATA) + 64, 1, STRUCT],
        "random_get" => vec![DATA.into(), 4],
        // A guest has no socket to pass.
        "sock_accept" | "sock_recv" | "sock_send" => return None,
        _ => return Some(Vec::new()),
    })
}

/// A guest with a file, arguments and variables, so that every pointer is used.
fn scene(dir: &TempDir, snapshot: Snapshot) -> Guest {
    let mut config = Config::new();
    config.dir(&dir.0, "/dir", true).expect("it is there");
    config.arg("one").arg("two").env("A", "B");
    dir.write("file", b"text");
    Guest::of(snapshot, config)
}

#[test]
fn every_pointer_of_every_function_is_checked() {
    let mut cases = 0;
    for snapshot in Snapshot::ALL {
        for function in FUNCTIONS.iter().filter(|function| snapshot.has(function.name)) {
            for (i, param) in function.params.iter().enumerate() {
                if *param == Param::Ptr {
                    cases += check(snapshot, function, i);
                }
            }
        }
    }
    assert!(cases > 500, "{cases}");
}

/// Passes bad addresses as one of the parameters; how many.
fn check(snapshot: Snapshot, function: &Function, param: usize) -> u32 {
    let dir = TempDir::new();
    let guest = scene(&dir, snapshot);
    let Some(args) = good(&guest, function.name) else { return 0 };
    assert_eq!(args.len(), function.params.len(), "{} has no arguments here", function.name);
    // Nothing is changed by what fails, neither in the memory nor in the directory.
    let len = function.params.get(param + 1).filter(|next| **next == Param::Len);
    let least = if len.is_some() { args[param + 1] } else { 1 };
    let size = guest.memory.size() as i64;
    let before = guest.bytes(0, size as u32);
    let names = || {
        let entries = std::fs::read_dir(&dir.0).expect("it is there").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let names_before = names();
    let mut bad = vec![size, size + 1, 1 << 31, u32::MAX.into(), i64::from(u32::MAX) - 3];
    bad.extend([size - least + 1, (1 << 32) - least]);
    for address in bad.iter().copied() {
        let mut args = args.clone();
        args[param] = address;
        let errno = guest.call(function.name, &args);
        assert_eq!(errno, errno::FAULT, "{} parameter {param} {address:#x}", function.name);
        assert!(guest.bytes(0, size as u32) == before, "{} {param}", function.name);
        assert_eq!(names(), names_before, "{} {param}", function.name);
    }
    // What has been passed all the time is good.
    assert_eq!(guest.call(function.name, &args), 0, "{}", function.name);
    bad.len() as u32
}

/// Every struct may end at the memory's end, and no later.
#[test]
fn structs_may_end_where_the_memory_ends() {
    let sizes: [(&str, usize, [i64; 2]); 14] = [
        ("args_sizes_get", 0, [4, 4]),
        ("args_sizes_get", 1, [4, 4]),
        ("clock_res_get", 1, [8, 8]),
        ("clock_time_get", 2, [8, 8]),
        ("fd_fdstat_get", 1, [24, 24]),
        ("fd_filestat_get", 1, [56, 64]),
        ("fd_prestat_get", 1, [8, 8]),
        ("fd_seek", 3, [8, 8]),
        ("fd_tell", 1, [8, 8]),
        ("fd_read", 1, [8, 8]),
        ("fd_write", 3, [4, 4]),
        ("path_filestat_get", 4, [56, 64]),
        ("poll_oneoff", 0, [56, 48]),
        ("poll_oneoff", 1, [32, 32]),
    ];
    for snapshot in Snapshot::ALL {
        for (name, param, sizes) in sizes {
            let dir = TempDir::new();
            let guest = scene(&dir, snapshot);
            let args = good(&guest, name).expect("it has arguments");
            let size = guest.memory.size() as i64;
            let call = |address: i64| {
                let mut args = args.clone();
                args[param] = address;
                guest.call(name, &args)
            };
            let len = sizes[snapshot as usize];
            assert_eq!(call(size - len + 1), errno::FAULT, "{name} {param}");
            assert_eq!(call(size - len), 0, "{name} {param}");
        }
    }
}

/// Buffers that an array describes.
#[test]
fn buffers_are_checked_before_any_is_used() {
    let dir = TempDir::new();
    let guest = scene(&dir, Snapshot::Preview1);
    let fd = guest.create(DIR, "file", 0).expect("it opens");
    let size = guest.memory.size() as u32;
    for (second, expected) in [
        ((size, 1), errno::FAULT),
        ((size - 1, 2), errno::FAULT),
        ((u32::MAX, 1), errno::FAULT),
        ((u32::MAX, u32::MAX), errno::FAULT),
        ((1, u32::MAX), errno::FAULT),
        ((size, 0), errno::SUCCESS),
    ] {
        for name in ["fd_read", "fd_write"] {
            guest.put(DATA, b"####");
            let [array, count] = guest.buffers(&[(DATA, 1), second]);
            let args = [fd.into(), array, count, RESULT.into()];
            assert_eq!(guest.call(name, &args), expected, "{name} {second:?}");
            if expected != errno::SUCCESS {
                assert_eq!(guest.bytes(DATA, 4), b"####");
                assert_eq!(dir.read("file").as_deref(), Some(&b"text"[..]));
            }
        }
    }
    // Lengths that add up to more than a result can say.
    let many: Vec<_> = (0..1024).map(|_| (0, size)).collect();
    let [array, count] = guest.buffers(&many);
    assert!(u64::from(size) * 1024 < 1 << 32);
    let args = [fd.into(), array, count, RESULT.into()];
    assert_eq!(guest.call("fd_read", &args), 0);
    guest.memory.grow(60).expect("it can grow");
    let many: Vec<_> = (0..1024).map(|_| (0, guest.memory.size() as u32)).collect();
    guest.buffers(&many);
    assert_eq!(guest.call("fd_read", &args), errno::INVAL);
}
