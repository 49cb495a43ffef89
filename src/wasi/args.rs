//! Arguments and environment.

use super::Context;
use super::errno::Errno;
use super::guest::Guest;

pub(super) fn args_sizes_get(
    ctx: &mut Context,
    guest: &Guest,
    count: u32,
    size: u32,
) -> Result<(), Errno> {
    sizes_get(&ctx.args, guest, count, size)
}

pub(super) fn args_get(
    ctx: &mut Context,
    guest: &Guest,
    pointers: u32,
    buffer: u32,
) -> Result<(), Errno> {
    get(&ctx.args, guest, pointers, buffer)
}

pub(super) fn environ_sizes_get(
    ctx: &mut Context,
    guest: &Guest,
    count: u32,
    size: u32,
) -> Result<(), Errno> {
    sizes_get(&ctx.env, guest, count, size)
}

pub(super) fn environ_get(
    ctx: &mut Context,
    guest: &Guest,
    pointers: u32,
    buffer: u32,
) -> Result<(), Errno> {
    get(&ctx.env, guest, pointers, buffer)
}

/// The number of strings, and the bytes that they take with a zero byte after each.
fn sizes_get(strings: &[Vec<u8>], guest: &Guest, count: u32, size: u32) -> Result<(), Errno> {
    let bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    let (number, bytes) = (u32::try_from(strings.len()), u32::try_from(bytes));
    let (Ok(number), Ok(bytes)) = (number, bytes) else { return Err(Errno::Overflow) };
    guest.check(size, 4)?;
    guest.put_u32(count, number)?;
    guest.put_u32(size, bytes)
}

/// Writes the strings one after the other, and the address of each.
fn get(strings: &[Vec<u8>], guest: &Guest, pointers: u32, buffer: u32) -> Result<(), Errno> {
    let size: usize = strings.iter().map(|string| string.len() + 1).sum();
    let size = u32::try_from(size).map_err(|_| Errno::Overflow)?;
    let table = u32::try_from(strings.len() * 4).map_err(|_| Errno::Overflow)?;
    guest.check(pointers, table)?;
    guest.check(buffer, size)?;
    let mut at = buffer;
    for (i, string) in strings.iter().enumerate() {
        guest.put_u32(pointers + 4 * i as u32, at)?;
        guest.put(at, string)?;
        guest.put(at + string.len() as u32, &[0])?;
        // Only behind the very last byte of the memory can this be 2^32.
        at = at.wrapping_add(string.len() as u32 + 1);
    }
    Ok(())
}
