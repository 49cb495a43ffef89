//! Files, directories and streams.

pub(super) mod dir;
pub(super) mod file;
pub(super) mod path;
pub(super) mod stdio;
mod walk;
