//! Compiled modules as bytes.
//!
//! Layout: [`MAGIC`], the format's number, the checksum of all that follows; then the version of
//! this library, the target, the settings and features that the code was made with, whether the
//! module's source is there, and the lengths of the sections. These are, one after the other: the
//! table of functions, their packed sites, where their bodies are in the module, the module, its
//! custom sections, and on a page of its own, up to the end, the machine code. All but the custom
//! sections, which are compressed, can be used where they lie, in a file that is mapped too.
//! Integers are little-endian or of variable length.
//!
//! Without the source, the module is what [`crate::module::strip`] leaves of it. With it, it is
//! whole, and its custom sections are nowhere else.

use std::ops::Range;

use cranelift_entity::PrimaryMap;

use super::Settings;
use crate::abi::image::FunctionTable;
use crate::abi::layout::MemoryStyle;
use crate::abi::sites::{read_number, write_number};
use crate::wasm::DefinedFuncIndex;

/// What artifacts begin with. The zero byte keeps anybody from taking them for text.
pub const MAGIC: &[u8; 8] = b"\0tenon\r\n";

/// The number of this format. It changes with every change of the format or of what code relies
/// on: layouts, libcalls, calling convention.
pub const FORMAT: u32 = 7;

/// The version of this library. Each reads its own artifacts only.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Machine code begins at a multiple of this, the page by which x86-64 systems map files.
const PAGE: usize = 1 << 12;

/// What is known of a compiled module beside its code.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// What the code depends on, see [`super::Compiler::target`].
    pub target: String,
    /// How it was made.
    pub settings: Settings,
    /// What it takes for granted of memories.
    pub memories: MemoryStyle,
    /// The features that the module was allowed to use, as bits.
    pub features: u32,
    /// Whether the module is there as it was, bodies included.
    pub has_source: bool,
}

/// What an artifact is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The table of functions and what is known of them.
    pub table: &'a FunctionTable,
    /// Where the bodies are, from [`bodies_to`].
    pub bodies: &'a [u8],
    /// The module.
    pub module: &'a [u8],
    /// Its custom sections, compressed by [`pack`].
    pub custom: &'a [u8],
    /// The machine code.
    pub code: &'a [u8],
}

/// Where the sections of an artifact are in its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sections {
    /// The table of functions.
    pub entries: Range<usize>,
    /// Their packed sites.
    pub sites: Range<usize>,
    /// Where the bodies are, for [`bodies_from`].
    pub bodies: Range<usize>,
    /// The module.
    pub module: Range<usize>,
    /// Its custom sections, for [`unpack`].
    pub custom: Range<usize>,
    /// The machine code, up to the end.
    pub code: Range<usize>,
}

impl Artifact {
    /// A compiled module as bytes.
    pub fn to_bytes(&self, parts: Parts) -> Vec<u8> {
        let Parts { table, bodies, module, custom, code } = parts;
        let mut about = Vec::new();
        write_bytes(&mut about, VERSION.as_bytes());
        write_bytes(&mut about, self.target.as_bytes());
        about.extend(self.settings.flags().into_iter().map(u8::from));
        about.push(u8::from(self.memories == MemoryStyle::Guarded));
        write_number(&mut about, self.features.into());
        about.push(u8::from(self.has_source));
        let sections: [&[u8]; 5] = [&table.entries, &table.sites, bodies, module, custom];
        for section in sections.into_iter().chain([code]) {
            write_number(&mut about, section.len() as u64);
        }
        let size =
            HEADER + about.len() + sections.iter().map(|section| section.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(size.next_multiple_of(PAGE) + code.len());
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend([0; SUM]);
        bytes.extend(about);
        sections.iter().for_each(|section| bytes.extend_from_slice(section));
        bytes.resize(size.next_multiple_of(PAGE), 0);
        bytes.extend_from_slice(code);
        let sum = checksum(&bytes[HEADER..]);
        bytes[HEADER - SUM..HEADER].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads an artifact that this version of the library has written.
    ///
    /// # Errors
    ///
    /// A message when the bytes are anything else, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Artifact, Sections), String> {
        if !bytes.starts_with(MAGIC) {
            return Err("not a compiled module".to_owned());
        }
        let Some((header, content)) = bytes.split_at_checked(HEADER) else {
            return Err("the compiled module is cut off".to_owned());
        };
        let (format, sum) = header[MAGIC.len()..].split_at(size_of::<u32>());
        if format != FORMAT.to_le_bytes() {
            return Err("the compiled module is from another version of this library".to_owned());
        }
        if sum != checksum(content).to_le_bytes() {
            return Err("the compiled module is cut off or damaged".to_owned());
        }
        let mut r = Reader(content);
        if r.bytes()? != VERSION.as_bytes() {
            return Err("the compiled module is from another version of this library".to_owned());
        }
        let target = String::from_utf8(r.bytes()?.to_vec()).map_err(|_| malformed())?;
        let settings = Settings {
            signals: r.flag()?,
            canonicalize_nans: r.flag()?,
            interruptible: r.flag()?,
            fuel: r.flag()?,
            relaxed_simd_deterministic: r.flag()?,
            baseline_cpu: r.flag()?,
        };
        let memories = if r.flag()? { MemoryStyle::Guarded } else { MemoryStyle::Checked };
        let features = u32::try_from(r.number()?).map_err(|_| malformed())?;
        let has_source = r.flag()?;
        let lens = [r.count()?, r.count()?, r.count()?, r.count()?, r.count()?, r.count()?];
        let mut end = bytes.len() - r.0.len();
        // Each length is at most that of the content, so that sums do not overflow.
        let [entries, sites, bodies, module, custom] = [0, 1, 2, 3, 4].map(|i| {
            let start = end;
            end += lens[i];
            start..end
        });
        let start = end.next_multiple_of(PAGE);
        let code = start..start + lens[5];
        if code.end != bytes.len() {
            return Err(malformed());
        }
        let sections = Sections { entries, sites, bodies, module, custom, code };
        Ok((Artifact { target, settings, memories, features, has_source }, sections))
    }
}

/// Where bodies are in their module, as bytes: two integers of four bytes for each.
pub fn bodies_to(bodies: &PrimaryMap<DefinedFuncIndex, Range<u32>>) -> Vec<u8> {
    let fields = bodies.values().flat_map(|body| [body.start, body.end]);
    fields.flat_map(u32::to_le_bytes).collect()
}

/// What [`bodies_to`] has written.
pub fn bodies_from(bytes: &[u8]) -> PrimaryMap<DefinedFuncIndex, Range<u32>> {
    let (fields, _) = bytes.as_chunks::<4>();
    let (bodies, _) = fields.as_chunks::<2>();
    bodies.iter().map(|[start, end]| u32::from_le_bytes(*start)..u32::from_le_bytes(*end)).collect()
}

/// Compresses bytes that are seldom needed.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    lz4_flex::compress_prepend_size(bytes)
}

/// What [`pack`] was given; none if the bytes are anything else than what it has returned.
pub fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    lz4_flex::decompress_size_prepended(bytes).ok()
}

/// Bytes of the checksum, and of what is before the content.
const SUM: usize = size_of::<u128>();
const HEADER: usize = MAGIC.len() + size_of::<u32>() + SUM;

/// XXH3 of 128 bits, or, as it would first ask the processor what it can do, XXH64 where that is soon
/// done.
fn checksum(bytes: &[u8]) -> u128 {
    const SMALL: usize = 256 << 10;
    match bytes.len() {
        ..SMALL => twox_hash::XxHash64::oneshot(0, bytes).into(),
        SMALL.. => twox_hash::xxhash3_128::Hasher::oneshot(bytes),
    }
}

/// What only an artifact that was never written by this library can be.
fn malformed() -> String {
    "the compiled module is malformed".to_owned()
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what describes an artifact.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn flag(&mut self) -> Result<bool, String> {
        match self.0.split_off_first() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(malformed()),
        }
    }

    fn number(&mut self) -> Result<u64, String> {
        read_number(&mut self.0).ok_or_else(malformed)
    }

    /// A number of bytes, no more than there are.
    fn count(&mut self) -> Result<usize, String> {
        let count = usize::try_from(self.number()?).map_err(|_| malformed())?;
        if count <= self.0.len() { Ok(count) } else { Err(malformed()) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], String> {
        let len = self.count()?;
        self.0.split_off(..len).ok_or_else(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::blob::Blob;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const CUSTOM: &[u8] = b"again and again and again and again";
    const CODE: &[u8] = &[0x90, 0x0f, 0x0b, 0xc3];

    fn artifact() -> Artifact {
        Artifact {
            target: "some-machine has_everything".to_owned(),
            settings: Settings {
                signals: true,
                canonicalize_nans: false,
                interruptible: true,
                fuel: false,
                relaxed_simd_deterministic: true,
                baseline_cpu: false,
            },
            memories: MemoryStyle::Guarded,
            features: 0x3ff,
            has_source: false,
        }
    }

    fn bodies() -> PrimaryMap<DefinedFuncIndex, Range<u32>> {
        [3..5, 6..1 << 20].into_iter().collect()
    }

    fn bytes() -> Vec<u8> {
        let table =
            FunctionTable { entries: Blob::new([0, 1, 4, 2]), sites: Blob::new([7, 7, 7, 7, 7]) };
        let bodies = bodies_to(&bodies());
        let custom = pack(CUSTOM);
        artifact().to_bytes(Parts {
            table: &table,
            bodies: &bodies,
            module: MODULE,
            custom: &custom,
            code: CODE,
        })
    }

    #[test]
    fn reads_what_it_writes() {
        let bytes = bytes();
        let (read, sections) = Artifact::from_bytes(&bytes).expect("it is whole");
        assert_eq!(read, artifact());
        assert_eq!(bytes[sections.entries], [0, 1, 4, 2]);
        assert_eq!(bytes[sections.sites], [7; 5]);
        assert_eq!(bodies_from(&bytes[sections.bodies]), bodies());
        assert_eq!(&bytes[sections.module], MODULE);
        assert_eq!(unpack(&bytes[sections.custom]).as_deref(), Some(CUSTOM));
        assert!(sections.code.start.is_multiple_of(PAGE));
        assert_eq!(&bytes[sections.code], CODE);
    }

    #[test]
    fn refuses_every_cut_and_every_flipped_bit() {
        let bytes = bytes();
        for len in 0..bytes.len() {
            assert!(Artifact::from_bytes(&bytes[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Artifact::from_bytes(&flipped).is_err(), "flipped bit {bit}");
        }
        let packed = pack(CUSTOM);
        for len in 0..packed.len() {
            assert_ne!(unpack(&packed[..len]).as_deref(), Some(CUSTOM), "cut to {len}");
        }
        let longer = [bytes, vec![0]].concat();
        assert!(Artifact::from_bytes(&longer).is_err(), "something after the end");
    }
}
