//! Packages and images as `tenon run` takes them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::{Folder, PROBE, folder, refused, shown, text, write};

fn probe() -> Vec<u8> {
    fs::read(PROBE).expect("the guest is there")
}

/// A package with the probe as its module `probe`.
fn package(dir: &Path, manifest: &str) -> PathBuf {
    write(dir, "bin/probe.wasm", probe());
    let module = "[[module]]\nname = 'probe'\nsource = 'bin/probe.wasm'\n";
    write(dir, "wasmer.toml", format!("{manifest}\n{module}"));
    dir.to_owned()
}

/// What a package says that it is.
fn identity(name: &str, version: &str) -> String {
    format!("[package]\nname = '{name}'\nversion = '{version}'\n")
}

/// A command of the probe.
fn command(name: &str, rest: &str) -> String {
    format!("[[command]]\nname = '{name}'\nmodule = 'probe'\n{rest}\n")
}

#[test]
fn a_package_runs_its_entrypoint() {
    let dir = folder("package");
    let manifest = "[package]\nname = 'some/tool'\nversion = '1.2.3'\nentrypoint = 'show'\n";
    let show = "runner = 'https://webc.org/runner/wasi'\n[command.annotations.wasi]\n\
                main-args = ['env', 'cat', '/data/text', 'args']\nenv = ['A=1', 'B=2']\n\
                cwd = '/data'\nexec-name = 'shower'";
    let manifest = [
        manifest,
        "[fs]\n'/data' = 'files'\n",
        &command("show", show),
        &command("other", "main_args = 'args x'"),
    ];
    let root = package(&dir, &manifest.concat());
    write(&dir, "files/text", "text in a package\n");
    let expected = "PWD=/data\nA=1\nB=2\ntext in a package\nshower\nuser\n";
    assert_eq!(shown(["run", text(&root), "user"]), expected);
    // The manifest stands for the package; the user's settings go before the package's.
    let manifest = root.join("wasmer.toml");
    let given = ["run", "--env", "B=3", "--argv0", "mine", text(&manifest)];
    assert_eq!(shown(given), "PWD=/data\nA=1\nB=3\ntext in a package\nmine\n");
    let given = ["run", "--entrypoint", "other", text(&root), "y"];
    assert_eq!(shown(given), "other\nx\ny\n");
    refused(["run", "--entrypoint", "none", text(&root)], "there is `show`, `other`");
    // What belongs to the package stays as it is.
    let show = "[[command]]\nname = 'w'\nmodule = 'probe'\nmain_args = 'write /data/text'\n";
    let root = package(&dir, &format!("[fs]\n'/data' = 'files'\n{show}"));
    let output = crate::tenon(["run", text(&root)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(dir.join("files/text")).expect("it is there").len(), 18);

    let shown = shown(["inspect", text(&root)]);
    assert!(shown.contains("_start: func () -> ()"), "{shown}");
}

#[test]
fn what_a_package_leaves_out_is_found_or_refused() {
    let dir = folder("left_out");
    let root = package(&dir.join("module"), "");
    assert_eq!(shown(["run", text(&root), "args", "x"]), "probe\nx\n");
    let root = package(&dir.join("one"), &command("only", ""));
    assert_eq!(shown(["run", text(&root), "args"]), "only\n");
    let root = package(&dir.join("two"), &[command("a", ""), command("b", "")].concat());
    refused(["run", text(&root)], "--entrypoint has to name the command: `a`, `b`");
    let root = dir.join("none");
    write(&root, "wasmer.toml", "[package]\n");
    refused(["run", text(&root)], "there is no module");
    let root = package(&dir.join("runner"), &command("web", "runner = 'wcgi'"));
    refused(["run", text(&root)], "the command `web` is for the runner `wcgi`");
    let missing = "[[command]]\nname = 'c'\nmodule = 'missing'\n";
    let root = package(&dir.join("missing"), missing);
    refused(["run", text(&root)], "there is no module `missing`");
    let root = package(&dir.join("env"), &command("c", "annotations.wasi.env = ['A']"));
    refused(["run", text(&root)], "a variable is NAME=VALUE: A");
    let root = package(&dir.join("cwd"), &command("c", "annotations.wasi.cwd = '/x'"));
    refused(["run", text(&root)], "`/x` is in no directory");
    refused(["run", "--entrypoint", "x", PROBE], "--entrypoint is for packages");
}

#[test]
fn paths_of_a_package_stay_inside() {
    let dir = folder("inside");
    write(&dir, "secret", "(module)");
    fs::create_dir_all(dir.join("links")).expect("there is room");
    symlink(dir.join("secret"), dir.join("links/file")).expect("there is room");
    symlink(&*dir, dir.join("links/dir")).expect("there is room");
    symlink(".", dir.join("links/here")).expect("there is room");
    let secret = dir.join("secret").display().to_string();
    for source in ["../secret", "x/../../secret", "file", "dir/secret", &secret] {
        let manifest = format!("[[module]]\nname = 'm'\nsource = '{source}'\n");
        write(&dir, "links/wasmer.toml", manifest);
        let output = crate::tenon(["run", text(&dir.join("links"))]);
        let message = crate::stderr(&output);
        let refusals = ["leads outside", "is absolute", "No such file"];
        assert!(refusals.iter().any(|refusal| message.contains(refusal)), "{source}: {message}");
    }
    for host in ["..", "dir", "/", "missing"] {
        let root = package(&dir.join("links"), &format!("[fs]\n'/x' = '{host}'\n"));
        refused(["run", text(&root)], &format!("[fs]: `/x` = `{host}`: "));
    }
    let root = package(&dir.join("links"), "[fs]\n'/x' = 'here/.'\n");
    assert!(shown(["run", text(&root), "cat", "/x/wasmer.toml"]).contains("[fs]"));
    let root = package(&dir.join("links"), "[fs]\n'/../x' = '.'\n");
    refused(["run", text(&root)], "is no path");
    // What is no file is not opened.
    write(&dir, "links/wasmer.toml", "[[module]]\nname = 'm'\nsource = '.'\n");
    refused(["run", text(&dir.join("links"))], "not a file");
    write(&dir, "links/wasmer.toml", "[package]\nname = '../x'\n");
    refused(["run", text(&dir.join("links"))], "`../x` is no name of a package");
    write(&dir, "links/wasmer.toml", "]");
    refused(["run", text(&dir.join("links"))], "wasmer.toml: ");
    write(&dir, "links/wasmer.toml", vec![b' '; (1 << 20) + 1]);
    refused(["run", text(&dir.join("links"))], "larger than 1048576 bytes");
}

/// A directory with packages `some/lib` of three versions, `some/base`, and what uses them.
fn library(dir: &Path) -> String {
    for version in ["1.0.0", "1.4.2", "2.0.0"] {
        let depends = "[dependencies]\n'some/base' = '^0.1'\n[fs]\n'/lib' = 'files'\n";
        let root = dir.join("some/lib").join(version);
        package(&root, &[&identity("some/lib", version), depends].concat());
        write(&root, "files/version", version);
    }
    let root = dir.join("some/base/0.1.7");
    let mounts = "[fs]\n'/base' = '.'\n'/lib' = '.'\n";
    package(&root, &[&identity("some/base", "0.1.7"), mounts].concat());
    text(dir).to_owned()
}

#[test]
fn dependencies_are_found_by_version() {
    let dir = folder("dependencies");
    let packages = library(&dir.join("packages"));
    let uses = |wanted: &str| {
        let manifest = format!(
            "[dependencies]\n'some/lib' = '{wanted}'\n\
             [[command]]\nname = 'c'\nmodule = 'some/lib:probe'\n"
        );
        write(&dir, "app/wasmer.toml", manifest);
        dir.join("app")
    };
    for (wanted, version) in [("^1.0", "1.4.2"), ("=1.0.0", "1.0.0"), ("*", "2.0.0")] {
        let root = uses(wanted);
        let args = ["run", "--package-dir", &packages, text(&root), "cat", "/lib/version"];
        assert_eq!(shown(args), version);
    }
    let root = uses("^1.0");
    let run = ["run", "--package-dir", &packages];
    // The base of the library is there too, but `/lib` is that of who is nearer.
    let args = run.into_iter().chain([text(&root), "cat", "/base/wasmer.toml"]);
    assert!(shown(args).contains("some/base"));
    let root = uses("^3");
    let message = "no `some/lib` is ^3; there is 1.0.0, 1.4.2, 2.0.0";
    refused(run.into_iter().chain([text(&root)]), message);
    refused(["run", text(&root)], "`some/lib` is in no --package-dir");
    // What is run can be named in the same way.
    let args = run.into_iter().chain(["some/lib@^1", "cat", "/lib/version"]);
    assert_eq!(shown(args), "1.4.2");
    refused(run.into_iter().chain(["some/lib@9"]), "no `some/lib` is ^9");
    refused(run.into_iter().chain(["../lib"]), "no name of a package");
}

#[test]
fn wrong_dependencies_are_refused() {
    let dir = folder("wrong_dependencies");
    let depends = |name: &str| format!("[dependencies]\n'{name}' = '*'\n");
    let packages = dir.join("packages");
    package(&packages.join("a/1.0.0"), &(identity("a", "1.0.0") + &depends("b")));
    package(&packages.join("b/1.0.0"), &(identity("b", "1.0.0") + &depends("a")));
    package(&packages.join("liar/1.0.0"), &identity("liar", "2.0.0"));
    let run = |name: &str, message: &str| {
        let root = package(&dir.join("app"), &depends(name));
        refused(["run", "--package-dir", text(&packages), text(&root)], message);
    };
    run("a", "depend on each other in a circle");
    run("liar", "says that it is liar 2.0.0");
    let row = |number: usize| format!("p{number}");
    for number in 0..40 {
        let manifest = identity(&row(number), "1.0.0") + &depends(&row(number + 1));
        package(&packages.join(row(number)).join("1.0.0"), &manifest);
    }
    run("p0", "more than 32 packages depend on each other in a row");
}

/// An image: a layout with its blobs.
struct Image(Folder);

impl Image {
    fn new(dir: Folder) -> Image {
        write(&dir, "oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
        Image(dir)
    }

    fn blob(&self, content: &[u8], media_type: &str) -> Value {
        let hex: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
        write(&self.0, &format!("blobs/sha256/{hex}"), content);
        let digest = format!("sha256:{hex}");
        json!({"mediaType": media_type, "digest": digest, "size": content.len()})
    }

    fn json(&self, content: &Value, media_type: &str) -> Value {
        self.blob(content.to_string().as_bytes(), media_type)
    }

    fn manifest(&self, layers: &[Value]) -> Value {
        let config = self.blob(b"{}", "application/vnd.wasm.config.v0+json");
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        self.json(&manifest, "application/vnd.oci.image.manifest.v1+json")
    }

    fn index(&self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        write(&self.0, "index.json", index.to_string());
    }
}

fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    descriptor
}

#[test]
fn an_image_runs_its_layer() {
    let image = Image::new(folder("image"));
    let root = text(&image.0);
    let layer = image.blob(&probe(), "application/wasm");
    let manifest = image.manifest(&[layer]);
    image.index(std::slice::from_ref(&manifest));
    assert_eq!(shown(["run", "--argv0", "x", root, "args", "y"]), "x\ny\n");
    // Several images, by name; those for other machines do not count.
    let mut native = manifest.clone();
    native["platform"] = json!({"architecture": "amd64", "os": "linux"});
    image.index(&[named(manifest.clone(), "tool"), native.clone()]);
    assert_eq!(shown(["run", root, "args"]), "tool\n");
    image.index(&[named(manifest.clone(), "one"), named(manifest.clone(), "two")]);
    refused(["run", root], "--entrypoint has to name the image: `one`, `two`");
    assert_eq!(shown(["run", "--entrypoint", "two", root, "args"]), "two\n");
    refused(["run", "--entrypoint", "six", root], "no image named `six`");
    // An index may be in an index.
    let inner = json!({"schemaVersion": 2, "manifests": [native, manifest]});
    let inner = image.json(&inner, "application/vnd.oci.image.index.v1+json");
    image.index(&[named(inner, "outer")]);
    shown(["run", "--argv0", "x", "--entrypoint", "outer", root, "args"]);
    shown(["run", root, "args"]);
    // The other digest that there may be.
    let digest: String = Sha512::digest(probe()).iter().map(|b| format!("{b:02x}")).collect();
    write(&image.0, &format!("blobs/sha512/{digest}"), probe());
    let digest = format!("sha512:{digest}");
    let layer = json!({"mediaType": "application/wasm", "digest": digest, "size": probe().len()});
    image.index(&[image.manifest(&[layer])]);
    shown(["run", root]);
}

#[test]
fn blobs_are_what_their_digests_say() {
    let image = Image::new(folder("blobs"));
    let root = text(&image.0);
    let layer = image.blob(&probe(), "application/wasm");
    let with = |field: &str, value: Value| {
        let mut layer = layer.clone();
        layer[field] = value;
        image.index(&[image.manifest(&[layer])]);
    };
    with("size", json!(5));
    refused(["run", root], "bytes instead of 5");
    with("size", json!(u64::MAX));
    refused(["run", root], "larger than 1073741824 bytes");
    with("size", json!(-1));
    refused(["run", root], "the manifest: ");
    let climb = format!("sha256:{:0>64}", "/../../../../etc/passwd");
    for digest in ["sha256:../../x", "md5:00", "sha256", "", &climb, &"sha256:A".repeat(8)] {
        with("digest", json!(digest));
        refused(["run", root], "is no digest");
    }
    with("digest", json!(format!("sha256:{}", "0".repeat(64))));
    refused(["run", root], "No such file");
    with("mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip"));
    refused(["run", root], "one layer that is a module; it has application/vnd.oci");
    image.index(&[image.manifest(&[layer.clone(), layer.clone()])]);
    refused(["run", root], "one layer that is a module");

    image.index(&[image.manifest(std::slice::from_ref(&layer))]);
    let digest = layer["digest"].as_str().expect("it is text").replace(':', "/");
    let path = image.0.join("blobs").join(digest);
    let mut bytes = probe();
    bytes[5000] ^= 1;
    fs::write(&path, bytes).expect("there is room");
    refused(["run", root], "the digest of what is there is ");
    // A link that leads to the right bytes outside of the image.
    fs::remove_file(&path).expect("it is there");
    symlink(PROBE, &path).expect("there is room");
    refused(["run", root], "leads outside");

    write(&image.0, "index.json", "{}");
    refused(["run", root], "the index: ");
    image.index(&[]);
    refused(["run", root], "there is no image");
    write(&image.0, "oci-layout", r#"{"imageLayoutVersion": "2.0"}"#);
    refused(["run", root], "the layout's version is 2.0");
}

#[test]
fn indexes_do_not_nest_without_end() {
    let image = Image::new(folder("nested"));
    let mut inner = image.manifest(&[]);
    for _ in 0..6 {
        let index = json!({"schemaVersion": 2, "manifests": [inner]});
        inner = image.json(&index, "application/vnd.oci.image.index.v1+json");
    }
    image.index(&[inner]);
    refused(["run", text(&image.0)], "more than 4 indexes");
}
