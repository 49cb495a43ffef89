//! What modules that Emscripten has built import from `env`, on the files and grants of WASI.
//!
//! Standalone modules need a few of these functions beside those of WASI. Ordinary ones need more,
//! export `main` instead of `_start`, and are started by [`start`]. What such a module imports and
//! has no row in [`functions`] is refused by name, as for any module.

mod call;
mod date;
mod exceptions;
mod file;
mod functions;
mod invoke;
mod memory;
mod path;
mod process;
mod stat;
mod time;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{Context, MODULE, Wasi};
use crate::engine::{Error, Extern, ExternType, Instance, Linker, Module, Store};
use exceptions::Exceptions;
use stat::StatLayout;

pub use process::start;

/// The name that modules import these functions from.
pub const ENV: &str = "env";

/// What the functions of a module share.
struct State {
    wasi: Rc<RefCell<Context>>,
    /// The current directory: absolute, in its simplest form.
    cwd: RefCell<String>,
    stat_layout: StatLayout,
    /// The upper half of the last result of 64 bits.
    temp_ret: Cell<u32>,
    exceptions: Exceptions,
}

impl Wasi {
    /// Gives the functions that a module of Emscripten's imports beside those of WASI their names
    /// in a linker, after [`Wasi::define`]: all of `env` that is known with the type that the
    /// module asks for, and those of WASI whose 64-bit parameters it gives as two halves. Modules
    /// of others get what they import by a name and type of Emscripten's.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn define_emscripten(&self, linker: &mut Linker, module: &Module) -> Result<(), Error> {
        let found = self.emscripten_imports(linker.store(), module)?;
        for (import, found) in module.imports().zip(found) {
            if let Some(found) = found {
                linker.define(import.module, import.name, found);
            }
        }
        Ok(())
    }

    /// The functions of Emscripten's that a module imports, each at its import's place; none at the
    /// place of anything else.
    pub(super) fn emscripten_imports(
        &self,
        store: &Store,
        module: &Module,
    ) -> Result<Vec<Option<Extern>>, Error> {
        let state = Rc::new(State {
            wasi: self.context.clone(),
            cwd: RefCell::new("/".to_owned()),
            stat_layout: StatLayout::of(module),
            temp_ret: Cell::new(0),
            exceptions: Exceptions::of(module),
        });
        let imports = module.imports().map(|import| {
            let ExternType::Func(ty) = &import.ty else { return Ok(None) };
            let func = match import.module {
                ENV => functions::of_env(store, &state, import.name, ty),
                MODULE => functions::of_wasi(store, &state, import.name, ty),
                _ => None,
            };
            Ok(func.transpose()?.map(Extern::from))
        });
        imports.collect()
    }
}

/// Whether Emscripten has made a module so that it can be run as a module of WASI: it exports
/// `_start`, and imports a function whose name is Emscripten's alone. Other hosts have functions in
/// `env` too.
pub(super) fn is_standalone(module: &Module) -> bool {
    const OWN: [&str; 5] = ["emscripten_", "_emscripten_", "__syscall_", "invoke_", "setTempRet"];
    let is_own = |name: &str| OWN.iter().any(|start| name.starts_with(start));
    module.exports().any(|export| export.name == "_start")
        && module.imports().any(|import| import.module == ENV && is_own(import.name))
}

/// Whether a module has to be started by [`start`]: it exports `main` and what Emscripten exports
/// beside it, and no `_start`.
pub fn has_main(module: &Module) -> bool {
    let exports = |names: &[&str]| module.exports().any(|export| names.contains(&export.name));
    exports(process::MAIN) && exports(call::STACK_ALLOC) && !exports(&["_start"])
}

/// The function that an instance exports under the first of these names that it has.
fn export(instance: &Instance, names: &[&str]) -> Option<crate::engine::Func> {
    names.iter().find_map(|name| instance.func(name))
}
