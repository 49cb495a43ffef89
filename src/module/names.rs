//! The name section (core spec, appendix A.4): what the module's author called things.

use std::collections::HashMap;

use wasmparser::{Name, NameSectionReader};

use super::sections::reader;
use crate::wasm::FuncIndex;

/// Names for people to read. Whatever in the section is malformed is left out: the name section
/// never makes a module invalid.
#[derive(Debug, Default)]
pub struct Names {
    module: Option<String>,
    funcs: HashMap<u32, String>,
}

impl Names {
    /// What the contents of name sections say.
    pub fn parse<'a>(sections: impl Iterator<Item = &'a [u8]>) -> Names {
        let mut names = Names::default();
        for section in sections {
            for subsection in NameSectionReader::new(reader(section)) {
                match subsection {
                    Ok(Name::Module { name, .. }) => names.module = Some(name.to_owned()),
                    Ok(Name::Function(map)) => {
                        let named = map.into_iter().map_while(Result::ok);
                        names.funcs.extend(named.map(|n| (n.index, n.name.to_owned())));
                    }
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
        names
    }

    /// The module's name.
    pub fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// The name of a function.
    pub fn func(&self, index: FuncIndex) -> Option<&str> {
        self.funcs.get(&index.as_u32()).map(String::as_str)
    }
}
