//! Programs that compilers have made.

use tenon::wasi::{Capture, Config, Exit, Wasi};
use tenon::{Error, Linker, Module, Store};

use crate::guest::{TempDir, engine};

/// What the C library of WASI makes of the functions.
#[test]
fn the_c_library_works_on_files() {
    let dir = TempDir::new();
    dir.mkdir("granted");
    dir.write("secret", b"SECRET");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-c/guests/libc.wasm");
    let program = std::fs::read(path).expect("the program is there");
    let (output, errors) = (Capture::new(Some(1000)), Capture::new(Some(10_000)));
    let mut config = Config::new();
    config.arg("libc").arg("/data").env("NAME", "value").stdin_bytes("first\nsecond");
    config.capture_stdout(&output).capture_stderr(&errors);
    config.dir(dir.join("granted"), "/data", true).expect("it is there");
    let store = Store::new(engine());
    let module = Module::new(engine(), &program).expect("the program is valid");
    let mut linker = Linker::new(&store);
    Wasi::new(config).define(&mut linker).expect("the functions can be defined");
    let instance = linker.instantiate(&module).expect("the program links");
    let start = instance.func("_start").expect("the program starts somewhere");
    let status = match start.call(&[]) {
        Ok(_) => Some(Exit(0)),
        Err(Error::Trap(trap)) => Exit::of(&trap),
        Err(error) => panic!("{error}"),
    };
    let errors = String::from_utf8_lossy(&errors.take(usize::MAX)).into_owned();
    assert_eq!((status, errors.as_str()), (Some(Exit(0)), ""));
    assert_eq!(output.take(usize::MAX), b"done\n");
    let left = std::fs::read_dir(dir.join("granted")).expect("it is there").count();
    assert_eq!(left, 0);
}
