//! Modules from seeds.

use std::convert::Infallible;

use arbitrary::Unstructured;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Instruction};
use wasm_smith::{Config, InstructionKind, InstructionKinds, MemoryOffsetChoices, Module};

use crate::case::{FUEL, FUEL_OF_A_CALL};
use crate::rng::Rng;

/// What engines may leave out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    pub gc: bool,
    pub exceptions: bool,
    pub memory64: bool,
    pub threads: bool,
    pub relaxed_simd: bool,
    pub wide_arithmetic: bool,
    pub custom_page_sizes: bool,
    /// Sequences that keep instructions from trapping.
    pub trap_guards: bool,
}

const NONE: Features = Features {
    gc: false,
    exceptions: false,
    memory64: false,
    threads: false,
    relaxed_simd: false,
    wide_arithmetic: false,
    custom_page_sizes: false,
    trap_guards: false,
};

impl Features {
    /// What Wasmi has. Of the sequences that keep divisions from trapping, it translates one wrong
    /// (2.0.0: `select` between 1 and a divisor, by `i32.eqz` of the divisor).
    pub const WASMI: Features =
        Features { memory64: true, wide_arithmetic: true, custom_page_sizes: true, ..NONE };

    /// What `accepts` takes small modules with.
    pub fn probe(accepts: impl Fn(&[u8]) -> bool) -> Features {
        let accepts = |sections: &[u8]| accepts(&[b"\0asm\x01\0\0\0", sections].concat());
        let body = |op: &[u8]| {
            // A function of nothing that goes on after `unreachable`.
            let (start, end): (&[u8], &[u8]) = (&[0, 0], &[0x0b]);
            let code = [start, op, end].concat();
            let size = code.len() as u8;
            let mut module = vec![1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, size + 2, 1, size];
            module.extend(code);
            accepts(&module)
        };
        Features {
            gc: accepts(&[1, 3, 1, 0x5f, 0]),
            exceptions: accepts(&[1, 4, 1, 0x60, 0, 0, 13, 3, 1, 0, 0]),
            memory64: accepts(&[5, 3, 1, 4, 1]),
            threads: accepts(&[5, 4, 1, 3, 1, 1]),
            relaxed_simd: body(&[0xfd, 0x80, 2, 0x1a]),
            wide_arithmetic: body(&[0xfc, 19, 0x1a, 0x1a]),
            custom_page_sizes: accepts(&[5, 4, 1, 8, 1, 0]),
            trap_guards: true,
        }
    }

    /// What both have.
    pub fn and(self, other: Features) -> Features {
        Features {
            gc: self.gc && other.gc,
            exceptions: self.exceptions && other.exceptions,
            memory64: self.memory64 && other.memory64,
            threads: self.threads && other.threads,
            relaxed_simd: self.relaxed_simd && other.relaxed_simd,
            wide_arithmetic: self.wide_arithmetic && other.wide_arithmetic,
            custom_page_sizes: self.custom_page_sizes && other.custom_page_sizes,
            trap_guards: self.trap_guards && other.trap_guards,
        }
    }
}

/// The module of a seed; none if the seed makes none.
pub fn module(seed: u64, features: Features) -> Option<Vec<u8>> {
    let mut rng = Rng::new(seed);
    let config = config(&mut rng, features);
    let bytes = 1 << rng.within(10, 15);
    let bytes = rng.bytes(bytes);
    let mut module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    let fuel = module.ensure_termination(FUEL_OF_A_CALL).ok()?;
    finish(&module.to_bytes(), fuel)
}

/// Settings of all kinds, within what both engines can do.
fn config(rng: &mut Rng, features: Features) -> Config {
    let mut config = Config::default();
    let mut chance = |n: u64| rng.one_in(n);
    config.gc_enabled = features.gc && !chance(4);
    config.exceptions_enabled = features.exceptions && !chance(4);
    config.memory64_enabled = features.memory64 && !chance(4);
    config.threads_enabled = features.threads && chance(2);
    config.relaxed_simd_enabled = features.relaxed_simd;
    config.wide_arithmetic_enabled = features.wide_arithmetic;
    config.custom_page_sizes_enabled = features.custom_page_sizes && chance(2);
    config.simd_enabled = !chance(3);
    config.tail_call_enabled = !chance(4);
    config.compact_imports_enabled = false;
    config.canonicalize_nans = true;
    config.export_everything = true;
    config.generate_custom_sections = chance(16);
    config.disallow_traps = features.trap_guards && chance(2);
    config.allow_floats = !chance(6);
    config.allow_start_export = chance(4);

    config.min_funcs = rng.pick(&[1, 2, 2, 4, 4, 8]);
    config.max_funcs = config.min_funcs + 4;
    config.max_instructions = rng.pick(&[10, 40, 40, 100, 100, 100, 300, 300, 1000, 4000]);
    config.min_types = rng.within(1, 6) as usize;
    config.max_types = rng.within(6, 16) as usize;
    config.max_imports = if rng.one_in(2) { 0 } else { rng.within(1, 6) as usize };
    config.max_globals = rng.within(0, 8) as usize;
    config.max_tags = rng.within(0, 4) as usize;
    config.max_memories = rng.pick(&[1, 1, 1, 2, 4]);
    config.min_memories = u32::from(!rng.one_in(4));
    config.max_tables = rng.pick(&[1, 1, 2, 4]);
    config.max_data_segments = rng.within(0, 6) as usize;
    config.max_element_segments = rng.within(0, 6) as usize;
    config.max_elements = rng.within(1, 30) as usize;
    config.max_nesting_depth = rng.within(2, 20) as usize;
    // What could grow without bound would be compared for ever.
    config.memory_max_size_required = true;
    config.max_memory32_bytes = rng.pick(&[1 << 16, 1 << 18, 1 << 20, 4 << 20]);
    config.max_memory64_bytes = config.max_memory32_bytes.into();
    config.table_max_size_required = true;
    config.max_table_elements = rng.pick(&[1, 10, 100, 1000]);
    config.limit_arrays_in_const_exprs = true;
    config.memory_offset_choices = match rng.below(4) {
        0 => MemoryOffsetChoices(1, 0, 0),
        1 => MemoryOffsetChoices(75, 20, 5),
        2 => MemoryOffsetChoices(99, 1, 0),
        _ => MemoryOffsetChoices(50, 25, 25),
    };
    if rng.one_in(2) {
        use InstructionKind::{
            Aggregate, Control, Memory, MemoryInt, Numeric, NumericInt, Parametric, Reference,
            Table, Variable, Vector, VectorInt,
        };
        let kinds = [
            Numeric, NumericInt, Vector, VectorInt, Reference, Parametric, Variable, Table, Memory,
            MemoryInt, Control, Aggregate,
        ];
        let kinds: Vec<_> = kinds.into_iter().filter(|_| !rng.one_in(3)).collect();
        config.allowed_instructions = InstructionKinds::new(&kinds);
    }
    config
}

/// Exports a module's fuel, and lets no atomic wait last.
fn finish(wasm: &[u8], fuel: u32) -> Option<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    let parser = wasmparser::Parser::new(0);
    Finish { fuel }.parse_core_module(&mut module, parser, wasm).ok()?;
    Some(module.finish())
}

struct Finish {
    fuel: u32,
}

impl Reencode for Finish {
    type Error = Infallible;

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Error<Infallible>> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(FUEL, ExportKind::Global, self.fuel);
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        func: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        let mut body = self.new_function_with_parsed_locals(&func)?;
        let mut reader = func.get_operators_reader()?;
        while !reader.eof() {
            let instruction = self.parse_instruction(&mut reader)?;
            let waits = matches!(
                instruction,
                Instruction::MemoryAtomicWait32(_) | Instruction::MemoryAtomicWait64(_)
            );
            if waits {
                body.instruction(&Instruction::Drop).instruction(&Instruction::I64Const(0));
            }
            body.instruction(&instruction);
        }
        code.function(&body);
        Ok(())
    }
}
