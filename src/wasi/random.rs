//! Random bytes.

use rustix::rand::{GetRandomFlags, getrandom};

use super::Context;
use super::errno::Errno;
use super::guest::Guest;

/// Bytes that are filled between two looks at whether execution has to end.
const PIECE: usize = 1 << 20;

pub(super) fn random_get(
    ctx: &mut Context,
    guest: &Guest,
    buffer: u32,
    len: u32,
) -> Result<(), Errno> {
    guest.write_with(buffer, len, |bytes| {
        if let Some(fill) = &mut ctx.random {
            fill(bytes);
            return Ok(());
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            guest.check_interrupt()?;
            let piece = rest.len().min(PIECE);
            let filled = match getrandom(&mut rest[..piece], GetRandomFlags::empty()) {
                Ok(filled) => filled,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(Errno::from(error)),
            };
            rest = &mut rest[filled..];
        }
        Ok(())
    })
}
