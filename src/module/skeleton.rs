//! Modules that are known to be valid, read without their bodies: what compiled modules keep.

use std::iter;
use std::ops::Range;

use cranelift_entity::PrimaryMap;
use wasmparser::{Chunk, Parser, Payload};

use super::sections::{collect, flags};
use super::{ModuleInfo, ParseError};
use crate::wasm::{DefinedFuncIndex, Features};

/// What comes before a module's first section: its magic number and its version.
const HEADER: usize = 8;

/// A module in two parts, which are in the binary format and have no code.
#[derive(Debug, PartialEq)]
pub struct Stripped {
    /// All that instances need.
    pub module: Vec<u8>,
    /// The custom sections.
    pub custom: Vec<u8>,
}

/// Leaves the bodies of a valid module out.
///
/// # Errors
///
/// When it is not valid.
pub fn strip(bytes: &[u8]) -> Result<Stripped, ParseError> {
    let header = bytes.get(..HEADER).unwrap_or_default();
    let (mut module, mut custom) = (header.to_vec(), header.to_vec());
    let mut start = HEADER;
    for payload in payloads(bytes, Features::default()) {
        let payload = payload?;
        let Some((_, range)) = payload.as_section() else { continue };
        let end = range.end as usize;
        match payload {
            Payload::CodeSectionStart { .. } => {}
            Payload::CustomSection(_) => custom.extend_from_slice(&bytes[start..end]),
            _ => module.extend_from_slice(&bytes[start..end]),
        }
        start = end;
    }
    Ok(Stripped { module, custom })
}

/// Decodes a module that has been validated before, or what [`strip`] has left of it. Its bodies
/// are not looked at: they were at these places.
///
/// # Errors
///
/// The first thing that cannot be decoded.
pub fn decode(
    bytes: &[u8],
    features: Features,
    bodies: PrimaryMap<DefinedFuncIndex, Range<u32>>,
) -> Result<ModuleInfo, ParseError> {
    let mut info = ModuleInfo { features, bodies, ..ModuleInfo::default() };
    payloads(bytes, features).try_for_each(|payload| collect(&mut info, payload?))?;
    info.number_func_refs();
    if info.imported.funcs as usize + info.bodies.len() != info.funcs.len() {
        return Err(ParseError::new("functions without bodies", bytes.len()));
    }
    Ok(info)
}

/// The contents of the custom sections called `name` of a valid module, in order.
pub fn custom_sections<'a>(bytes: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let payloads = payloads(bytes, Features::default()).map_while(Result::ok);
    payloads.filter_map(move |payload| match payload {
        Payload::CustomSection(section) if section.name() == name => Some(section.data()),
        _ => None,
    })
}

/// A module's parts, without its code.
fn payloads(
    bytes: &[u8],
    features: Features,
) -> impl Iterator<Item = Result<Payload<'_>, ParseError>> {
    let mut parser = Parser::new(0);
    parser.set_features(flags(features));
    let mut rest = bytes;
    iter::from_fn(move || {
        // At the end, the parser would ask for the code of functions that are declared.
        if rest.is_empty() {
            return None;
        }
        match parser.parse(rest, true) {
            Ok(Chunk::Parsed { consumed, payload }) => {
                rest = &rest[consumed..];
                if let Payload::CodeSectionStart { size, .. } = payload {
                    parser.skip_section();
                    rest = rest.get(size as usize..).unwrap_or_default();
                }
                Some(Ok(payload))
            }
            Ok(Chunk::NeedMoreData(_)) => None,
            Err(error) => {
                rest = &[];
                Some(Err(error.into()))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{Names, parse};

    const TEXT: &str = "(module $m (@custom \"a\" (before first) \"one\")
        (import \"m\" \"f\" (func)) (memory 1) (data (i32.const 3) \"three\") (data \"more\")
        (table 2 funcref) (elem (i32.const 0) $g) (export \"e\" (func $h))
        (func $g (param i64) (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0)))
        (func $h) (@custom \"a\" (after data) \"two\"))";

    #[test]
    fn what_is_left_says_the_same() {
        let bytes = wat::parse_str(TEXT).expect("the text is right");
        let features = Features::default();
        let whole = parse(&bytes, features, &|count, job| (0..count).for_each(job)).unwrap();
        let stripped = strip(&bytes).unwrap();
        assert!(stripped.module.len() + stripped.custom.len() < bytes.len());
        for kept in [&bytes, &stripped.module] {
            let info = decode(kept, features, whole.bodies.clone()).unwrap();
            let data = |info: &ModuleInfo, bytes: &[u8]| -> Vec<Vec<u8>> {
                info.data.iter().map(|segment| bytes[segment.range.clone()].to_vec()).collect()
            };
            assert_eq!(data(&info, kept), data(&whole, &bytes));
            assert_eq!((&info.types, &info.funcs), (&whole.types, &whole.funcs));
            let debug = |info: &ModuleInfo| format!("{:?}{:?}", info.exports, info.elements);
            assert_eq!(debug(&info), debug(&whole));
            assert_eq!(info.func_refs, whole.func_refs);
        }
        for kept in [&bytes, &stripped.custom] {
            let sections: Vec<_> = custom_sections(kept, "a").collect();
            assert_eq!(sections, [b"one", b"two"]);
            assert_eq!(custom_sections(kept, "b").count(), 0);
            let names = Names::parse(custom_sections(kept, "name"));
            assert_eq!(names.module(), Some("m"));
        }
        assert_eq!(custom_sections(&stripped.module, "a").count(), 0);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let bytes = wat::parse_str(TEXT).expect("the text is right");
        let features = Features::default();
        assert!(decode(&bytes, features, PrimaryMap::new()).is_err());
        for len in 0..bytes.len() {
            let _ = decode(&bytes[..len], features, PrimaryMap::new());
            let _ = strip(&bytes[..len]);
            custom_sections(&bytes[..len], "a").for_each(drop);
        }
    }
}
