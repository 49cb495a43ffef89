//! The types of an engine in canonical form: equal types of different modules are one, and have one
//! address.
//!
//! Types are equal when the recursive groups in which they are defined are, and they have the same
//! place there (core spec, section 3.1.1). So whole groups are what is looked up, counted and
//! freed.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::{fmt, ptr};

use super::signature::{MakeTrampolines, Maker, Signature};
use crate::abi::layout::VMType;
use crate::wasm::{CompositeType, FuncType, RefType, SubType, TypeId, ValType};

/// A type of an engine.
#[repr(C)]
pub struct Type {
    vm: VMType,
    id: TypeId,
    definition: SubType,
    /// The types above it, the topmost first, and itself.
    supers: Box<[*const VMType]>,
    ancestors: Box<[TypeId]>,
    signature: Option<Signature>,
}

impl Type {
    /// The type that compiled code knows by this address.
    ///
    /// # Safety
    ///
    /// The type is alive.
    pub unsafe fn of_vm<'a>(vm: *const VMType) -> &'a Type {
        const { assert!(std::mem::offset_of!(Type, vm) == 0) };
        // SAFETY: the caller's contract; every `VMType` is the first field of a `Type`.
        unsafe { &*vm.cast() }
    }

    /// The address that compiled code knows it by.
    pub fn as_vm(&self) -> *const VMType {
        ptr::from_ref(self).cast()
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
    pub fn signature(&self) -> &Signature {
        self.signature.as_ref().expect("it is a function type")
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
    known: Mutex<Known>,
    hasher: RandomState,
    maker: Arc<Maker>,
}

#[derive(Default)]
struct Known {
    by_hash: HashMap<u64, Vec<Weak<Group>>>,
    /// By the number of the group's first type.
    by_number: BTreeMap<u64, Weak<Group>>,
    next: u64,
}

impl Types {
    /// No type yet. Trampolines will come from `make`.
    pub fn new(make: Box<dyn MakeTrampolines>) -> Types {
        Types(Arc::new(Registry {
            known: Mutex::default(),
            hasher: RandomState::new(),
            maker: Arc::new(Maker::new(make)),
        }))
    }

    /// The type of functions of type `ty` that is final and not below another.
    ///
    /// # Errors
    ///
    /// When it names a type that is not there.
    pub fn func(&self, ty: &FuncType) -> Result<TypeRef, UnknownType> {
        let definition = SubType::plain(CompositeType::Func(ty.clone()));
        Ok(TypeRef { group: self.group(Box::new([definition]))?, index: 0 })
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
        for id in named(&key) {
            let group = self.get(id)?.group;
            if !uses.iter().any(|known| Arc::ptr_eq(known, &group)) {
                uses.push(group);
            }
        }
        let hash = self.0.hasher.hash_one(&key);
        // Dropping what may be the last reference to a group takes the lock: not before it is free.
        let mut others = Vec::new();
        let mut known = self.0.lock();
        for group in known.by_hash.entry(hash).or_default().iter().filter_map(Weak::upgrade) {
            if group.key == key {
                return Ok(group);
            }
            others.push(group);
        }
        let first = known.next;
        known.next += key.len() as u64;
        let types = build(&key, first, &uses, &self.0.maker);
        let registry = self.0.clone();
        let group = Arc::new(Group { first, types, key, _uses: uses, registry });
        known.by_hash.entry(hash).or_default().push(Arc::downgrade(&group));
        known.by_number.insert(first, Arc::downgrade(&group));
        Ok(group)
    }
}

/// The types of the engine that these definitions name.
fn named(key: &[SubType]) -> Vec<TypeId> {
    let ids = std::cell::RefCell::new(Vec::new());
    for definition in key {
        definition.map_concrete(&|id| {
            if id.group_index().is_none() {
                ids.borrow_mut().push(id);
            }
            id
        });
    }
    ids.into_inner()
}

/// The types of a group whose first gets the number `first`.
fn build(key: &[SubType], first: u64, uses: &[Arc<Group>], maker: &Arc<Maker>) -> Box<[Type]> {
    let id = |index: u32| TypeId::canonical(first + u64::from(index));
    let resolve = |other: TypeId| other.group_index().map_or(other, id);
    let mut types: Box<[Type]> = key
        .iter()
        .enumerate()
        .map(|(index, definition)| {
            let definition = definition.map_concrete(&resolve);
            let signature = definition.func().map(|ty| Signature::new(ty, maker.clone()));
            Type {
                vm: VMType { slot: 0, depth: 0, supers: ptr::null() },
                id: id(index as u32),
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
        ty.vm = VMType { slot: 0, depth, supers: ty.supers.as_ptr() };
    }
    types
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let hash = self.registry.hasher.hash_one(&self.key);
        let mut known = self.registry.lock();
        known.by_number.remove(&self.first);
        if let Some(bucket) = known.by_hash.get_mut(&hash) {
            // The entry of this one, and whichever else is gone; one that has been made anew stays.
            bucket.retain(|group| group.strong_count() > 0);
            if bucket.is_empty() {
                known.by_hash.remove(&hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{ArrayType, FieldType, HeapType, StorageType, StructType};

    struct NoTrampolines;

    impl MakeTrampolines for NoTrampolines {
        fn entry(&self, _: &FuncType) -> Result<Vec<u8>, String> {
            Err("none".to_owned())
        }

        fn host(&self, _: &FuncType) -> Result<Vec<u8>, String> {
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
