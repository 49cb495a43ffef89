//! Clocks and calendars. The local time is that of Greenwich: a guest learns no zone of its host's.

use std::time::{Duration, Instant};

use super::call::{Call, Sys, string};
use super::date::{Date, format};
use super::file::STEP;
use crate::engine::Trap;
use crate::wasi::clock::Clock;
use crate::wasi::errno::Errno;

const NANOSECONDS: u64 = 1_000_000_000;

impl Call<'_> {
    /// What a clock shows, in nanoseconds: the embedder's, if there is one.
    fn time(&self, clock: Clock) -> u64 {
        let time = self.state.wasi.try_borrow().map(|ctx| ctx.time(clock));
        // A clock before 1970 shows the first moment that has a number.
        time.unwrap_or_else(|_| clock.now()).unwrap_or(0)
    }
}

/// Milliseconds since 1970.
pub(super) fn emscripten_date_now(call: &Call) -> f64 {
    call.time(Clock::Realtime) as f64 / 1e6
}

/// Milliseconds since some moment.
pub(super) fn emscripten_get_now(call: &Call) -> f64 {
    call.time(Clock::Monotonic) as f64 / 1e6
}

/// Nanoseconds between two values of [`emscripten_get_now`].
pub(super) fn emscripten_get_now_res(_: &Call) -> f64 {
    1.0
}

pub(super) fn emscripten_get_now_is_monotonic(_: &Call) -> u32 {
    1
}

pub(super) fn emscripten_thread_sleep(call: &Call, milliseconds: f64) -> Result<(), Trap> {
    let guest = call.guest()?;
    // What is no number of milliseconds, or none to wait for, is no wait.
    let wait = Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default();
    let start = Instant::now();
    while start.elapsed() < wait {
        if guest.check_interrupt().is_err() {
            break;
        }
        let left = wait - start.elapsed().min(wait);
        std::thread::sleep(if guest.is_interruptible() { left.min(STEP) } else { left });
    }
    guest.ended().map_or(Ok(()), Err)
}

pub(super) fn difftime(_: &Call, end: u32, start: u32) -> f64 {
    f64::from(end.cast_signed()) - f64::from(start.cast_signed())
}

/// Microseconds of the processor's time.
pub(super) fn processor_time(call: &Call) -> u32 {
    (call.time(Clock::ProcessCpu) / 1000) as u32
}

pub(super) fn time(sys: &mut Sys, result: u32) -> Result<i32, Errno> {
    let seconds = (sys.ctx.time(Clock::Realtime)? / NANOSECONDS) as i32;
    if result != 0 {
        sys.guest.put(result, &seconds.to_le_bytes())?;
    }
    Ok(seconds)
}

fn put_time(sys: &mut Sys, result: u32, time: u64, unit: u64) -> Result<i32, Errno> {
    let (seconds, rest) = (time / NANOSECONDS, time % NANOSECONDS / unit);
    let bytes = sys.state.stat_layout.time_bytes(seconds as i64, rest as i64);
    sys.guest.put(result, &bytes)?;
    Ok(0)
}

pub(super) fn gettimeofday(sys: &mut Sys, result: u32, _zone: u32) -> Result<i32, Errno> {
    let time = sys.ctx.time(Clock::Realtime)?;
    put_time(sys, result, time, 1000)
}

pub(super) fn clock_gettime(sys: &mut Sys, id: u32, result: u32) -> Result<i32, Errno> {
    let time = sys.ctx.time(Clock::of(id)?)?;
    put_time(sys, result, time, 1)
}

pub(super) fn clock_getres(sys: &mut Sys, id: u32, result: u32) -> Result<i32, Errno> {
    Clock::of(id)?;
    put_time(sys, result, 1, 1)
}

/// Says that the zone is Greenwich's: no offset, no summer time, and its name twice.
pub(super) fn _tzset_js(
    call: &Call,
    timezone: u32,
    daylight: u32,
    standard_name: u32,
    summer_name: u32,
) -> Result<(), Trap> {
    zone(call, timezone, daylight).map_err(fault)?;
    for name in [standard_name, summer_name] {
        call.guest()?.put(name, b"UTC\0").map_err(fault)?;
    }
    Ok(())
}

/// As [`_tzset_js`]; older modules have an array for the names.
pub(super) fn tzset_with_array(
    call: &Call,
    timezone: u32,
    daylight: u32,
    names: u32,
) -> Result<(), Trap> {
    zone(call, timezone, daylight).map_err(fault)?;
    let guest = call.guest()?;
    for i in 0..2 {
        // The guest keeps them as long as it runs.
        let name = call.call(&["malloc"], &[4])?;
        let at = names.wrapping_add(i * 4);
        guest.put(name, b"UTC\0").and_then(|()| guest.put_u32(at, name)).map_err(fault)?;
    }
    Ok(())
}

fn zone(call: &Call, timezone: u32, daylight: u32) -> Result<(), Errno> {
    let guest = call.guest().map_err(|_| Errno::Fault)?;
    guest.put_u32(timezone, 0)?;
    guest.put_u32(daylight, 0)
}

fn fault(_: Errno) -> Trap {
    Trap::new("a time outside of the module's memory")
}

/// Writes the date of a moment in seconds since 1970.
pub(super) fn write_date(call: &Call, seconds: i64, result: u32) -> Result<(), Trap> {
    let date = Date::of(seconds);
    call.guest()?.put(result, &date.calendar_bytes()).map_err(fault)
}

/// As [`write_date`], for local time: also says the distance from Greenwich.
pub(super) fn write_local_date(call: &Call, seconds: i64, result: u32) -> Result<(), Trap> {
    let date = Date::of(seconds);
    let guest = call.guest()?;
    guest.put(result, &date.calendar_bytes()).map_err(fault)?;
    // After the calendar: whether it is summer time, and the distance.
    guest.put(result.wrapping_add(32), &[0; 8]).map_err(fault)
}

/// The 32-bit time at an address.
fn stored(call: &Call, address: u32) -> Result<i64, Trap> {
    let seconds = call.guest()?.get(address).map_err(fault)?;
    Ok(i32::from_le_bytes(seconds).into())
}

pub(super) fn gmtime_of_stored(call: &Call, time: u32, result: u32) -> Result<(), Trap> {
    write_date(call, stored(call, time)?, result)
}

pub(super) fn localtime_of_stored(call: &Call, time: u32, result: u32) -> Result<(), Trap> {
    write_local_date(call, stored(call, time)?, result)
}

/// The moment of a date whose fields may be out of their ranges; brings them into their ranges.
pub(super) fn moment(call: &Call, address: u32) -> Result<i64, Trap> {
    let bytes: [u8; 36] = call.guest()?.get(address).map_err(fault)?;
    let seconds = Date::from_bytes(&bytes).seconds();
    write_date(call, seconds, address)?;
    Ok(seconds)
}

pub(super) fn narrow_moment(call: &Call, address: u32) -> Result<i32, Trap> {
    // -1 is what stands for a moment that has no number.
    Ok(i32::try_from(moment(call, address)?).unwrap_or(-1))
}

/// The longest format and the longest result of `strftime`.
const MAX_FORMATTED: usize = 1 << 16;

pub(super) fn strftime(
    call: &Call,
    result: u32,
    size: u32,
    pattern: u32,
    date: u32,
) -> Result<u32, Trap> {
    let guest = call.guest()?;
    let pattern = string(&guest, pattern).map_err(fault)?;
    let bytes: [u8; 36] = guest.get(date).map_err(fault)?;
    let mut text = Vec::new();
    format(&pattern, &Date::from_bytes(&bytes), &mut text);
    let len = text.len() as u32;
    if text.len() > MAX_FORMATTED || len >= size {
        return Ok(0);
    }
    text.push(0);
    guest.put(result, &text).map_err(fault)?;
    Ok(len)
}

pub(super) fn strftime_l(
    call: &Call,
    result: u32,
    size: u32,
    pattern: u32,
    date: u32,
    _locale: u32,
) -> Result<u32, Trap> {
    strftime(call, result, size, pattern, date)
}
