//! The layout of OCI images in a directory: `index.json` names a manifest, that a layer which is a
//! WebAssembly module. Every blob is compared with its digest.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256, Sha512};

use super::{PackageArgs, choose, read};
use crate::grants::{Grants, inside};
use crate::source::Source;

/// The file by which the layout is recognized.
pub const MARKER: &str = "oci-layout";

/// Bytes of an index or a manifest, at most: what registries accept.
const MAX_METADATA: u64 = 4 << 20;
/// Bytes of a module, at most.
const MAX_MODULE: u64 = 1 << 30;
/// Indexes that may contain each other.
const MAX_DEPTH: usize = 4;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const REFERENCE: &str = "org.opencontainers.image.ref.name";
/// What layers are called that are modules.
const MODULES: [&str; 3] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// What names a blob.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Clone, Deserialize)]
struct Platform {
    architecture: String,
}

impl Descriptor {
    fn name(&self) -> Option<&str> {
        self.annotations.get(REFERENCE).map(String::as_str)
    }

    fn is_for_wasm(&self) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.architecture.starts_with("wasm"))
    }
}

/// The program of the image in a directory.
pub fn open(root: &Path, args: &PackageArgs) -> Result<Source, String> {
    let layout: Layout = parse(&read(&root.join(MARKER), MAX_METADATA)?, MARKER)?;
    if !layout.image_layout_version.starts_with("1.") {
        let version = layout.image_layout_version;
        return Err(format!("the layout's version is {version}; only 1 is supported"));
    }
    let index = read(&root.join("index.json"), MAX_METADATA)?;
    let descriptor = choose_manifest(root, &index, args.entrypoint.as_deref(), 0)?;
    let manifest: Manifest = parse(&blob(root, &descriptor, MAX_METADATA)?, "the manifest")?;
    let is_module = |layer: &&Descriptor| MODULES.contains(&&*layer.media_type);
    let mut modules = manifest.layers.iter().filter(is_module);
    let (Some(layer), None) = (modules.next(), modules.next()) else {
        let types: Vec<_> = manifest.layers.iter().map(|l| &*l.media_type).collect();
        let types = if types.is_empty() { "none".to_owned() } else { types.join(", ") };
        return Err(format!("the image has to have one layer that is a module; it has {types}"));
    };
    let bytes = blob(root, layer, MAX_MODULE)?;
    let name = descriptor.name().map_or_else(|| root.to_string_lossy().into_owned(), str::to_owned);
    let (args, grants) = (Vec::new(), Grants::default());
    Ok(Source { path: root.to_owned(), bytes, name, args, grants })
}

/// The manifest that an index names: that of the wanted name, or the only one for WebAssembly.
fn choose_manifest(
    root: &Path,
    index: &[u8],
    wanted: Option<&str>,
    depth: usize,
) -> Result<Descriptor, String> {
    let index: Index = parse(index, "the index")?;
    let mut images = index.manifests;
    // A name that is not here may be in an index below.
    let is_here = wanted.is_some() && images.iter().any(|image| image.name() == wanted);
    if is_here {
        images.retain(|image| image.name() == wanted);
    }
    if images.iter().any(Descriptor::is_for_wasm) {
        images.retain(Descriptor::is_for_wasm);
    }
    let chosen = match images.as_slice() {
        [only] if only.media_type == INDEX => only,
        all => choose("image", all, wanted, Descriptor::name)?,
    };
    if chosen.media_type != INDEX {
        return Ok(chosen.clone());
    }
    if depth == MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} indexes contain each other"));
    }
    let below = blob(root, chosen, MAX_METADATA)?;
    choose_manifest(root, &below, wanted.filter(|_| !is_here), depth + 1)
}

/// The bytes that a descriptor names, which have the size and digest that it says.
fn blob(root: &Path, descriptor: &Descriptor, max: u64) -> Result<Vec<u8>, String> {
    let Descriptor { digest, size, .. } = descriptor;
    let malformed = || format!("`{}` is no digest", digest.escape_debug());
    let (algorithm, expected) = digest.split_once(':').ok_or_else(malformed)?;
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return Err(malformed()),
    };
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    if expected.len() != length || !expected.chars().all(is_digit) {
        return Err(malformed());
    }
    if *size > max {
        return Err(format!("{digest}: larger than {max} bytes"));
    }
    let path = inside(root, &format!("blobs/{algorithm}/{expected}"))
        .map_err(|error| format!("{digest}: {error}"))?;
    let bytes = read(&path, max)?;
    if bytes.len() as u64 != *size {
        return Err(format!("{digest}: {} bytes instead of {size}", bytes.len()));
    }
    let actual = if algorithm == "sha256" {
        hexadecimal(&Sha256::digest(&bytes))
    } else {
        hexadecimal(&Sha512::digest(&bytes))
    };
    if actual != expected {
        return Err(format!("{digest}: the digest of what is there is {actual}"));
    }
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{what}: {error}"))
}
