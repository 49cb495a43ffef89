//! Instances: one context for compiled code, and what belongs to it.

use std::alloc::{self, Layout};
use std::any::Any;
use std::cell::RefCell;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use cranelift_entity::EntityRef;

use super::budget::Charge;
use super::code::CodeSpace;
use super::exception::Tag;
use super::heap::Tracer;
use super::libcalls;
use super::memory::Memory;
use super::refs::{context_node, trace_global, trace_slot, trace_table};
use super::store::{EntityKind, Handle, Node, NodeKind, Store, leak};
use super::table::Table;
use super::types::{Type, TypeRef};
use crate::abi::blob::Blob;
use crate::abi::layout::{
    ContextLayout, INSTANCE_MAGIC, MemoryStyle, Place, VMContext, VMFuncImport, VMFuncRef,
    VMGlobal, VMMemory, VMTable, VMType,
};
use crate::wasm::{
    DefinedFuncIndex, FuncIndex, GlobalIndex, GlobalType, HeapType, MemoryIndex, MemoryType,
    TableIndex, TableType, TagIndex, TypeId, TypeIndex,
};

/// The part of a module that its running code needs.
pub struct Image {
    layout: ContextLayout,
    type_refs: Box<[TypeRef]>,
    types: Box<[*const VMType]>,
    parts: ImageParts,
    /// A number that no other image has.
    serial: u64,
}

/// What an [`Image`] is made from.
pub struct ImageParts {
    /// The memories that the module defines.
    pub memories: Box<[MemoryType]>,
    /// The tables that the module defines.
    pub tables: Box<[TableType]>,
    /// All globals.
    pub globals: Box<[GlobalType]>,
    /// The types of the tags that the module defines.
    pub tags: Box<[TypeIndex]>,
    /// The functions that can be referred to, and their types, in the order of their numbers.
    pub func_refs: Box<[(DefinedFuncIndex, TypeIndex)]>,
    /// Where each data segment is in `bytes`.
    pub data: Box<[Range<usize>]>,
    /// The module's bytes.
    pub bytes: Blob,
    /// The type of references in each element segment.
    pub element_types: Box<[HeapType]>,
    /// Whether instances can get references from others, or give theirs away, in other ways than
    /// through the host: by sharing tables or globals or calling each other with references.
    pub shares_refs: bool,
    /// Whether code of the module may make objects on the heap, or look into them.
    pub uses_heap: bool,
}

// SAFETY: the pointers in `types` are the addresses of `type_refs`, which are shared safely.
unsafe impl Send for Image {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for Image {}

impl Image {
    /// The image with this layout, these types in the order of their indices, and these parts.
    pub fn new(layout: ContextLayout, type_refs: Box<[TypeRef]>, parts: ImageParts) -> Image {
        let types = type_refs.iter().map(|ty| ty.as_vm()).collect();
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Image { layout, type_refs, types, parts, serial }
    }

    /// The layout of contexts.
    pub fn layout(&self) -> &ContextLayout {
        &self.layout
    }

    /// The engine's type for one of the module's.
    pub fn canonical(&self, id: TypeId) -> TypeId {
        let ty = id.module_index().and_then(|index| self.type_refs.get(index as usize));
        ty.map_or(id, |ty| ty.id())
    }

    /// A number that no other image has.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The module's types.
    pub(super) fn types(&self) -> &[TypeRef] {
        &self.type_refs
    }

    /// The canonical form of each type.
    pub fn type_ref(&self, index: TypeIndex) -> &TypeRef {
        &self.type_refs[index.index()]
    }
}

/// An instance of a module.
#[repr(C)]
pub struct Instance {
    pub(super) node: Node,
    context: NonNull<VMContext>,
    image: *const Image,
    code: *const CodeSpace,
    /// What has to live as long: the module with `image` and `code`.
    owner: Rc<dyn Any>,
    /// For each import, its kind and the node that it belongs to.
    imports: Box<[(EntityKind, NonNull<Node>)]>,
    /// All memories, imported ones first.
    memories: Box<[NonNull<Memory>]>,
    _own_memories: Box<[Memory]>,
    /// All tables, imported ones first.
    tables: Box<[NonNull<Table>]>,
    _own_tables: Box<[Table]>,
    /// All tags, imported ones first.
    tags: Box<[NonNull<Tag>]>,
    _own_tags: Box<[Tag]>,
    /// Its place in the store's budget of instances.
    _charge: Charge,
    segments: RefCell<Segments>,
}

/// What passive segments hold until they are dropped.
#[derive(Default)]
struct Segments {
    elements: Box<[Box<[u64]>]>,
    data_dropped: Box<[bool]>,
}

impl Instance {
    /// An instance of `image` with `imports` in their order, each of the right kind and type.
    /// Globals, tables and memories are zero. `code` is asked for the module's code, with whether
    /// all memories that can be guarded are.
    ///
    /// # Safety
    ///
    /// `owner` keeps `image` and the code alive, which is that of the same module, and for
    /// memories as it was asked for.
    ///
    /// # Errors
    ///
    /// A message when a limit is reached or there is no memory, or that of `code`.
    pub unsafe fn create<'c>(
        store: &Store,
        image: &Image,
        owner: Rc<dyn Any>,
        imports: &[Handle],
        code: impl FnOnce(bool) -> Result<&'c CodeSpace, String>,
    ) -> Result<Handle, String> {
        let Some(charge) = store.budgets().instances.charge(1) else {
            return Err("the store's limit of instances is reached".to_owned());
        };
        if image.parts.uses_heap {
            store.admit_objects(image)?;
        }
        let layout = image.layout();
        let context = allocate(layout)?;
        let parts = &image.parts;
        let shape = layout.shape();
        let allocated = FreeOnError { context, layout };

        let mut memories = pointers(imports, EntityKind::Memory);
        let own_memories = (0..shape.memories).map(|i| {
            let index = MemoryIndex::from_u32(shape.imported_memories + i);
            // SAFETY: the place is in the context, which lives as long as the memory.
            let vm: NonNull<VMMemory> = unsafe { inline(context, layout.memory(index)) };
            let ty = parts.memories[i as usize];
            Memory::new(ty, &store.config().memory, &store.budgets().memory, vm)
        });
        let own_memories = own_memories.collect::<Result<Box<[_]>, _>>()?;
        memories.extend(own_memories.iter().map(NonNull::from));

        let mut tables = pointers(imports, EntityKind::Table);
        let own_tables = (0..shape.tables).map(|i| {
            let index = TableIndex::from_u32(shape.imported_tables + i);
            // SAFETY: the place is in the context, which lives as long as the table.
            let vm: NonNull<VMTable> = unsafe { inline(context, layout.table(index)) };
            Table::new(parts.tables[i as usize], &store.budgets().elements, vm)
        });
        let own_tables = own_tables.collect::<Result<Box<[_]>, _>>()?;
        tables.extend(own_tables.iter().map(NonNull::from));

        let mut tags = pointers(imports, EntityKind::Tag);
        let own_tags = parts.tags.iter().map(|ty| Tag::new(image.type_ref(*ty).clone()));
        let own_tags: Box<[_]> = own_tags.collect();
        tags.extend(own_tags.iter().map(NonNull::from));

        let guarded = |memory: &NonNull<Memory>| {
            // SAFETY: memories live as long as whoever has them, and handles keep those alive.
            let memory = unsafe { memory.as_ref() };
            memory.style() == MemoryStyle::Guarded.of(&memory.ty())
        };
        let code = code(memories.iter().all(guarded))?;
        std::mem::forget(allocated);
        let instance = leak(Box::new(Instance {
            node: Node::new(store, NodeKind::Instance),
            context,
            image,
            code,
            owner,
            imports: imports.iter().map(|import| (import.kind(), import.node())).collect(),
            memories: memories.into_boxed_slice(),
            _own_memories: own_memories,
            tables: tables.into_boxed_slice(),
            _own_tables: own_tables,
            tags: tags.into_boxed_slice(),
            _own_tags: own_tags,
            _charge: charge,
            segments: RefCell::new(Segments {
                elements: parts.element_types.iter().map(|_| Box::default()).collect(),
                data_dropped: vec![false; parts.data.len()].into_boxed_slice(),
            }),
        }));
        // SAFETY: the context is fresh, with this layout; the node came from a box.
        unsafe {
            fill(context, image, code, store, instance, imports);
            instance.as_ref()._own_tags.iter().for_each(|tag| tag.set_node(instance.cast()));
            store.adopt(instance.cast());
            if parts.shares_refs {
                instance.as_ref().node.escape();
            }
            for import in imports {
                import.link();
                if parts.shares_refs {
                    import.head().escape();
                }
            }
            Ok(Handle::new(instance.cast(), EntityKind::Instance, instance))
        }
    }

    /// The instance of a context.
    ///
    /// # Safety
    ///
    /// The context is live and that of an instance.
    pub(super) unsafe fn of_context<'a>(context: *const VMContext) -> &'a Instance {
        // SAFETY: the caller's contract.
        unsafe {
            debug_assert_eq!((*context).magic, INSTANCE_MAGIC);
            context_node(context).cast().as_ref()
        }
    }

    fn image(&self) -> &Image {
        // SAFETY: `owner` keeps it alive.
        unsafe { &*self.image }
    }

    /// Its code.
    pub fn code(&self) -> &CodeSpace {
        // SAFETY: `owner` keeps it alive.
        unsafe { &*self.code }
    }

    /// The type with this index in its module.
    pub(super) fn type_at(&self, index: u32) -> &Type {
        &self.image().type_refs[index as usize]
    }

    /// What keeps its module alive.
    pub fn owner(&self) -> &Rc<dyn Any> {
        &self.owner
    }

    /// The address of something at an offset in its context.
    fn at<T>(&self, offset: i32) -> *mut T {
        self.context.as_ptr().cast::<u8>().wrapping_add(offset as usize).cast()
    }

    /// The memory with this index.
    pub fn memory(&self, index: MemoryIndex) -> &Memory {
        // SAFETY: memories live as long as the instances that have them or import them.
        unsafe { self.memories[index.index()].as_ref() }
    }

    /// All memories.
    pub(super) fn memories(&self) -> impl Iterator<Item = &Memory> {
        // SAFETY: as in `memory`.
        self.memories.iter().map(|memory| unsafe { memory.as_ref() })
    }

    /// The table with this index.
    pub fn table(&self, index: TableIndex) -> &Table {
        // SAFETY: tables live as long as the instances that have them or import them.
        unsafe { self.tables[index.index()].as_ref() }
    }

    /// The tag with this index.
    pub fn tag(&self, index: TagIndex) -> &Tag {
        // SAFETY: tags live as long as the instances that have them or import them.
        unsafe { self.tags[index.index()].as_ref() }
    }

    /// Where the value of the global with this index is.
    pub fn global(&self, index: GlobalIndex) -> *mut VMGlobal {
        match self.image().layout.global(index) {
            Place::Inline(at) => self.at(at),
            // SAFETY: the place holds a pointer to the global (see `fill`).
            Place::Pointer(at) => unsafe { self.at::<*mut VMGlobal>(at).read() },
        }
    }

    /// The value of a global, in little-endian form; what its type does not fill is zero.
    pub fn get_global(&self, index: GlobalIndex) -> u128 {
        // SAFETY: globals are 16 bytes, all initialized.
        unsafe { u128::from_le_bytes((*self.global(index)).bytes) }
    }

    /// Sets the value of a global. It has to be one of its type.
    pub fn set_global(&self, index: GlobalIndex, value: u128) {
        // SAFETY: as in `get_global`.
        unsafe { (*self.global(index)).bytes = value.to_le_bytes() };
    }

    /// The reference to the function with this index. Functions that are defined here have one
    /// only if the module says so (see [`ImageParts::func_refs`]).
    pub fn func_ref(&self, index: FuncIndex, number: Option<u32>) -> NonNull<VMFuncRef> {
        let layout = &self.image().layout;
        let func = match number {
            Some(number) => self.at::<VMFuncRef>(layout.func_ref(number)).cast_const(),
            None => {
                let import = self.at::<VMFuncImport>(layout.imported_func(index.as_u32()));
                // SAFETY: imports are filled in when the instance is made.
                unsafe { (*import).func_ref }
            }
        };
        NonNull::new(func.cast_mut()).expect("functions have references")
    }

    /// A handle to the function with this index, see [`Instance::func_ref`].
    pub fn func_handle(&self, index: FuncIndex, number: Option<u32>) -> Handle {
        let func = self.func_ref(index, number);
        // SAFETY: the reference is live as long as the instance.
        unsafe { Handle::from_func_ref(func.as_ptr()) }.expect("it is not null")
    }

    /// A handle to the memory with this index.
    pub fn memory_handle(&self, index: MemoryIndex) -> Handle {
        let raw = self.memories[index.index()].cast();
        self.part_handle(EntityKind::Memory, raw, index.as_u32(), self.shape().imported_memories)
    }

    /// A handle to the table with this index.
    pub fn table_handle(&self, index: TableIndex) -> Handle {
        let raw = self.tables[index.index()].cast();
        self.part_handle(EntityKind::Table, raw, index.as_u32(), self.shape().imported_tables)
    }

    /// A handle to the global with this index.
    pub fn global_handle(&self, index: GlobalIndex) -> Handle {
        let raw = NonNull::new(self.global(index)).expect("globals have addresses").cast();
        self.part_handle(EntityKind::Global, raw, index.as_u32(), self.shape().imported_globals)
    }

    /// A handle to the tag with this index.
    pub fn tag_handle(&self, index: TagIndex) -> Handle {
        let tag = self.tag(index);
        // SAFETY: the tag is a part of its node, which is alive as long as this instance.
        unsafe { Handle::new(tag.node(), EntityKind::Tag, NonNull::from(tag)) }
    }

    fn shape(&self) -> &crate::abi::layout::ContextShape {
        self.image().layout.shape()
    }

    fn part_handle(&self, kind: EntityKind, raw: NonNull<u8>, index: u32, imported: u32) -> Handle {
        let node = if index < imported {
            let mut of_kind = self.imports.iter().filter(|import| import.0 == kind);
            of_kind.nth(index as usize).expect("imports are complete").1
        } else {
            NonNull::from(self).cast()
        };
        // SAFETY: the entity is a part of the node, which is alive as long as this instance.
        unsafe { Handle::new(node, kind, raw) }
    }

    /// The type of the global at this address, if it is one that this instance defines.
    pub fn global_type_at(&self, global: NonNull<VMGlobal>) -> Option<GlobalType> {
        let at = (global.as_ptr() as usize).checked_sub(self.context.as_ptr() as usize)?;
        let index = self.image().layout.global_at(at)?;
        Some(self.image().parts.globals[index.index()])
    }

    /// A data segment; empty once dropped.
    pub fn data(&self, index: usize) -> &[u8] {
        if self.segments.borrow().data_dropped[index] {
            return &[];
        }
        let parts = &self.image().parts;
        &parts.bytes[parts.data[index].clone()]
    }

    /// Drops a data segment.
    pub fn drop_data(&self, index: usize) {
        self.segments.borrow_mut().data_dropped[index] = true;
    }

    /// Sets the references of an element segment.
    pub fn set_element(&self, index: usize, values: Box<[u64]>) {
        self.segments.borrow_mut().elements[index] = values;
    }

    /// Calls `read` with the references of an element segment; none once dropped.
    pub fn with_element<T>(&self, index: usize, read: impl FnOnce(&[u64]) -> T) -> T {
        read(&self.segments.borrow().elements[index])
    }

    /// Drops an element segment.
    pub fn drop_element(&self, index: usize) {
        self.segments.borrow_mut().elements[index] = Box::default();
    }

    pub(super) fn trace(&self, tracer: &mut dyn Tracer) {
        self.imports.iter().for_each(|import| tracer.node(import.1));
        let parts = &self.image().parts;
        let shape = self.shape();
        // SAFETY: all are of this store, have these types, and no code runs: `mark` sees to it.
        unsafe {
            for table in self._own_tables.iter() {
                trace_table(table, tracer);
            }
            for index in shape.imported_globals..shape.imported_globals + shape.globals {
                let ty = parts.globals[index as usize].content;
                trace_global(self.global(GlobalIndex::from_u32(index)), ty, tracer);
            }
            let mut segments = self.segments.borrow_mut();
            for (values, ty) in segments.elements.iter_mut().zip(&parts.element_types) {
                // On this machine the low 32 bits of a value come first.
                values.iter_mut().for_each(|v| trace_slot(ptr::from_mut(v).cast(), *ty, tracer));
            }
        }
    }

    /// The nodes that imports belong to.
    pub(super) fn links(&self) -> Vec<NonNull<Node>> {
        self.imports.iter().map(|import| import.1).collect()
    }

    /// Frees the instance; what is left belongs to the embedder.
    pub(super) fn into_owner(self) -> Box<dyn Any> {
        Box::new(self.owner.clone())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: made by `allocate` with this layout; the instance is going.
        unsafe { release(self.context, &(*self.image).layout) };
    }
}

/// Gives an allocated context back unless it got its instance.
struct FreeOnError<'a> {
    context: NonNull<VMContext>,
    layout: &'a ContextLayout,
}

impl Drop for FreeOnError<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `allocate` with this layout, and nobody uses it.
        unsafe { release(self.context, self.layout) };
    }
}

fn memory_layout(layout: &ContextLayout) -> Layout {
    Layout::from_size_align(layout.size(), ContextLayout::ALIGN).expect("contexts are small")
}

fn allocate(layout: &ContextLayout) -> Result<NonNull<VMContext>, String> {
    // SAFETY: a context is never empty: it has its head.
    let context = unsafe { alloc::alloc_zeroed(memory_layout(layout)) };
    NonNull::new(context.cast()).ok_or_else(|| "no memory for an instance".to_owned())
}

/// # Safety
///
/// `context` was allocated with this layout and is not used any more.
unsafe fn release(context: NonNull<VMContext>, layout: &ContextLayout) {
    // SAFETY: the caller's contract.
    unsafe { alloc::dealloc(context.as_ptr().cast(), memory_layout(layout)) };
}

/// The address of something that lies in a context.
///
/// # Safety
///
/// The place is one of the context's layout.
unsafe fn inline<T>(context: NonNull<VMContext>, place: Place) -> NonNull<T> {
    let Place::Inline(at) = place else { unreachable!("defined entities lie in the context") };
    // SAFETY: the caller's contract.
    unsafe { context.cast::<u8>().add(at as usize).cast() }
}

/// The addresses of the imports of one kind.
fn pointers<T>(imports: &[Handle], kind: EntityKind) -> Vec<NonNull<T>> {
    imports.iter().filter(|i| i.kind() == kind).map(|i| i.raw().cast()).collect()
}

/// Writes everything into a context that does not change.
///
/// # Safety
///
/// The context has the image's layout; memories and tables that are defined here are in place.
unsafe fn fill(
    context: NonNull<VMContext>,
    image: &Image,
    code: &CodeSpace,
    store: &Store,
    instance: NonNull<Instance>,
    imports: &[Handle],
) {
    let layout = &image.layout;
    // SAFETY: every write goes to a place of the context's layout and has its type.
    unsafe {
        context.write(VMContext {
            magic: INSTANCE_MAGIC,
            store: store.vm(),
            libcalls: libcalls::table(),
            types: image.types.as_ptr(),
            owner: instance.as_ptr().cast(),
        });
        let base = context.cast::<u8>();
        let place = |at: i32| base.add(at as usize);
        let pointer_to = |p: Place| match p {
            Place::Pointer(at) => place(at).cast::<*mut u8>(),
            Place::Inline(_) => unreachable!("imported entities are pointed to"),
        };

        let (mut funcs, mut tables, mut memories, mut globals) = (0, 0, 0, 0);
        for import in imports {
            match import.kind() {
                EntityKind::Func => {
                    let func = import.raw().cast::<VMFuncRef>();
                    let VMFuncRef { code, vmctx, .. } = func.read();
                    let record = VMFuncImport { code, vmctx, func_ref: func.as_ptr() };
                    place(layout.imported_func(funcs)).cast().write(record);
                    funcs += 1;
                }
                EntityKind::Table => {
                    let vm = import.table().vm();
                    let at = pointer_to(layout.table(TableIndex::from_u32(tables)));
                    at.write(vm.as_ptr().cast());
                    tables += 1;
                }
                EntityKind::Memory => {
                    let vm = import.memory().vm();
                    let at = pointer_to(layout.memory(MemoryIndex::from_u32(memories)));
                    at.write(vm.as_ptr().cast());
                    memories += 1;
                }
                EntityKind::Global => {
                    let at = pointer_to(layout.global(GlobalIndex::from_u32(globals)));
                    at.write(import.raw().as_ptr());
                    globals += 1;
                }
                // Compiled code does not look at tags.
                EntityKind::Tag => {}
                EntityKind::Instance | EntityKind::Extern | EntityKind::Object => {
                    unreachable!("modules do not import such things")
                }
            }
        }

        for (number, (func, ty)) in image.parts.func_refs.iter().enumerate() {
            place(layout.func_ref(number as u32)).cast().write(VMFuncRef {
                code: code.entry(*func),
                vmctx: context.as_ptr(),
                ty: image.types[ty.index()],
            });
        }
    }
}
