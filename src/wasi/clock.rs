//! Clocks.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::Context;
use super::errno::Errno;
use super::guest::Guest;

/// A clock that a guest can ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The time of day: nanoseconds since 1970.
    Realtime,
    /// A clock that never goes back.
    Monotonic,
    /// The processor's time that the process has used.
    ProcessCpu,
    /// The processor's time that the thread has used.
    ThreadCpu,
}

impl Clock {
    /// The clock of a number of WASI.
    pub(super) fn of(id: u32) -> Result<Clock, Errno> {
        let clocks = [Clock::Realtime, Clock::Monotonic, Clock::ProcessCpu, Clock::ThreadCpu];
        clocks.get(id as usize).copied().ok_or(Errno::Invalid)
    }

    fn host(self) -> ClockId {
        match self {
            Clock::Realtime => ClockId::Realtime,
            Clock::Monotonic => ClockId::Monotonic,
            Clock::ProcessCpu => ClockId::ProcessCPUTime,
            Clock::ThreadCpu => ClockId::ThreadCPUTime,
        }
    }

    /// What the host's clock shows, in nanoseconds.
    pub(super) fn now(self) -> Result<u64, Errno> {
        nanoseconds(clock_gettime(self.host()))
    }
}

impl Context {
    /// What a clock shows the guest, in nanoseconds.
    pub(super) fn time(&self, clock: Clock) -> Result<u64, Errno> {
        self.clock.as_ref().map_or_else(|| clock.now(), |show| Ok(show(clock)))
    }
}

/// Nanoseconds.
fn nanoseconds(time: Timespec) -> Result<u64, Errno> {
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::Overflow)?;
    let whole = seconds.checked_mul(1_000_000_000).ok_or(Errno::Overflow)?;
    whole.checked_add(time.tv_nsec as u64).ok_or(Errno::Overflow)
}

pub(super) fn clock_res_get(
    ctx: &mut Context,
    guest: &Guest,
    id: u32,
    resolution: u32,
) -> Result<(), Errno> {
    let clock = Clock::of(id)?;
    let host = || nanoseconds(clock_getres(clock.host()));
    guest.put_u64(resolution, if ctx.clock.is_some() { 1 } else { host()?.max(1) })
}

pub(super) fn clock_time_get(
    ctx: &mut Context,
    guest: &Guest,
    id: u32,
    _precision: u64,
    time: u32,
) -> Result<(), Errno> {
    guest.put_u64(time, ctx.time(Clock::of(id)?)?)
}
