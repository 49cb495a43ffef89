//! `tenon inspect`: what is in a module.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tenon::{Engine, FuncIndex, ImportType, Module};
use wasmparser::{BinaryReader, Parser, Payload, ProducersSectionReader};

use crate::cache::Cache;
use crate::package::PackageArgs;
use crate::source::Source;
use crate::{EngineArgs, Failure, print, program};

/// Show what is in a module, and which of its imports are provided.
#[derive(Args)]
pub struct Inspect {
    /// The module (.wasm, .wat or .tenon), or a package with one.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    packages: PackageArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Inspect {
    pub fn run(self) -> Result<(), Failure> {
        let source = Source::open(&self.file, &self.packages)?;
        // What it tells about machine code is about all of it.
        let (engine, progress) = self.engine.or_eager().engine_with_progress()?;
        let module = source.module(&engine, &Cache::none())?;
        drop(progress);
        let contents = Contents::of(&engine, &module)?;
        if self.json { print(format!("{:#}\n", contents.json())) } else { print(contents.text()) }
    }
}

/// What is shown of a module.
struct Contents<'m> {
    module: &'m Module,
    /// What only the module's source tells; compiled files of others may be without it.
    source: Option<FromSource>,
    /// Languages and tools that the module says it was made with.
    producers: Vec<String>,
    /// How many of the functions that it defines have names.
    named: usize,
    /// What it imports, by the first part of the name.
    imports: Vec<(&'m str, Vec<Import<'m>>)>,
}

struct FromSource {
    size: usize,
    features: Vec<&'static str>,
    /// Name and size of each section, in order.
    sections: Vec<(String, u64)>,
}

impl FromSource {
    fn of(module: &Module) -> Option<FromSource> {
        let (bytes, features) = (module.bytes()?, module.needed_features()?);
        let features = features.iter().map(|feature| feature.name()).collect();
        Some(FromSource { size: bytes.len(), features, sections: sections(bytes) })
    }
}

struct Import<'m> {
    import: ImportType<'m>,
    provided: bool,
}

impl<'m> Contents<'m> {
    fn of(engine: &Engine, module: &'m Module) -> Result<Contents<'m>, Failure> {
        let linker = program::provided(engine, module)?;
        let missing = linker.missing(module);
        let mut imports: Vec<(&str, Vec<Import>)> = Vec::new();
        for import in module.imports() {
            let from = import.module;
            let import = Import { provided: !missing.contains(&import), import };
            match imports.iter_mut().find(|(name, _)| *name == from) {
                Some((_, group)) => group.push(import),
                None => imports.push((from, vec![import])),
            }
        }
        let imported = |import: &ImportType| matches!(import.ty, tenon::ExternType::Func(_));
        let first = module.imports().filter(imported).count();
        let defined = first..first + module.func_count();
        let has_name = |index: &usize| {
            let index = u32::try_from(*index).map(FuncIndex::from_u32);
            index.is_ok_and(|index| module.func_name(index).is_some())
        };
        Ok(Contents {
            module,
            source: FromSource::of(module),
            producers: producers(module),
            named: defined.filter(has_name).count(),
            imports,
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let module = self.module;
        let or_none = |list: String| if list.is_empty() { "none".to_owned() } else { list };
        writeln!(out, "module: {}", module.name().unwrap_or("(without a name)"))?;
        if !self.producers.is_empty() {
            writeln!(out, "made with: {}", self.producers.join(", "))?;
        }
        match &self.source {
            Some(source) => writeln!(out, "size: {} bytes", source.size)?,
            None => writeln!(out, "size: unknown, the file is without the module's source")?,
        }
        writeln!(out, "machine code: {} bytes", module.code_size())?;
        writeln!(out, "functions: {}, {} with names", module.func_count(), self.named)?;
        if let Some(FromSource { features, sections, .. }) = &self.source {
            writeln!(out, "features needed: {}", or_none(features.join(", ")))?;
            writeln!(out, "sections: {}", sections.len())?;
            for (name, size) in sections {
                writeln!(out, "  {name}: {size} bytes")?;
            }
        }
        writeln!(out, "imports: {}", module.imports().len())?;
        for (from, group) in &self.imports {
            writeln!(out, "  from {from}:")?;
            for Import { import, provided } in group {
                let note = if *provided { "" } else { " (not provided by `tenon run`)" };
                writeln!(out, "    {}: {}{note}", import.name, import.ty)?;
            }
        }
        writeln!(out, "exports: {}", module.exports().len())?;
        module.exports().try_for_each(|e| writeln!(out, "  {}: {}", e.name, e.ty))
    }

    fn json(&self) -> Value {
        let module = self.module;
        let sections = self.source.as_ref().map(|source| -> Vec<_> {
            let sections = source.sections.iter();
            sections.map(|(name, size)| json!({"name": name, "size": size})).collect()
        });
        let imports = self.imports.iter().flat_map(|(_, group)| group);
        let imports: Vec<_> = imports
            .map(|Import { import, provided }| {
                json!({
                    "module": import.module,
                    "name": import.name,
                    "type": import.ty.to_string(),
                    "provided": provided,
                })
            })
            .collect();
        let exports: Vec<_> = module
            .exports()
            .map(|export| json!({"name": export.name, "type": export.ty.to_string()}))
            .collect();
        json!({
            "name": module.name(),
            "producers": self.producers,
            "size": self.source.as_ref().map(|source| source.size),
            "machine_code_size": module.code_size(),
            "functions": module.func_count(),
            "named_functions": self.named,
            "features_needed": self.source.as_ref().map(|source| &source.features),
            "sections": sections,
            "imports": imports,
            "exports": exports,
        })
    }
}

/// Name and size of each section of a valid module.
fn sections(bytes: &[u8]) -> Vec<(String, u64)> {
    let payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let sections = payloads.filter_map(|payload| {
        let (id, range) = payload.as_section()?;
        let name = match &payload {
            Payload::CustomSection(custom) => format!("custom \"{}\"", custom.name()),
            _ => section_name(id).to_owned(),
        };
        Some((name, range.end - range.start))
    });
    sections.collect()
}

/// The name of a section (core spec, section 5.5.2).
fn section_name(id: u8) -> &'static str {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    NAMES.get(usize::from(id)).copied().unwrap_or("unknown")
}

/// What the section `producers` of the tool conventions says, as far as it can be read.
fn producers(module: &Module) -> Vec<String> {
    let mut producers = Vec::new();
    for section in module.custom_sections("producers") {
        let Ok(fields) = ProducersSectionReader::new(BinaryReader::new(section, 0)) else {
            continue;
        };
        let fields = fields.into_iter().map_while(Result::ok);
        for value in fields.flat_map(|field| field.values).map_while(Result::ok) {
            producers.push(format!("{} {}", value.name, value.version).trim_end().to_owned());
        }
    }
    producers
}
