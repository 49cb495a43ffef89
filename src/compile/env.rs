//! How code reaches the state of its instance. Offsets come only from [`crate::abi::layout`].

use std::collections::HashMap;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::{
    self, AbiParam, AliasRegion, AliasRegionData, ArgumentPurpose, ExtFuncData, ExternalName,
    FuncRef, InstBuilder, MemFlagsData, SigRef, Signature, Type, UserExternalName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::FunctionBuilder;

use super::trampoline::WASM_CALL_CONV;
use super::{Compiler, Source, isa};
use crate::abi::layout::{Place, offset};
use crate::abi::libcalls::{Libcall, Routine};
use crate::abi::signature::{MachineType, machine_type};
use crate::wasm::{
    DefinedFuncIndex, FuncType, GlobalIndex, MemoryIndex, TableIndex, TrapCode, TypeIndex, ValType,
};

/// The type of addresses.
pub(super) const POINTER: Type = types::I64;

/// Marks code after a call that does not return.
pub(super) const UNREACHED: ir::TrapCode = trap_code(TrapCode::Unreachable);

/// The relocation of a call to a function of the same module.
pub(super) const CALL_RELOC: Reloc = Reloc::X86CallPCRel4;

/// The code generator's number for a trap that our own code checks.
pub(super) const fn trap_code(code: TrapCode) -> ir::TrapCode {
    ir::TrapCode::unwrap_user(code as u8)
}

/// Our code for a trap of the code generator, its own checks included.
pub(super) fn from_trap_code(code: ir::TrapCode) -> Option<TrapCode> {
    Some(match code {
        ir::TrapCode::STACK_OVERFLOW => TrapCode::StackOverflow,
        ir::TrapCode::HEAP_OUT_OF_BOUNDS => TrapCode::MemoryOutOfBounds,
        ir::TrapCode::INTEGER_OVERFLOW => TrapCode::IntegerOverflow,
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => TrapCode::IntegerDivideByZero,
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => TrapCode::InvalidConversionToInteger,
        user => return TrapCode::from_code(user.as_raw().get()),
    })
}

/// The code generator's type for a machine type.
fn clif_machine_type(ty: MachineType) -> Type {
    match ty {
        MachineType::I32 => types::I32,
        MachineType::I64 => types::I64,
        MachineType::F32 => types::F32,
        MachineType::F64 => types::F64,
        MachineType::V128 => types::I8X16,
        MachineType::Pointer => POINTER,
    }
}

/// The code generator's type for values of `ty`. Vectors outside an operation are bytes.
pub(super) fn clif_type(ty: ValType) -> Type {
    clif_machine_type(machine_type(ty))
}

/// The signature of a wasm function: the context, then its parameters.
pub(super) fn signature(ty: &FuncType) -> Signature {
    let mut sig = Signature::new(WASM_CALL_CONV);
    sig.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    sig.params.extend(ty.params().iter().map(|ty| AbiParam::new(clif_type(*ty))));
    sig.returns.extend(ty.results().iter().map(|ty| AbiParam::new(clif_type(*ty))));
    sig
}

/// The address of a libcall, and its signature with this calling convention.
fn libcall_entry(
    b: &mut FunctionBuilder,
    convention: CallConv,
    vmctx: Value,
    libcall: Libcall,
) -> (SigRef, Value) {
    let mut sig = Signature::new(convention);
    sig.params.push(AbiParam::new(POINTER));
    let params = libcall.params().iter();
    sig.params.extend(params.map(|ty| AbiParam::new(clif_machine_type(*ty))));
    sig.returns.extend(libcall.result().map(|ty| AbiParam::new(clif_machine_type(ty))));
    (b.import_signature(sig), entry_address(b, vmctx, libcall as usize))
}

/// The address at `index` of those that contexts point to.
fn entry_address(b: &mut FunctionBuilder, vmctx: Value, index: usize) -> Value {
    let constant = constant_flags();
    let table = b.ins().load(POINTER, constant, vmctx, offset::CONTEXT_LIBCALLS);
    b.ins().load(POINTER, constant, table, index as i32 * POINTER.bytes() as i32)
}

/// Calls a libcall; its result, if it has one.
pub(super) fn call_libcall(
    b: &mut FunctionBuilder,
    isa: &dyn TargetIsa,
    vmctx: Value,
    libcall: Libcall,
    args: &[Value],
) -> Option<Value> {
    let (sig, callee) = libcall_entry(b, isa::host_call_conv(isa), vmctx, libcall);
    let mut all = vec![vmctx];
    all.extend_from_slice(args);
    let call = b.ins().call_indirect(sig, callee, &all);
    b.inst_results(call).first().copied()
}

/// Flags for loading what never changes while a context lives.
pub(super) fn constant_flags() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

/// Kinds of memory that never overlap, so that a store to one leaves the others as they are.
#[derive(Clone, Copy)]
enum Region {
    Context = 1,
    Memory,
    Table,
    Global,
    Fuel,
    Allocation,
    Heap,
}

/// More than the number of each of the regions.
const REGIONS: usize = Region::Heap as usize + 1;

/// What translating one function knows about its surroundings.
pub(super) struct Env<'a> {
    pub(super) compiler: &'a Compiler,
    pub(super) source: &'a Source<'a>,
    pub(super) vmctx: Value,
    signatures: HashMap<TypeIndex, SigRef>,
    functions: HashMap<DefinedFuncIndex, FuncRef>,
    regions: [Option<AliasRegion>; REGIONS],
    /// Whether the function calls anything.
    pub(super) calls: bool,
    /// Whether the function has an instruction that may trap.
    pub(super) traps: bool,
}

impl<'a> Env<'a> {
    pub(super) fn new(compiler: &'a Compiler, source: &'a Source<'a>, vmctx: Value) -> Env<'a> {
        Env {
            compiler,
            source,
            vmctx,
            signatures: HashMap::new(),
            functions: HashMap::new(),
            regions: [None; REGIONS],
            calls: false,
            traps: false,
        }
    }

    fn region(&mut self, b: &mut FunctionBuilder, region: Region) -> Option<AliasRegion> {
        let known = &mut self.regions[region as usize];
        if known.is_none() {
            let description = match region {
                Region::Context => "context",
                Region::Memory => "memory",
                Region::Table => "table",
                Region::Global => "global",
                Region::Fuel => "fuel",
                Region::Allocation => "allocation",
                Region::Heap => "heap",
            };
            let data = AliasRegionData { user_id: region as u32, description: description.into() };
            *known = Some(b.func.dfg.alias_regions.insert(data));
        }
        *known
    }

    /// Flags for loading what calls may change: sizes, and bases that may move.
    pub(super) fn context_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(self.region(b, Region::Context))
    }

    /// Flags for accessing linear memory; such an access traps unless told otherwise.
    pub(super) fn memory_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        self.traps = true;
        MemFlagsData::new()
            .with_endianness(ir::Endianness::Little)
            .with_alias_region(self.region(b, Region::Memory))
    }

    /// Flags for accessing table elements.
    pub(super) fn table_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(self.region(b, Region::Table))
    }

    /// Flags for accessing globals.
    pub(super) fn global_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(self.region(b, Region::Global))
    }

    /// Flags for accessing the store's fuel.
    pub(super) fn fuel_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(self.region(b, Region::Fuel))
    }

    /// Flags for accessing where the heap's free part is.
    pub(super) fn allocation_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(self.region(b, Region::Allocation))
    }

    /// Flags for accessing objects on the heap. Vectors in them are not aligned.
    pub(super) fn heap_flags(&mut self, b: &mut FunctionBuilder) -> MemFlagsData {
        MemFlagsData::new()
            .with_notrap()
            .with_endianness(ir::Endianness::Little)
            .with_alias_region(self.region(b, Region::Heap))
    }

    /// The address of the store.
    pub(super) fn store(&self, b: &mut FunctionBuilder) -> Value {
        b.ins().load(POINTER, constant_flags(), self.vmctx, offset::CONTEXT_STORE)
    }

    /// The signature of the module's type `index`.
    pub(super) fn signature(&mut self, b: &mut FunctionBuilder, index: TypeIndex) -> SigRef {
        let module = self.source.module;
        *self
            .signatures
            .entry(index)
            .or_insert_with(|| b.import_signature(signature(module.signature(index))))
    }

    /// A function that this module defines as the target of a direct call.
    pub(super) fn function(&mut self, b: &mut FunctionBuilder, index: DefinedFuncIndex) -> FuncRef {
        if let Some(known) = self.functions.get(&index) {
            return *known;
        }
        let module = self.source.module;
        let signature = self.signature(b, module.funcs[module.func_index(index)]);
        let name = UserExternalName::new(0, index.as_u32());
        let name = ExternalName::user(b.func.declare_imported_user_function(name));
        let data = ExtFuncData { name, signature, colocated: true, patchable: false };
        let function = b.import_function(data);
        self.functions.insert(index, function);
        function
    }

    /// The address of what is at `place` in the context, as a base and an offset.
    fn address(&self, b: &mut FunctionBuilder, place: Place) -> (Value, i32) {
        match place {
            Place::Inline(offset) => (self.vmctx, offset),
            Place::Pointer(offset) => {
                (b.ins().load(POINTER, constant_flags(), self.vmctx, offset), 0)
            }
        }
    }

    /// The address of a memory's `VMMemory`.
    pub(super) fn memory(&self, b: &mut FunctionBuilder, index: MemoryIndex) -> (Value, i32) {
        let place = self.source.layout.memory(index);
        let shared = self.source.module.memories[index].shared;
        self.address(b, if shared { place.indirect() } else { place })
    }

    /// The address of a table's `VMTable`.
    pub(super) fn table(&self, b: &mut FunctionBuilder, index: TableIndex) -> (Value, i32) {
        self.address(b, self.source.layout.table(index))
    }

    /// The address of a global's value.
    pub(super) fn global(&self, b: &mut FunctionBuilder, index: GlobalIndex) -> (Value, i32) {
        self.address(b, self.source.layout.global(index))
    }

    /// Calls a libcall; its result, if it has one.
    pub(super) fn libcall(
        &mut self,
        b: &mut FunctionBuilder,
        libcall: Libcall,
        args: &[Value],
    ) -> Option<Value> {
        self.calls = true;
        call_libcall(b, &*self.compiler.isa, self.vmctx, libcall, args)
    }

    /// Calls a function of C that never fails.
    pub(super) fn routine(&mut self, b: &mut FunctionBuilder, routine: Routine, args: &[Value]) {
        self.calls = true;
        let mut sig = Signature::new(isa::host_call_conv(&*self.compiler.isa));
        let params = routine.params().iter();
        sig.params.extend(params.map(|ty| AbiParam::new(clif_machine_type(*ty))));
        let sig = b.import_signature(sig);
        let callee = entry_address(b, self.vmctx, Libcall::ALL.len() + routine as usize);
        b.ins().call_indirect(sig, callee, args);
    }

    /// A libcall that throws, as something to call: its signature and its address. Its arguments,
    /// the context first, lie where both calling conventions have them; with that of wasm nothing
    /// has to be restored where a handler goes on.
    pub(super) fn thrower(&self, b: &mut FunctionBuilder, libcall: Libcall) -> (SigRef, Value) {
        libcall_entry(b, WASM_CALL_CONV, self.vmctx, libcall)
    }

    /// Traps when `condition` is not zero.
    pub(super) fn trap_if(&mut self, b: &mut FunctionBuilder, condition: Value, code: TrapCode) {
        self.traps = true;
        if self.compiler.signals() {
            b.ins().trapnz(condition, trap_code(code));
            return;
        }
        let raise = b.create_block();
        let go_on = b.create_block();
        b.ins().brif(condition, raise, &[], go_on, &[]);
        b.seal_block(raise);
        b.seal_block(go_on);
        b.switch_to_block(raise);
        b.set_cold_block(raise);
        self.raise(b, code);
        b.switch_to_block(go_on);
    }

    /// Traps; ends the block.
    pub(super) fn trap(&mut self, b: &mut FunctionBuilder, code: TrapCode) {
        self.traps = true;
        if self.compiler.signals() {
            b.ins().trap(trap_code(code));
        } else {
            self.raise(b, code);
        }
    }

    fn raise(&mut self, b: &mut FunctionBuilder, code: TrapCode) {
        let code = b.ins().iconst(types::I32, i64::from(code as u8));
        self.libcall(b, Libcall::raise, &[code]);
        b.ins().trap(UNREACHED);
    }
}
