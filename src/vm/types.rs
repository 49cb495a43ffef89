//! The types of an engine in canonical form: equal types of different modules are one, and have one
//! address.
//!
//! Types are equal when the recursive groups in which they are defined are, and they have the same
//! place there (core spec, section 3.1.1). So whole groups are what is looked up, counted and
//! freed.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::{fmt, ptr};

use smallvec::SmallVec;

use super::enter::no_array_entry;
use super::signature::{ArrayEntry, MakeTrampolines, Maker, Signature};
use crate::abi::layout::{TypeSort, VMType};
use crate::abi::object::{StructLayout, storage_size};
use crate::wasm::{
    ArrayType, CompositeType, Family, FuncType, RefType, StorageType, SubType, TypeId, ValType,
};

/// A type of an engine.
#[repr(C)]
pub struct Type {
    vm: VMType,
    /// An [`ArrayEntry`].
    array_entry: AtomicPtr<()>,
    id: TypeId,
    definition: SubType,
    /// The types above it, the topmost first, and itself.
    supers: Box<[*const VMType]>,
    ancestors: Box<[TypeId]>,
    signature: Option<Signature>,
    shape: Shape,
}

/// What objects of a type look like to the collector.
#[derive(Debug)]
pub(super) enum Shape {
    /// All have the same size, and references at the same offsets. Objects of a type of functions
    /// are the exceptions of tags of that type.
    Fixed { size: u32, references: Box<[(u32, Kept)]> },
    /// Elements of so many bytes.
    Array { element: u32, references: Option<Kept> },
}

/// A reference in an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    /// To another object or one of the host, in 32 bits.
    Reference,
    /// To a function, by its address.
    Func,
    /// The address of a tag.
    Tag,
}

impl Shape {
    fn of(ty: &CompositeType) -> Shape {
        match ty {
            CompositeType::Struct(ty) => {
                let layout = StructLayout::new(ty.fields());
                let fields = ty.fields().iter().map(|field| field.storage);
                Shape::fixed(&layout, layout.offsets.iter().copied().zip(fields), None)
            }
            CompositeType::Array(ArrayType(field)) => Shape::Array {
                element: storage_size(field.storage),
                references: Kept::in_storage(field.storage),
            },
            CompositeType::Func(ty) => {
                let layout = StructLayout::of_exception(ty);
                let params = ty.params().iter().map(|ty| StorageType::Val(*ty));
                let fields = layout.offsets[1..].iter().copied().zip(params);
                Shape::fixed(&layout, fields, Some((layout.offsets[0], Kept::Tag)))
            }
        }
    }

    fn fixed(
        layout: &StructLayout,
        fields: impl Iterator<Item = (u32, StorageType)>,
        tag: Option<(u32, Kept)>,
    ) -> Shape {
        let kept = fields.filter_map(|(at, storage)| Some((at, Kept::in_storage(storage)?)));
        Shape::Fixed { size: layout.size, references: tag.into_iter().chain(kept).collect() }
    }
}

impl Kept {
    fn in_storage(storage: StorageType) -> Option<Kept> {
        match storage.unpacked() {
            ValType::Ref(ty) if ty.heap.family() == Family::Func => Some(Kept::Func),
            ValType::Ref(_) => Some(Kept::Reference),
            _ => None,
        }
    }
}

impl Type {
    /// The type that compiled code knows by this address.
    ///
    /// # Safety
    ///
    /// The type is alive.
    #[inline]
    pub unsafe fn of_vm<'a>(vm: *const VMType) -> &'a Type {
        const { assert!(std::mem::offset_of!(Type, vm) == 0) };
        // SAFETY: the caller's contract; every `VMType` is the first field of a `Type`.
        unsafe { &*vm.cast() }
    }

    /// The address that compiled code knows it by.
    pub fn as_vm(&self) -> *const VMType {
        ptr::from_ref(self).cast()
    }

    /// The number that its objects carry.
    pub(super) fn slot(&self) -> u32 {
        self.vm.slot
    }

    /// What its objects look like.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Its id.
    pub fn id(&self) -> TypeId {
        self.id
    }

    /// How it is defined.
    pub fn definition(&self) -> &SubType {
        &self.definition
    }

    /// What calls need, if it is a type of functions.
    pub fn func(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// What calls need; the type has to be one of functions.
    #[inline]
    pub fn signature(&self) -> &Signature {
        self.signature.as_ref().expect("it is a function type")
    }

    /// What direct calls with arrays go through.
    #[inline]
    pub(super) fn array_entry(&self) -> ArrayEntry {
        let code = self.array_entry.load(Ordering::Acquire);
        // SAFETY: there is nothing else here.
        unsafe { std::mem::transmute::<*mut (), ArrayEntry>(code) }
    }

    /// Counts a numeric call that could have been a direct one, of a function of this type; from some
    /// number on the next ones can.
    pub fn count_call(&self) {
        if let Some(code) = self.signature().count_call() {
            self.array_entry.store(code.cast_mut().cast(), Ordering::Release);
        }
    }

    /// Whether it is `other` or below it.
    pub fn is_below(&self, other: TypeId) -> bool {
        self.id == other || self.ancestors.contains(&other)
    }
}

/// A recursive group.
struct Group {
    /// The number of its first type.
    first: u64,
    types: Box<[Type]>,
    /// What it is found by: its definitions with places in the group for its own types.
    key: Box<[SubType]>,
    hash: u64,
    /// The groups that its definitions name.
    _uses: Vec<Arc<Group>>,
    registry: Arc<Registry>,
}

// SAFETY: the pointers in a group's types are to types of the same group and of those that it
// keeps alive, none of which ever changes.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

/// A type of an engine, kept alive.
#[derive(Clone)]
pub struct TypeRef {
    group: Arc<Group>,
    index: u32,
}

impl Deref for TypeRef {
    type Target = Type;

    fn deref(&self) -> &Type {
        &self.group.types[self.index as usize]
    }
}

impl TypeRef {
    /// Whether both are the same type of the same engine.
    pub fn is(&self, other: &TypeRef) -> bool {
        Arc::ptr_eq(&self.group, &other.group) && self.index == other.index
    }
}

impl fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition.fmt(f)
    }
}

/// A type names another which is not there any more, or is of another engine.
#[derive(Clone, Copy, Debug)]
pub struct UnknownType(pub TypeId);

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine has no type #{}", self.0)
    }
}

/// The types of an engine.
pub struct Types(Arc<Registry>);

struct Registry {
    /// By slot. What it points to is kept in `Known::tables`.
    table: AtomicPtr<*const VMType>,
    known: Mutex<Known>,
    hasher: RandomState,
    maker: Arc<Maker>,
}

#[derive(Default)]
struct Known {
    by_hash: HashMap<u64, Vec<Weak<Group>>>,
    /// By the number of the group's first type.
    by_number: BTreeMap<u64, Weak<Group>>,
    /// The tables that there have been: code may still look at one that has been replaced. Each
    /// is twice as large as that before.
    tables: Vec<Box<[AtomicPtr<VMType>]>>,
    free_slots: Vec<u32>,
}

/// How the types of an engine are found by slot, as long as the engine is alive.
#[derive(Clone, Copy, Debug)]
pub struct TypeTable(NonNull<AtomicPtr<*const VMType>>);

impl TypeTable {
    /// Where the table is, for compiled code.
    pub(super) fn as_vm(self) -> *const AtomicPtr<*const VMType> {
        self.0.as_ptr()
    }

    /// The type in this slot.
    ///
    /// # Safety
    ///
    /// The engine is alive, and the slot is that of a type that is kept alive.
    pub(super) unsafe fn at(self, slot: u32) -> *const Type {
        // SAFETY: the caller's contract.
        unsafe { self.0.as_ref().load(Ordering::Acquire).add(slot as usize).read().cast() }
    }
}

impl Known {
    /// A free slot. No type has slot 0.
    fn take_slot(&mut self, table: &AtomicPtr<*const VMType>) -> u32 {
        if let Some(slot) = self.free_slots.pop() {
            return slot;
        }
        let old = self.tables.last();
        let len = old.map_or(0, |old| old.len());
        let larger = (len * 2).max(64);
        let entry = |i: usize| old.and_then(|old| old.get(i)).map(|e| e.load(Ordering::Relaxed));
        let new: Box<[_]> =
            (0..larger).map(|i| AtomicPtr::new(entry(i).unwrap_or(ptr::null_mut()))).collect();
        table.store(new.as_ptr().cast_mut().cast(), Ordering::Release);
        self.tables.push(new);
        let first = len.max(1) as u32;
        self.free_slots.extend((first + 1..larger as u32).rev());
        first
    }

    fn fill_slot(&self, slot: u32, ty: *const VMType) {
        if let Some(table) = self.tables.last() {
            table[slot as usize].store(ty.cast_mut(), Ordering::Release);
        }
    }
}

impl Types {
    /// No type yet. Trampolines will come from `make`.
    pub fn new(make: Box<dyn MakeTrampolines>) -> Types {
        Types(Arc::new(Registry {
            table: AtomicPtr::new(ptr::null_mut()),
            known: Mutex::default(),
            hasher: RandomState::new(),
            maker: Arc::new(Maker::new(make)),
        }))
    }

    /// How they are found by slot.
    pub fn table(&self) -> TypeTable {
        TypeTable(NonNull::from(&self.0.table))
    }

    /// The type of functions of type `ty` that is final and not below another.
    ///
    /// # Errors
    ///
    /// When it names a type that is not there.
    pub fn func(&self, ty: &FuncType) -> Result<TypeRef, UnknownType> {
        let definition = SubType::plain(CompositeType::Func(ty.clone()));
        Ok(self.of_group(Box::new([definition]))?.swap_remove(0))
    }

    /// The types of a module, whose recursive groups end before these indices, in order.
    pub fn of_module(
        &self,
        definitions: &[SubType],
        ends: &[u32],
    ) -> Result<Box<[TypeRef]>, UnknownType> {
        let mut types: Vec<TypeRef> = Vec::with_capacity(definitions.len());
        for &end in ends {
            let start = types.len();
            let group = &definitions[start..end as usize];
            let known = |id: TypeId| match id.module_index() {
                Some(index) if index as usize >= start => TypeId::in_group(index - start as u32),
                Some(index) => types[index as usize].id,
                None => id,
            };
            let key = group.iter().map(|ty| ty.map_concrete(&known)).collect();
            let group = self.group(key)?;
            let count = group.types.len() as u32;
            types.extend((0..count).map(|index| TypeRef { group: group.clone(), index }));
        }
        Ok(types.into_boxed_slice())
    }

    /// The types of the group with these definitions, which name each other by place and others by
    /// id.
    ///
    /// # Errors
    ///
    /// When they name a type that is not there, or that does not come before what is below it.
    pub fn of_group(&self, definitions: Box<[SubType]>) -> Result<Vec<TypeRef>, UnknownType> {
        let count = definitions.len() as u32;
        for (index, definition) in definitions.iter().enumerate() {
            let above = definition.supertype.and_then(TypeId::group_index);
            let later = above.is_some_and(|above| above as usize >= index);
            let beyond = named(&definitions, |id| id.group_index().is_some_and(|at| at >= count));
            let unknown = definition.supertype.filter(|_| later).into_iter().chain(beyond).next();
            if let Some(id) = unknown {
                return Err(UnknownType(id));
            }
        }
        let group = self.group(definitions)?;
        Ok((0..count).map(|index| TypeRef { group: group.clone(), index }).collect())
    }

    /// The type with this id.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn get(&self, id: TypeId) -> Result<TypeRef, UnknownType> {
        let known = self.0.lock();
        let number = id.number().ok_or(UnknownType(id))?;
        let below = known.by_number.range(..=number).next_back();
        let group = below.and_then(|(_, group)| group.upgrade()).ok_or(UnknownType(id))?;
        drop(known);
        let index = (number - group.first) as u32;
        if index as usize >= group.types.len() {
            return Err(UnknownType(id));
        }
        Ok(TypeRef { group, index })
    }

    /// Whether every value of type `ty` is one of `wanted` (core spec, section 3.3.4).
    pub fn matches(&self, ty: ValType, wanted: ValType) -> bool {
        match (ty, wanted) {
            (ValType::Ref(ty), ValType::Ref(wanted)) => self.ref_matches(ty, wanted),
            (ty, wanted) => ty == wanted,
        }
    }

    /// Whether every reference of type `ty` is one of `wanted` (core spec, section 3.3.3).
    pub fn ref_matches(&self, ty: RefType, wanted: RefType) -> bool {
        let is_below = |a, b| self.get(a).is_ok_and(|ty| ty.is_below(b));
        (wanted.nullable || !ty.nullable) && ty.heap.matches(wanted.heap, is_below)
    }

    /// The group with these definitions, which name each other by place and others by id.
    fn group(&self, key: Box<[SubType]>) -> Result<Arc<Group>, UnknownType> {
        let mut uses: Vec<Arc<Group>> = Vec::new();
        for id in named(&key, |id| id.group_index().is_none()) {
            let group = self.get(id)?.group;
            if !uses.iter().any(|known| Arc::ptr_eq(known, &group)) {
                uses.push(group);
            }
        }
        let hash = self.0.hash(&key);
        // Dropping what may be the last reference to a group takes the lock: not before it is free.
        let mut others = Vec::new();
        let mut known = self.0.lock();
        for group in known.by_hash.entry(hash).or_default().iter().filter_map(Weak::upgrade) {
            if group.key == key {
                return Ok(group);
            }
            others.push(group);
        }
        // Numbers are never used again, in no engine: a type of another is one that is not there.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let first = NEXT.fetch_add(key.len() as u64, Ordering::Relaxed);
        let slots: Vec<u32> = key.iter().map(|_| known.take_slot(&self.0.table)).collect();
        let types = build(&key, first, &slots, &uses, &self.0.maker);
        for ty in &types {
            known.fill_slot(ty.slot(), ty.as_vm());
        }
        let registry = self.0.clone();
        let group = Arc::new(Group { first, types, key, hash, _uses: uses, registry });
        known.by_hash.entry(hash).or_default().push(Arc::downgrade(&group));
        known.by_number.insert(first, Arc::downgrade(&group));
        Ok(group)
    }
}

/// The ids in these definitions for which `wanted` holds.
fn named(definitions: &[SubType], wanted: impl Fn(TypeId) -> bool) -> Vec<TypeId> {
    let ids = std::cell::RefCell::new(Vec::new());
    for definition in definitions {
        definition.map_concrete(&|id| {
            if wanted(id) {
                ids.borrow_mut().push(id);
            }
            id
        });
    }
    ids.into_inner()
}

/// The types of a group whose first gets the number `first`.
fn build(
    key: &[SubType],
    first: u64,
    slots: &[u32],
    uses: &[Arc<Group>],
    maker: &Arc<Maker>,
) -> Box<[Type]> {
    let id = |index: u32| TypeId::canonical(first + u64::from(index));
    let resolve = |other: TypeId| other.group_index().map_or(other, id);
    let mut types: Box<[Type]> = key
        .iter()
        .enumerate()
        .map(|(index, definition)| {
            let definition = definition.map_concrete(&resolve);
            let sort = match definition.composite {
                CompositeType::Func(_) => TypeSort::Func,
                CompositeType::Struct(_) => TypeSort::Struct,
                CompositeType::Array(_) => TypeSort::Array,
            };
            let signature = definition.func().map(|ty| Signature::new(ty, maker.clone()));
            Type {
                vm: VMType { slot: slots[index], depth: 0, sort, supers: ptr::null() },
                array_entry: AtomicPtr::new(no_array_entry as *mut ()),
                id: id(index as u32),
                shape: Shape::of(&definition.composite),
                definition,
                supers: Box::default(),
                ancestors: Box::default(),
                signature,
            }
        })
        .collect();
    // Supertypes come before the types below them, in other groups or in this one.
    for index in 0..types.len() {
        let above = types[index].definition.supertype.and_then(|id| {
            let other = uses.iter().flat_map(|group| group.types.iter()).find(|ty| ty.id == id);
            other.or_else(|| types[..index].iter().find(|ty| ty.id == id))
        });
        let (mut supers, mut ancestors) =
            above.map(|ty| (ty.supers.to_vec(), ty.ancestors.to_vec())).unwrap_or_default();
        let depth = supers.len() as u32;
        let ty = &mut types[index];
        supers.push(ty.as_vm());
        ancestors.push(ty.id);
        ty.supers = supers.into_boxed_slice();
        ty.ancestors = ancestors.into_boxed_slice();
        ty.vm = VMType { depth, supers: ty.supers.as_ptr(), ..ty.vm };
    }
    types
}

/// What is to be hashed, as bytes: to hash them all at once takes less than one number after the other.
#[derive(Default)]
struct Gathered(SmallVec<[u8; 64]>);

impl Hasher for Gathered {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    // Which variant it is, of few.
    fn write_isize(&mut self, number: isize) {
        self.0.push(number as u8);
    }

    fn finish(&self) -> u64 {
        unreachable!("it is hashed by the registry's hasher")
    }
}

impl Registry {
    fn hash(&self, key: &[SubType]) -> u64 {
        let mut gathered = Gathered::default();
        key.hash(&mut gathered);
        self.hasher.hash_one(&gathered.0[..])
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut known = self.registry.lock();
        known.by_number.remove(&self.first);
        for ty in &self.types {
            known.fill_slot(ty.slot(), ptr::null());
            known.free_slots.push(ty.slot());
        }
        if let Some(bucket) = known.by_hash.get_mut(&self.hash) {
            // The entry of this one, and whichever else is gone; one that has been made anew stays.
            bucket.retain(|group| group.strong_count() > 0);
            if bucket.is_empty() {
                known.by_hash.remove(&self.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::code::{Crossing, Template};
    use crate::wasm::{FieldType, HeapType, StructType};

    struct NoTrampolines;

    impl MakeTrampolines for NoTrampolines {
        fn make(&self, _: Crossing, _: &FuncType) -> Result<Template, String> {
            Err("none".to_owned())
        }
    }

    fn reference(heap: HeapType) -> FieldType {
        let ty = ValType::Ref(RefType { nullable: true, heap });
        FieldType { storage: StorageType::Val(ty), mutable: false }
    }

    fn structure(to: u32, supertype: Option<u32>) -> SubType {
        let to = reference(HeapType::ConcreteStruct(TypeId::in_module(to)));
        SubType {
            is_final: false,
            supertype: supertype.map(TypeId::in_module),
            composite: CompositeType::Struct(StructType::new([to])),
        }
    }

    #[test]
    fn equal_groups_of_different_modules_are_one() {
        let types = Types::new(Box::new(NoTrampolines));
        // Two structs that refer to each other, once at the start and once after another type.
        let pair = [structure(1, None), structure(0, None)];
        let array = SubType::plain(CompositeType::Array(ArrayType(reference(HeapType::Any))));
        let later = [array, structure(2, None), structure(1, None)];
        let a = types.of_module(&pair, &[2]).unwrap();
        let b = types.of_module(&later, &[1, 3]).unwrap();
        assert_eq!((a[0].id(), a[1].id()), (b[1].id(), b[2].id()));
        assert_ne!(a[0].id(), a[1].id());
        // Alone, a struct that refers to itself is another type.
        let alone = types.of_module(&[structure(0, None)], &[1]).unwrap();
        assert_ne!(alone[0].id(), a[0].id());
    }

    #[test]
    fn types_know_what_they_are_below() {
        let types = Types::new(Box::new(NoTrampolines));
        let chain = [structure(0, None), structure(0, Some(0)), structure(0, Some(1))];
        let all = types.of_module(&chain, &[1, 2, 3]).unwrap();
        assert!(all[2].is_below(all[0].id()) && all[2].is_below(all[2].id()));
        assert!(!all[0].is_below(all[2].id()));
        assert_eq!((all[2].vm.depth, all[2].supers.len()), (2, 3));
        assert_eq!(all[2].supers[1], all[1].as_vm());
        let ty = |id| RefType { nullable: true, heap: HeapType::ConcreteStruct(id) };
        assert!(types.ref_matches(ty(all[2].id()), ty(all[0].id())));
        assert!(!types.ref_matches(ty(all[0].id()), ty(all[1].id())));
    }

    #[test]
    fn types_go_when_nothing_uses_them() {
        let types = Types::new(Box::new(NoTrampolines));
        let func = FuncType::new([ValType::I32], []);
        let id = types.func(&func).unwrap().id();
        assert!(types.get(id).is_err(), "nobody has kept it");
        let kept = types.func(&func).unwrap();
        assert_ne!(kept.id(), id, "ids are not used again");
        assert!(types.get(kept.id()).is_ok());
        assert!(types.0.lock().by_hash.len() == 1);
    }
}
