//! Files whose bytes are used where they lie.

use std::fs::File;
use std::io;

use super::sys::Mapping;

/// The bytes of a file, which the system reads when they are needed.
pub struct MappedFile(Mapping);

impl MappedFile {
    /// All of a file.
    ///
    /// # Errors
    ///
    /// When the system refuses that, or the file is empty.
    ///
    /// # Safety
    ///
    /// The file does not change for as long as this lives. What is cut off meanwhile cannot be
    /// read: whoever tries gets a SIGBUS.
    pub unsafe fn new(file: &File) -> io::Result<MappedFile> {
        Mapping::of_file(file).map(MappedFile)
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping is readable and lives as long as `self`; `new` was promised that
        // nobody changes the file.
        unsafe { std::slice::from_raw_parts(self.0.base(), self.0.len()) }
    }
}
