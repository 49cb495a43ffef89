//! Instances, what they export, and handles to anything in a store.

use std::any::Any;

use super::entity::entities;
use super::module::Module;
use super::store::Store;
use super::{Error, Exception, Frame, Func, Global, Memory, Table, Tag, instantiate};
use crate::module::Entity;
use crate::vm;
use crate::vm::store::EntityKind;
use crate::wasm::ExternType;

pub use crate::vm::store::Handle;

entities! {
    /// An instance of a module.
    Instance Instance;
    /// An object of the host that wasm can hold as `externref`.
    ExternRef Extern;
}

impl Instance {
    /// Instantiates a module: checks the imports, makes what the module defines, copies its
    /// active segments and runs its start function (core spec, section 4.5.4).
    ///
    /// # Errors
    ///
    /// [`Error::Link`] when an import is missing or of the wrong type, [`Error::Type`] when one
    /// is of another store, [`Error::Limit`] when there is no memory, [`Error::Trap`] when a
    /// segment does not fit or the start function traps.
    pub fn new(store: &Store, module: &Module, imports: &[Extern]) -> Result<Instance, Error> {
        instantiate::instantiate(store, store.share_of(module), imports)
    }

    /// The handle.
    pub fn into_handle(self) -> Handle {
        self.0
    }

    /// The module.
    pub fn module(&self) -> &Module {
        self.vm().owner().downcast_ref().expect("instances are made with their module")
    }

    /// What it exports, in the module's order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = (&str, Extern)> {
        self.module().info().exports.iter().map(|e| (e.name.as_str(), self.entity(e.item)))
    }

    /// What it exports under this name.
    pub fn export(&self, name: &str) -> Option<Extern> {
        let export = self.module().info().exports.iter().find(|e| e.name == name)?;
        Some(self.entity(export.item))
    }

    /// The function that it exports under this name.
    pub fn func(&self, name: &str) -> Option<Func> {
        match self.export(name)? {
            Extern::Func(func) => Some(func),
            _ => None,
        }
    }

    /// The memory that it exports under this name.
    pub fn memory(&self, name: &str) -> Option<Memory> {
        match self.export(name)? {
            Extern::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    fn entity(&self, entity: Entity) -> Extern {
        let instance = self.vm();
        match entity {
            Entity::Func(index) => {
                let number = self.module().info().func_refs[index];
                Extern::Func(Func::from_handle(instance.func_handle(index, number)))
            }
            Entity::Table(index) => Extern::Table(Table::from_handle(instance.table_handle(index))),
            Entity::Memory(index) => {
                Extern::Memory(Memory::from_handle(instance.memory_handle(index)))
            }
            Entity::Global(index) => {
                Extern::Global(Global::from_handle(instance.global_handle(index)))
            }
            Entity::Tag(index) => Extern::Tag(Tag::from_handle(instance.tag_handle(index))),
        }
    }

    fn vm(&self) -> &vm::context::Instance {
        self.0.instance().expect("the handle is to an instance")
    }
}

impl ExternRef {
    /// Makes an object that wasm can hold.
    pub fn new(store: &Store, data: impl Any) -> ExternRef {
        ExternRef(store.vm().new_extern(Box::new(data)))
    }

    /// The object in the store that stands for a module, which is its data.
    pub fn of_module(store: &Store, module: Module) -> ExternRef {
        ExternRef(store.vm().extern_for(module.address(), || Box::new(module)))
    }

    /// The data that it was made with, if it is of type `T`.
    pub fn data<T: Any>(&self) -> Option<&T> {
        self.0.extern_node().data()?.downcast_ref()
    }

    /// Gives the object frames to keep, in the place of those it has. Frames in its data would
    /// keep their instances alive even when nothing else refers to the object than these.
    pub fn keep_frames(&self, frames: Vec<Frame>) {
        let frames: Vec<_> = frames.into_iter().map(Frame::into_vm).collect();
        self.0.extern_node().keep_frames(&frames);
    }

    /// Gives the object an exception to keep. One in its data would keep what it refers to alive
    /// even when that is all that refers to the object.
    pub fn keep_exception(&self, exception: &Exception) {
        self.0.extern_node().keep_exception(exception.handle());
    }

    /// The exception that it keeps.
    pub fn exception(&self) -> Option<Exception> {
        self.0.extern_node().exception().map(Exception::from_handle)
    }

    /// Whether it keeps any frames.
    pub fn has_frames(&self) -> bool {
        self.0.extern_node().has_frames()
    }

    /// The frames that it keeps.
    pub fn frames(&self) -> Vec<Frame> {
        self.0.extern_node().frames().into_iter().map(Frame::from_vm).collect()
    }
}

/// Something that can be imported and exported.
#[derive(Clone, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A tag.
    Tag(Tag),
}

impl Extern {
    /// The handle, as one to any kind of entity.
    pub fn handle(&self) -> &Handle {
        match self {
            Extern::Func(func) => func.handle(),
            Extern::Global(global) => global.handle(),
            Extern::Table(table) => table.handle(),
            Extern::Memory(memory) => memory.handle(),
            Extern::Tag(tag) => tag.handle(),
        }
    }

    /// The handle as one to something that can be imported, if it is.
    pub fn of(handle: &Handle) -> Option<Extern> {
        Some(match handle.kind() {
            EntityKind::Func => Extern::Func(Func::from_handle(handle.clone())),
            EntityKind::Global => Extern::Global(Global::from_handle(handle.clone())),
            EntityKind::Table => Extern::Table(Table::from_handle(handle.clone())),
            EntityKind::Memory => Extern::Memory(Memory::from_handle(handle.clone())),
            EntityKind::Tag => Extern::Tag(Tag::from_handle(handle.clone())),
            EntityKind::Instance | EntityKind::Extern | EntityKind::Object => return None,
        })
    }

    /// The type that it has now: a memory or table that has grown has a larger minimum.
    pub fn ty(&self) -> ExternType {
        match self {
            Extern::Func(func) => ExternType::Func(func.ty().clone()),
            Extern::Global(global) => ExternType::Global(global.ty()),
            Extern::Table(table) => ExternType::Table(table.ty()),
            Extern::Memory(memory) => ExternType::Memory(memory.ty()),
            Extern::Tag(tag) => ExternType::Tag(tag.ty().clone()),
        }
    }
}

impl From<Func> for Extern {
    fn from(func: Func) -> Extern {
        Extern::Func(func)
    }
}

impl From<Global> for Extern {
    fn from(global: Global) -> Extern {
        Extern::Global(global)
    }
}

impl From<Table> for Extern {
    fn from(table: Table) -> Extern {
        Extern::Table(table)
    }
}

impl From<Memory> for Extern {
    fn from(memory: Memory) -> Extern {
        Extern::Memory(memory)
    }
}

impl From<Tag> for Extern {
    fn from(tag: Tag) -> Extern {
        Extern::Tag(tag)
    }
}
