//! Clocks.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::Context;
use super::errno::Errno;
use super::guest::Guest;

/// The host's clock for a number of WASI.
pub(super) fn clock(id: u32) -> Result<ClockId, Errno> {
    Ok(match id {
        0 => ClockId::Realtime,
        1 => ClockId::Monotonic,
        2 => ClockId::ProcessCPUTime,
        3 => ClockId::ThreadCPUTime,
        _ => return Err(Errno::Invalid),
    })
}

/// Nanoseconds.
fn nanoseconds(time: Timespec) -> Result<u64, Errno> {
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::Overflow)?;
    let whole = seconds.checked_mul(1_000_000_000).ok_or(Errno::Overflow)?;
    whole.checked_add(time.tv_nsec as u64).ok_or(Errno::Overflow)
}

/// What a clock shows, in nanoseconds.
pub(super) fn now(clock: ClockId) -> Result<u64, Errno> {
    nanoseconds(clock_gettime(clock))
}

pub(super) fn clock_res_get(
    _: &mut Context,
    guest: &Guest,
    id: u32,
    resolution: u32,
) -> Result<(), Errno> {
    guest.put_u64(resolution, nanoseconds(clock_getres(clock(id)?))?.max(1))
}

pub(super) fn clock_time_get(
    _: &mut Context,
    guest: &Guest,
    id: u32,
    _precision: u64,
    time: u32,
) -> Result<(), Errno> {
    guest.put_u64(time, now(clock(id)?)?)
}
