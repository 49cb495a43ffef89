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
use crate::engine::{Error, ExternType, Instance, Linker, Module};
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
        let state = Rc::new(State {
            wasi: self.context.clone(),
            cwd: RefCell::new("/".to_owned()),
            stat_layout: StatLayout::of(module),
            temp_ret: Cell::new(0),
            exceptions: Exceptions::of(module),
        });
        let store = linker.store().clone();
        for import in module.imports() {
            let ExternType::Func(ty) = &import.ty else { continue };
            let func = match import.module {
                ENV => functions::of_env(&store, &state, import.name, ty),
                MODULE => functions::of_wasi(&store, &state, import.name, ty),
                _ => None,
            };
            if let Some(func) = func {
                linker.define(import.module, import.name, func?);
            }
        }
        Ok(())
    }
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
