//! Bytes that others may hold a part of, wherever they are kept.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of bytes that do not change, and a share of what keeps them: a vector, a file that is
/// mapped. Cloning it copies no bytes.
#[derive(Clone)]
pub struct Blob {
    keeper: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl Blob {
    /// All bytes that `keeper` keeps; they are the same each time it is asked.
    pub fn new(keeper: impl AsRef<[u8]> + Send + Sync + 'static) -> Blob {
        let range = 0..keeper.as_ref().len();
        Blob { keeper: Arc::new(keeper), range }
    }

    /// A part; none if the range goes beyond the end.
    pub fn part(&self, range: Range<usize>) -> Option<Blob> {
        let end = self.range.start.checked_add(range.end)?;
        let fits = range.start <= range.end && end <= self.range.end;
        let part = self.range.start + range.start..end;
        fits.then(|| Blob { keeper: self.keeper.clone(), range: part })
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &(*self.keeper).as_ref()[self.range.clone()]
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}
