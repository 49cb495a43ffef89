//! Finding imports by name.

use std::collections::HashMap;

use super::func::HostFunc;
use super::instance::{Extern, Instance};
use super::module::{ImportType, Module};
use super::store::Store;
use super::{Error, Func};

/// Names for things of one store, to be imported by them.
pub struct Linker {
    store: Store,
    names: HashMap<(String, String), Extern>,
}

impl Linker {
    /// A linker without any name.
    pub fn new(store: &Store) -> Linker {
        Linker { store: store.clone(), names: HashMap::new() }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Gives something a name; another thing that had it loses it.
    pub fn define(&mut self, module: &str, name: &str, item: impl Into<Extern>) -> &mut Linker {
        self.names.insert((module.to_owned(), name.to_owned()), item.into());
        self
    }

    /// Gives a closure a name, see [`Func::wrap`].
    ///
    /// # Errors
    ///
    /// As [`Func::wrap`].
    pub fn func<P, R>(
        &mut self,
        module: &str,
        name: &str,
        body: impl HostFunc<P, R>,
    ) -> Result<&mut Linker, Error> {
        let func = Func::wrap(&self.store, body)?;
        Ok(self.define(module, name, func))
    }

    /// Gives all that an instance exports its names, under the module name `module`.
    pub fn define_instance(&mut self, module: &str, instance: &Instance) -> &mut Linker {
        for (name, item) in instance.exports() {
            self.define(module, name, item);
        }
        self
    }

    /// What has this name.
    pub fn get(&self, module: &str, name: &str) -> Option<&Extern> {
        self.names.get(&(module.to_owned(), name.to_owned()))
    }

    /// The imports of a module that have no name here.
    pub fn missing<'m>(&self, module: &'m Module) -> Vec<ImportType<'m>> {
        module.imports().filter(|import| self.get(import.module, import.name).is_none()).collect()
    }

    /// Instantiates a module with the things that have the names of its imports.
    ///
    /// # Errors
    ///
    /// [`Error::Link`] for the first import without a name here, else as [`Instance::new`].
    pub fn instantiate(&self, module: &Module) -> Result<Instance, Error> {
        let mut imports = Vec::new();
        for import in module.imports() {
            let Some(found) = self.get(import.module, import.name) else {
                return Err(Error::Link {
                    module: import.module.to_owned(),
                    name: import.name.to_owned(),
                    message: format!("unknown import; expected {}", import.ty),
                });
            };
            imports.push(found.clone());
        }
        Instance::new(&self.store, module, &imports)
    }
}
