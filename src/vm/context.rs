//! Instances: one context for compiled code, and what belongs to it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use cranelift_entity::EntityRef;

use super::block::{Array, Owned, Remains};
use super::code::CodeSpace;
use super::exception::Tag;
use super::heap::Tracer;
use super::image::Image;
use super::libcalls;
use super::memory::Memory;
use super::refs::{context_node, trace_global, trace_slot, trace_table};
use super::store::{EntityKind, Handle, Node, NodeKind, Store};
use super::table::Table;
use super::types::Type;
use crate::abi::layout::{
    INSTANCE_MAGIC, MemoryStyle, Place, VMContext, VMFuncImport, VMFuncRef, VMGlobal,
};
use crate::wasm::{
    DefinedFuncIndex, FuncIndex, GlobalIndex, GlobalType, MemoryIndex, TableIndex, TagIndex,
};

/// What an instance is made of, and keeps alive: a module.
///
/// # Safety
///
/// Image and code are always the same, and stay where they are as long as the owner lives, wherever
/// that moves.
pub unsafe trait Owner: Any {
    /// Why there is no code.
    type Error;

    /// What instances need of the module.
    fn image(&self) -> &Image;

    /// The module's code for memories of this style.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    fn code(&self, style: MemoryStyle) -> Result<&CodeSpace, Self::Error>;

    /// The error that says this.
    fn limit(message: String) -> Self::Error;
}

/// An instance of a module: the head of its block, see [`Owned`].
#[repr(C)]
pub struct Instance {
    pub(super) node: Node,
    context: NonNull<VMContext>,
    image: *const Image,
    code: *const CodeSpace,
    /// What has to live as long: the module with `image` and `code`.
    owner: Rc<dyn Any>,
    /// Whether its tables have got what they start with: from the instance before, in the same
    /// block, or by [`Instance::preset_tables`].
    tables_set: Cell<bool>,
    /// What passive element segments hold until they are dropped; nothing for those beyond the end.
    elements: RefCell<Vec<Box<[u64]>>>,
}

impl Instance {
    /// An instance of `image` with `imports` in their order, each of the right kind and type.
    /// Globals and tables are zero, memories but for what their image says.
    ///
    /// # Safety
    ///
    /// The imports are as the image wants them.
    ///
    /// # Errors
    ///
    /// When a limit is reached or there is no memory, and when `owner` has no code.
    pub unsafe fn create<O: Owner>(
        store: &Store,
        owner: Rc<O>,
        imports: &[Handle],
    ) -> Result<Handle, O::Error> {
        // SAFETY: the image stays where it is (contract of `Owner`).
        let image = unsafe { &*ptr::from_ref(owner.image()) };
        if !store.budgets().instances.has(1) {
            return Err(O::limit("the store's limit of instances is reached".to_owned()));
        }
        if image.parts.uses_heap {
            store.admit_objects(image).map_err(O::limit)?;
        }
        let mut owned = Owned::allocate(image).map_err(O::limit)?;
        // SAFETY: the caller's contract.
        let style = unsafe { prepare(&mut owned, store, imports) }.map_err(O::limit)?;
        let code: *const CodeSpace = owner.code(style)?;
        // SAFETY: all that belongs together; the code stays where it is as well.
        Ok(unsafe { Instance::complete(store, image, owner, imports, owned, &*code) })
    }

    /// Makes an instance of what has been prepared for it.
    ///
    /// # Safety
    ///
    /// All that belongs together; the owner keeps image and code alive.
    #[inline(always)]
    unsafe fn complete(
        store: &Store,
        image: &Image,
        owner: Rc<dyn Any>,
        imports: &[Handle],
        owned: Owned,
        code: &CodeSpace,
    ) -> Handle {
        let (context, remains) = (owned.context(), owned.remains);
        let instance = std::mem::ManuallyDrop::new(owned).at;
        // SAFETY: the head's place is fresh; the context too, and has this layout; the node is that
        // of an instance.
        unsafe {
            instance.write(Instance {
                node: Node::new(store, NodeKind::Instance),
                context,
                image,
                code,
                owner,
                tables_set: Cell::new(remains.is_some_and(|remains| remains.tables)),
                elements: RefCell::default(),
            });
            fill(context, image, store, instance, imports);
            if remains.is_none_or(|remains| !ptr::eq(remains.code, code)) {
                fill_func_refs(context, image, code);
            }
            let own_tags = image.block.tags.within(instance);
            own_tags.as_ref().iter().for_each(|tag| tag.set_node(instance.cast()));
            store.budgets().instances.take(1);
            store.adopt(instance.cast());
            if image.parts.shares_refs {
                instance.as_ref().node.escape();
            }
            for import in imports {
                import.link();
                if image.parts.shares_refs {
                    import.head().escape();
                }
            }
            Handle::new(instance.cast(), EntityKind::Instance, instance)
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
    pub fn owner(&self) -> &dyn Any {
        &*self.owner
    }

    /// An array in its block.
    fn array<T>(&self, array: &Array<T>) -> &[T] {
        let head = self.context.cast::<u8>();
        // SAFETY: the context is where the block has it, and complete like all of it.
        unsafe { array.within(head.sub(self.image().block.context).cast()).as_ref() }
    }

    /// The address of something at an offset in its context.
    fn at<T>(&self, offset: i32) -> *mut T {
        self.context.as_ptr().cast::<u8>().wrapping_add(offset as usize).cast()
    }

    /// The memory with this index.
    pub fn memory(&self, index: MemoryIndex) -> &Memory {
        self.node.reach();
        // SAFETY: memories live as long as the instances that have them or import them.
        unsafe { self.all_memories()[index.index()].as_ref() }
    }

    /// All memories.
    pub(super) fn memories(&self) -> impl Iterator<Item = &Memory> {
        // SAFETY: as in `memory`.
        self.all_memories().iter().map(|memory| unsafe { memory.as_ref() })
    }

    fn all_memories(&self) -> &[NonNull<Memory>] {
        self.array(&self.image().block.all_memories)
    }

    fn all_tables(&self) -> &[NonNull<Table>] {
        self.array(&self.image().block.all_tables)
    }

    /// The table with this index.
    pub fn table(&self, index: TableIndex) -> &Table {
        self.node.reach();
        // SAFETY: tables live as long as the instances that have them or import them.
        unsafe { self.all_tables()[index.index()].as_ref() }
    }

    /// The tag with this index.
    pub fn tag(&self, index: TagIndex) -> &Tag {
        // SAFETY: tags live as long as the instances that have them or import them.
        unsafe { self.array(&self.image().block.all_tags)[index.index()].as_ref() }
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

    /// Lets the reference to a function, if there can be any, lead to its code, past the stub.
    pub(super) fn set_code(&self, func: DefinedFuncIndex, code: *const u8) {
        let image = self.image();
        if let Ok(number) = image.parts.func_refs.binary_search_by_key(&func, |(func, _)| *func) {
            let func_ref = self.at::<VMFuncRef>(image.layout.func_ref(number as u32));
            // SAFETY: the instance has a record for each function that can be referred to.
            unsafe { (*func_ref).code = code };
        }
    }

    /// A handle to the function with this index, see [`Instance::func_ref`].
    pub fn func_handle(&self, index: FuncIndex, number: Option<u32>) -> Handle {
        let func = self.func_ref(index, number);
        // SAFETY: the reference is live as long as the instance.
        unsafe { Handle::from_func_ref(func.as_ptr()) }.expect("it is not null")
    }

    /// A handle to the memory with this index.
    pub fn memory_handle(&self, index: MemoryIndex) -> Handle {
        let raw = self.all_memories()[index.index()].cast();
        self.part_handle(EntityKind::Memory, raw, index.as_u32(), self.shape().imported_memories)
    }

    /// A handle to the table with this index.
    pub fn table_handle(&self, index: TableIndex) -> Handle {
        let raw = self.all_tables()[index.index()].cast();
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
            let mut of_kind = self.links().iter().filter(|import| import.0 == kind);
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
        if self.array(&self.image().block.data_dropped)[index].get() {
            return &[];
        }
        let parts = &self.image().parts;
        &parts.bytes[parts.data[index].clone()]
    }

    /// Drops a data segment.
    pub fn drop_data(&self, index: usize) {
        self.array(&self.image().block.data_dropped)[index].set(true);
    }

    /// Sets the references of a passive element segment.
    pub fn set_element(&self, index: usize, values: Box<[u64]>) {
        let mut elements = self.elements.borrow_mut();
        if elements.len() <= index {
            elements.resize_with(index + 1, Box::default);
        }
        elements[index] = values;
    }

    /// Calls `read` with the references of an element segment; none once dropped.
    pub fn with_element<T>(&self, index: usize, read: impl FnOnce(&[u64]) -> T) -> T {
        read(self.elements.borrow().get(index).map_or(&[], |values| values))
    }

    /// Drops an element segment.
    pub fn drop_element(&self, index: usize) {
        if let Some(values) = self.elements.borrow_mut().get_mut(index) {
            *values = Box::default();
        }
    }

    /// Writes what tables start with, if that is the same for all instances; says whether it is.
    pub fn preset_tables(&self) -> bool {
        let Some(images) = &self.image().parts.table_images else { return false };
        if self.tables_set.replace(true) {
            return true;
        }
        let own = self.array(&self.image().block.tables);
        let first = self.at::<VMFuncRef>(self.image().layout.func_ref(0));
        for image in images {
            own[image.table as usize].preset(image.start, &image.refs, |preset| {
                match preset.number() {
                    Ok(number) => first.wrapping_add(number as usize).cast_const(),
                    Err(Some(index)) => self.func_ref(FuncIndex::from_u32(index), None).as_ptr(),
                    Err(None) => ptr::null(),
                }
            });
        }
        true
    }

    pub(super) fn trace(&self, tracer: &mut dyn Tracer) {
        self.links().iter().for_each(|import| tracer.node(import.1));
        let parts = &self.image().parts;
        let shape = self.shape();
        // SAFETY: all are of this store, have these types, and no code runs: `mark` sees to it.
        unsafe {
            for table in self.array(&self.image().block.tables) {
                trace_table(table, tracer);
            }
            for index in shape.imported_globals..shape.imported_globals + shape.globals {
                let ty = parts.globals[index as usize].content;
                trace_global(self.global(GlobalIndex::from_u32(index)), ty, tracer);
            }
            let mut elements = self.elements.borrow_mut();
            for (values, ty) in elements.iter_mut().zip(&parts.element_types) {
                // On this machine the low 32 bits of a value come first.
                values.iter_mut().for_each(|v| trace_slot(ptr::from_mut(v).cast(), *ty, tracer));
            }
        }
    }

    /// For each import, its kind and the node that it belongs to.
    pub(super) fn links(&self) -> &[(EntityKind, NonNull<Node>)] {
        self.array(&self.image().block.imports)
    }

    /// Does what has been put off until somebody gets hold of something in the instance: makes its
    /// memories accessible.
    #[cold]
    pub(super) fn make_ready(&self) {
        for memory in self.array(&self.image().block.memories) {
            if memory.make_accessible().is_err() {
                // Nobody can be told; nothing that the memory says is there is out of reach.
                memory.shrink_to_accessible();
            }
        }
    }

    /// Frees the instance; what is left belongs to the embedder.
    ///
    /// # Safety
    ///
    /// The instance has come from [`Instance::create`], and nobody uses it any more.
    pub(super) unsafe fn free(instance: NonNull<Instance>) -> Rc<dyn Any> {
        // SAFETY: the caller's contract; the owner keeps the image alive.
        unsafe {
            let Instance { node, owner, image, elements, .. } = instance.read();
            node.store().budgets().instances.give_back(1);
            let owned = Owned::of(instance, &*image);
            if !node.is_reached() {
                owned.memories().iter().for_each(Memory::leave_untouched);
            }
            owned.recycle();
            drop(elements);
            owner
        }
    }

    /// What an instance that has been freed has left in its block.
    ///
    /// # Safety
    ///
    /// The block was that of an instance of `image`, and has not been written since.
    pub(super) unsafe fn remains(block: NonNull<Instance>, image: &Image) -> Remains {
        // SAFETY: the fields are still what they were, and need no dropping.
        let Instance { code, node, tables_set, .. } = unsafe { block.as_ref() };
        // An instance whose making has failed may have got no further than to empty tables.
        let tables = image.repeats_tables && tables_set.get() && !node.is_reached();
        Remains { code: *code, tables }
    }
}

/// Makes what an instance has before its code is known. Returns the style of its memories.
///
/// # Safety
///
/// The imports are as the image wants them.
unsafe fn prepare(
    owned: &mut Owned,
    store: &Store,
    imports: &[Handle],
) -> Result<MemoryStyle, String> {
    let block = &owned.image.block;
    define(owned, store)?;
    // SAFETY: these arrays are the block's.
    unsafe {
        list(block.all_memories.within(owned.at), block.memories.within(owned.at), imports);
        list(block.all_tables.within(owned.at), block.tables.within(owned.at), imports);
        list(block.all_tags.within(owned.at), block.tags.within(owned.at), imports);
        let nodes = block.imports.within(owned.at);
        debug_assert_eq!(nodes.len(), imports.len());
        for (i, import) in imports.iter().enumerate() {
            nodes.cast().add(i).write((import.kind(), import.node()));
        }
    }
    // SAFETY: the list has just been written. Memories live as long as whoever has them, and
    // handles keep those alive.
    let is_guarded = |memory: &NonNull<Memory>| unsafe {
        let memory = memory.as_ref();
        memory.style() == MemoryStyle::Guarded.of(&memory.ty())
    };
    // SAFETY: as above.
    let guarded = unsafe { block.all_memories.within(owned.at).as_ref() }.iter().all(is_guarded);
    // Code for guarded memories is of no use as soon as one memory is checked.
    let style = if guarded { store.config().memory.style() } else { MemoryStyle::Checked };
    Ok(style)
}

/// Makes what the image defines, in its block.
fn define(owned: &mut Owned, store: &Store) -> Result<(), String> {
    let (image, context) = (owned.image, owned.context());
    let (layout, parts, budgets) = (&image.layout, &image.parts, store.budgets());
    let shape = layout.shape();
    let config = &store.config().memory;
    for (ty, i) in parts.memories.iter().zip(0..) {
        let place = layout.memory(MemoryIndex::from_u32(shape.imported_memories + i));
        let data = parts.data_image.as_ref().filter(|image| image.0 == i).map(|image| &image.1);
        // SAFETY: the place is in the context, which lives as long as the memory; the owner of the
        // instance keeps the image alive, and the budget is there till after the instance.
        let memory =
            unsafe { Memory::new(*ty, config, &budgets.memory, inline(context, place), data) };
        owned.push_memory(memory?);
    }
    for (ty, i) in parts.tables.iter().zip(0..) {
        let place = layout.table(TableIndex::from_u32(shape.imported_tables + i));
        // SAFETY: as above.
        let (place, room) = (unsafe { inline(context, place) }, owned.room(i));
        // SAFETY: as above; the room is that of this table.
        let table = unsafe { Table::new(*ty, &budgets.elements, place, room) };
        owned.push_table(table?);
    }
    parts.tags.iter().for_each(|ty| owned.push_tag(Tag::new(image.type_ref(*ty).clone())));
    Ok(())
}

/// What can be imported and has a place in the lists of an instance.
trait Listed {
    const KIND: EntityKind;
}

impl Listed for Memory {
    const KIND: EntityKind = EntityKind::Memory;
}

impl Listed for Table {
    const KIND: EntityKind = EntityKind::Table;
}

impl Listed for Tag {
    const KIND: EntityKind = EntityKind::Tag;
}

/// Writes the addresses of what is imported, and of what is the instance's own.
///
/// # Safety
///
/// The list can be written; the imports are complete.
unsafe fn list<T: Listed>(list: NonNull<[NonNull<T>]>, own: NonNull<[T]>, imports: &[Handle]) {
    if list.is_empty() {
        return;
    }
    let imported = imports.iter().filter(|i| i.kind() == T::KIND).map(|i| i.raw().cast());
    // SAFETY: the places are in the array.
    let own = (0..own.len()).map(|i| unsafe { own.cast::<T>().add(i) });
    let mut written = 0;
    for address in imported.chain(own) {
        assert!(written < list.len());
        // SAFETY: the place is in the list (asserted).
        unsafe { list.cast().add(written).write(address) };
        written += 1;
    }
    assert_eq!(written, list.len());
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

/// Writes everything into a context that does not change, but for references to functions.
///
/// # Safety
///
/// The context has the image's layout; memories and tables that are defined here are in place.
unsafe fn fill(
    context: NonNull<VMContext>,
    image: &Image,
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
    }
}

/// Writes the references to functions into a context.
///
/// # Safety
///
/// The context has the image's layout.
unsafe fn fill_func_refs(context: NonNull<VMContext>, image: &Image, code: &CodeSpace) {
    let first = image.layout.func_ref(0) as usize;
    for (number, (func, ty)) in image.parts.func_refs.iter().enumerate() {
        let (code, ty) = (code.entry(*func), image.types[ty.index()]);
        // SAFETY: the context has a place for each of them.
        unsafe {
            let refs = context.cast::<u8>().add(first).cast::<VMFuncRef>();
            refs.add(number).write(VMFuncRef { code, vmctx: context.as_ptr(), ty });
        }
    }
}
