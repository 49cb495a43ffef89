//! Writes `include/*.h` with the feature `headers`, and sees to it that a new order of functions is
//! linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // What is linked by it.
    for file in ["order.txt", "ordered-cc.sh", "unhashed.sed"] {
        println!("cargo::rerun-if-changed=scripts/{file}");
    }
    #[cfg(feature = "headers")]
    headers::write();
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
