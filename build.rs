//! Gives the shared library its name, and, with the feature `headers`, writes `include/*.h`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = |part: &str| std::env::var(format!("CARGO_PKG_VERSION_{part}")).unwrap();
    // Before 1.0 every minor version may break.
    let abi = match version("MAJOR").as_str() {
        "0" => format!("0.{}", version("MINOR")),
        major => major.to_owned(),
    };
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libtenon.so.{abi}");
        // The signal handler stays installed.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // Addresses to relocate as a bitmap. Not every linker can.
        let packed = "-Wl,-z,pack-relative-relocs";
        if linker_takes(packed) {
            println!("cargo::rustc-cdylib-link-arg={packed}");
        }
    }
    #[cfg(feature = "headers")]
    headers::write();
}

/// Whether a library can be linked with this option.
fn linker_takes(option: &str) -> bool {
    let variable = |name: &str| std::env::var_os(name).unwrap_or_default();
    let folder = std::path::PathBuf::from(variable("OUT_DIR"));
    let (source, library) = (folder.join("probe.rs"), folder.join("probe.so"));
    let mut rustc = std::process::Command::new(variable("RUSTC"));
    rustc.args(["--edition=2024", "--crate-type=cdylib", "--target"]).arg(variable("TARGET"));
    if let Some(linker) = std::env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    rustc.args(["-C", &format!("link-arg={option}"), "-o"]).arg(library).arg(&source);
    std::fs::write(&source, "").is_ok() && rustc.output().is_ok_and(|done| done.status.success())
}

#[cfg(feature = "headers")]
mod headers {
    use std::path::Path;

    /// The headers, their settings, and the sources they are made of.
    const HEADERS: [(&str, &str, &[&str]); 3] = [
        (
            "include/wasm.h",
            "cbindgen.toml",
            &[
                "engine",
                "store",
                "types",
                "porttypes",
                "val",
                "frame",
                "trap",
                "foreign",
                "module",
                "func",
                "global",
                "table",
                "memory",
                "extern_",
                "instance",
            ],
        ),
        ("include/wasi.h", "src/capi/wasi.h.toml", &["wasi", "wasi_streams", "wasi_net"]),
        (
            "include/tenon.h",
            "src/capi/tenon.h.toml",
            &["tenon", "limits", "wide", "shared", "tag", "reftypes", "objects", "raw", "native"],
        ),
    ];

    pub fn write() {
        println!("cargo::rerun-if-env-changed=HEADERS_RUN");
        for (header, settings, sources) in HEADERS {
            let config = cbindgen::Config::from_file(settings).expect("the settings can be read");
            let mut builder = cbindgen::Builder::new().with_config(config);
            println!("cargo::rerun-if-changed={settings}");
            for source in sources {
                let source = format!("src/capi/{source}.rs");
                println!("cargo::rerun-if-changed={source}");
                builder = builder.with_src(Path::new(&source));
            }
            let bindings = builder.generate().expect("the sources can be read");
            bindings.write_to_file(header);
        }
    }
}
