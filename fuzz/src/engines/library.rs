//! Shared libraries, opened at run time.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A library, which stays open until the process ends.
#[derive(Clone, Copy)]
pub struct Library(*mut c_void);

impl Library {
    /// Opens the library in this file.
    pub fn open(path: &Path) -> Result<Library, String> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
        // SAFETY: the name is terminated. Initializers of the library run: it is one that the user
        // has chosen to test.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() { Err(error()) } else { Ok(Library(handle)) }
    }

    /// The address of a function.
    pub fn symbol(self, name: &str) -> Result<*mut c_void, String> {
        let name = CString::new(name).map_err(|e| e.to_string())?;
        // SAFETY: the library is open, the name is terminated.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        if address.is_null() { Err(error()) } else { Ok(address) }
    }
}

fn error() -> String {
    // SAFETY: what dlerror returns is terminated, and stays until this thread calls dl… again.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            "the library cannot be opened".to_owned()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

/// Declares a struct of a library's functions, with a function `load` that finds them all.
macro_rules! functions {
    ($(#[$doc:meta])* $name:ident { $($function:ident($($arg:ty),*) $(-> $result:ty)?;)* }) => {
        $(#[$doc])*
        #[allow(non_snake_case, reason = "the names are those of C")]
        struct $name {
            $($function: unsafe extern "C" fn($($arg),*) $(-> $result)?,)*
        }

        impl $name {
            fn load(library: $crate::engines::library::Library) -> Result<$name, String> {
                Ok($name {
                    $($function: {
                        let address = library.symbol(stringify!($function))?;
                        // SAFETY: the declaration is that of the library's header.
                        unsafe {
                            std::mem::transmute::<
                                *mut std::ffi::c_void,
                                unsafe extern "C" fn($($arg),*) $(-> $result)?,
                            >(address)
                        }
                    },)*
                })
            }
        }
    };
}

pub(super) use functions;
