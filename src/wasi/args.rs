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
    guest.put_u32(count, number)?;
    guest.put_u32(size, bytes)
}

/// Writes the strings one after the other, and the address of each.
fn get(strings: &[Vec<u8>], guest: &Guest, pointers: u32, buffer: u32) -> Result<(), Errno> {
    let (mut pointer, mut at) = (pointers, buffer);
    for string in strings {
        guest.put_u32(pointer, at)?;
        guest.put(at, string)?;
        let end = at.checked_add(string.len() as u32).ok_or(Errno::Fault)?;
        guest.put(end, &[0])?;
        at = end.wrapping_add(1);
        pointer = pointer.wrapping_add(4);
    }
    Ok(())
}
