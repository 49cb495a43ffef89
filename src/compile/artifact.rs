//! Compiled modules as bytes.
//!
//! Layout: [`MAGIC`], the format's number, the checksum of all that follows; then the version of
//! this library, the target, the settings and features that the code was made with; then the
//! module's bytes and, for each of its functions, code, calls and sites. Integers are
//! little-endian; lengths come before what they count.

use super::Settings;
use crate::abi::code::{Catch, CompiledFunction, DirectCall, Handler, Sites, TrapSite};
use crate::abi::layout::MemoryStyle;
use crate::wasm::{DefinedFuncIndex, TrapCode};

/// What artifacts begin with. The zero byte keeps anybody from taking them for text.
pub const MAGIC: &[u8; 8] = b"\0tenon\r\n";

/// The number of this format. It changes with every change of the format or of what code relies
/// on: layouts, libcalls, calling convention.
pub const FORMAT: u32 = 5;

/// The version of this library. Each reads its own artifacts only.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A compiled module.
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
    /// The module's bytes.
    pub module: Vec<u8>,
    /// Its functions.
    pub functions: Vec<CompiledFunction>,
}

impl Artifact {
    /// The artifact as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer(Vec::with_capacity(self.module.len() * 4));
        w.bytes(VERSION.as_bytes());
        w.bytes(self.target.as_bytes());
        for flag in self.settings.flags() {
            w.byte(u8::from(flag));
        }
        w.byte(u8::from(self.memories == MemoryStyle::Guarded));
        w.number(self.features.into());
        w.bytes(&self.module);
        w.number(self.functions.len() as u64);
        for function in &self.functions {
            w.function(function);
        }
        let mut artifact = MAGIC.to_vec();
        artifact.extend(FORMAT.to_le_bytes());
        artifact.extend(checksum(&w.0).to_le_bytes());
        artifact.extend(w.0);
        artifact
    }

    /// Reads an artifact that this version of the library has written.
    ///
    /// # Errors
    ///
    /// A message when the bytes are anything else, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Artifact, String> {
        let header = MAGIC.len() + size_of::<u32>() + size_of::<u128>();
        if !bytes.starts_with(MAGIC) {
            return Err("not a compiled module".to_owned());
        }
        let Some((header, content)) = bytes.split_at_checked(header) else {
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
        let features = r.small()?;
        let module = r.bytes()?.to_vec();
        let count = r.count()?;
        let functions = (0..count).map(|_| r.function()).collect::<Result<_, _>>()?;
        if !r.0.is_empty() {
            return Err(malformed());
        }
        Ok(Artifact { target, settings, memories, features, module, functions })
    }
}

fn checksum(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}

/// What only an artifact that was never written by this library can be.
fn malformed() -> String {
    "the compiled module is malformed".to_owned()
}

/// Writes integers in as many groups of seven bits as they need.
struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn function(&mut self, function: &CompiledFunction) {
        self.bytes(&function.bytes);
        self.number(function.calls.len() as u64);
        for call in &function.calls {
            self.number(call.offset.into());
            self.number(call.callee.as_u32().into());
        }
        let sites = &function.sites;
        self.number(sites.context_slot.into());
        self.number(sites.traps.len() as u64);
        let mut last = 0;
        for trap in &sites.traps {
            self.number((trap.offset - last).into());
            self.byte(trap.code as u8);
            last = trap.offset;
        }
        self.number(sites.positions.len() as u64);
        let (mut last, mut last_position) = (0, 0);
        for (offset, position) in &sites.positions {
            self.number((offset - last).into());
            // Positions mostly ascend with offsets, so their differences are small either way.
            let difference = i64::from(*position) - i64::from(last_position);
            self.number(((difference << 1) ^ (difference >> 63)) as u64);
            (last, last_position) = (*offset, *position);
        }
        self.number(sites.frame_size.into());
        self.number(sites.handlers.len() as u64);
        let mut last = 0;
        for handler in &sites.handlers {
            self.number((handler.return_offset - last).into());
            self.number(handler.catch.bits().into());
            self.number(handler.landing.into());
            last = handler.return_offset;
        }
        self.number(sites.roots.len() as u64);
        let mut last = 0;
        for (offset, below) in &sites.roots {
            self.number((offset - last).into());
            self.number((*below).into());
            last = *offset;
        }
    }
}

/// Reads what a [`Writer`] has written.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.0.split_first().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn flag(&mut self) -> Result<bool, String> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(malformed()),
        }
    }

    fn number(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(malformed())
    }

    fn small(&mut self) -> Result<u32, String> {
        u32::try_from(self.number()?).map_err(|_| malformed())
    }

    /// A number of things, each of which takes at least a byte.
    fn count(&mut self) -> Result<usize, String> {
        let count = usize::try_from(self.number()?).map_err(|_| malformed())?;
        if count <= self.0.len() { Ok(count) } else { Err(malformed()) }
    }

    fn bytes(&mut self) -> Result<&'a [u8], String> {
        let len = self.count()?;
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Ok(bytes)
    }

    fn function(&mut self) -> Result<CompiledFunction, String> {
        let bytes = self.bytes()?.to_vec();
        let calls = (0..self.count()?).map(|_| {
            let (offset, callee) = (self.small()?, self.small()?);
            Ok(DirectCall { offset, callee: DefinedFuncIndex::from_u32(callee) })
        });
        let calls = calls.collect::<Result<_, String>>()?;
        let context_slot = self.small()?;
        let mut last = 0u32;
        let traps = (0..self.count()?).map(|_| {
            last = last.checked_add(self.small()?).ok_or_else(malformed)?;
            let code = TrapCode::from_code(self.byte()?).ok_or_else(malformed)?;
            Ok(TrapSite { offset: last, code })
        });
        let traps = traps.collect::<Result<_, String>>()?;
        let (mut last, mut last_position) = (0u32, 0u32);
        let positions = (0..self.count()?).map(|_| {
            last = last.checked_add(self.small()?).ok_or_else(malformed)?;
            let coded = self.number()?;
            let difference = (coded >> 1) as i64 ^ -((coded & 1) as i64);
            let position = i64::from(last_position).checked_add(difference);
            let position = position.and_then(|position| u32::try_from(position).ok());
            last_position = position.ok_or_else(malformed)?;
            Ok((last, last_position))
        });
        let positions = positions.collect::<Result<_, String>>()?;
        let frame_size = self.small()?;
        let mut last = 0u32;
        let handlers = (0..self.count()?).map(|_| {
            last = last.checked_add(self.small()?).ok_or_else(malformed)?;
            let catch = Catch::from_bits(self.small()?).ok_or_else(malformed)?;
            Ok(Handler { return_offset: last, catch, landing: self.small()? })
        });
        let handlers = handlers.collect::<Result<_, String>>()?;
        let mut last = 0u32;
        let roots = (0..self.count()?).map(|_| {
            last = last.checked_add(self.small()?).ok_or_else(malformed)?;
            Ok((last, self.small()?))
        });
        let roots = roots.collect::<Result<_, String>>()?;
        let sites = Sites { context_slot, traps, positions, roots, frame_size, handlers };
        Ok(CompiledFunction { bytes, calls, sites })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::TagIndex;

    fn artifact() -> Artifact {
        let function = CompiledFunction {
            bytes: vec![0x90, 0xe8, 0, 0, 0, 0, 0x0f, 0x0b, 0xc3],
            calls: vec![DirectCall { offset: 2, callee: DefinedFuncIndex::from_u32(1) }],
            sites: Sites {
                context_slot: 16,
                traps: vec![TrapSite { offset: 6, code: TrapCode::Unreachable }],
                positions: vec![(6, 300), (9, 2)],
                roots: vec![(6, 24), (6, 32), (9, 24)],
                frame_size: 48,
                handlers: vec![
                    Handler {
                        return_offset: 5,
                        catch: Catch::new(Some(TagIndex::from_u32(3)), true),
                        landing: 8,
                    },
                    Handler { return_offset: 5, catch: Catch::new(None, false), landing: 6 },
                ],
            },
        };
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
            module: b"\0asm\x01\0\0\0".to_vec(),
            functions: vec![function.clone(), CompiledFunction { calls: vec![], ..function }],
        }
    }

    #[test]
    fn reads_what_it_writes() {
        assert_eq!(Artifact::from_bytes(&artifact().to_bytes()), Ok(artifact()));
    }

    #[test]
    fn refuses_every_cut_and_every_flipped_bit() {
        let bytes = artifact().to_bytes();
        for len in 0..bytes.len() {
            assert!(Artifact::from_bytes(&bytes[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Artifact::from_bytes(&flipped).is_err(), "flipped bit {bit}");
        }
        let longer = [bytes, vec![0]].concat();
        assert!(Artifact::from_bytes(&longer).is_err(), "something after the end");
    }
}
