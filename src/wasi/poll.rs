//! Waiting for descriptors and clocks.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};

use super::clock::Clock;
use super::errno::Errno;
use super::guest::Guest;
use super::types::{Layout, rights};
use super::{Context, Snapshot};

/// The most subscriptions that one call can have.
const MAX_SUBSCRIPTIONS: u32 = 4096;

const SUBSCRIPTION_SIZE: usize = 48;
/// In the older version, where a clock has an identifier of the guest's before its number.
const OLD_SUBSCRIPTION_SIZE: usize = 56;
const EVENT_SIZE: u32 = 32;

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// Nanoseconds between two looks at whether execution has to end.
const STEP: u64 = 10_000_000;

/// The deadline of a clock subscription is absolute.
const ABSOLUTE: u16 = 1;

/// Something to wait for.
struct Subscription {
    userdata: u64,
    kind: u8,
    wanted: Wanted,
}

enum Wanted {
    /// The clock shows this time.
    Time(Clock, u64),
    /// The descriptor can be read from, or written to.
    Descriptor(u32),
    /// Nothing: the subscription itself is wrong.
    Failed(Errno),
}

/// What has happened.
struct Event {
    userdata: u64,
    error: u16,
    kind: u8,
    bytes: u64,
    hangup: bool,
}

impl Subscription {
    fn read(ctx: &Context, guest: &Guest, array: u32, index: u32) -> Result<Subscription, Errno> {
        let (size, clock_at) = match guest.snapshot {
            Snapshot::Preview1 => (SUBSCRIPTION_SIZE, 16),
            Snapshot::Unstable => (OLD_SUBSCRIPTION_SIZE, 24),
        };
        let at = array.checked_add(index * size as u32).ok_or(Errno::Fault)?;
        guest.with(at, size as u32, |raw| Subscription::parse(ctx, raw, clock_at))?
    }

    fn parse(ctx: &Context, raw: &[u8], clock_at: usize) -> Result<Subscription, Errno> {
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| raw[at + i]));
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| raw[at + i]));
        let u16_at = |at: usize| u16::from_le_bytes(std::array::from_fn(|i| raw[at + i]));
        let kind = raw[8];
        let deadline = || {
            let clock = Clock::of(u32_at(clock_at))?;
            let timeout = u64_at(clock_at + 8);
            // How exact it has to be stands in between.
            let deadline = match u16_at(clock_at + 24) {
                0 => ctx.time(clock)?.saturating_add(timeout),
                ABSOLUTE => timeout,
                _ => return Err(Errno::Invalid),
            };
            if ctx.clock.is_none() {
                return Ok(Wanted::Time(clock, deadline));
            }
            // The embedder's clock need not go on while the guest waits.
            let wait = deadline.saturating_sub(ctx.time(clock)?);
            Ok(Wanted::Time(Clock::Monotonic, Clock::Monotonic.now()?.saturating_add(wait)))
        };
        let wanted = match kind {
            CLOCK => deadline().unwrap_or_else(Wanted::Failed),
            FD_READ | FD_WRITE => Wanted::Descriptor(u32_at(16)),
            _ => return Err(Errno::Invalid),
        };
        Ok(Subscription { userdata: u64_at(0), kind, wanted })
    }

    fn event(&self, error: Option<Errno>) -> Event {
        let error = error.map_or(0, |error| error as u16);
        Event { userdata: self.userdata, error, kind: self.kind, bytes: 0, hangup: false }
    }
}

impl Event {
    fn layout(&self) -> Layout<{ EVENT_SIZE as usize }> {
        Layout::new()
            .u64(0, self.userdata)
            .u16(8, self.error)
            .u8(10, self.kind)
            .u64(16, self.bytes)
            .u16(24, u16::from(self.hangup))
    }
}

pub(super) fn poll_oneoff(
    ctx: &mut Context,
    guest: &Guest,
    subscriptions: u32,
    events: u32,
    count: u32,
    event_count: u32,
) -> Result<(), Errno> {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Invalid);
    }
    guest.check(events, count * EVENT_SIZE)?;
    guest.check(event_count, 4)?;
    let mut wanted = Vec::with_capacity(count as usize);
    for i in 0..count {
        wanted.push(Subscription::read(ctx, guest, subscriptions, i)?);
    }
    let happened = wait(ctx, guest, &wanted)?;
    for (i, event) in happened.iter().enumerate() {
        guest.put(events + i as u32 * EVENT_SIZE, &event.layout().0)?;
    }
    guest.put_u32(event_count, happened.len() as u32)
}

/// Waits until something has happened; at least one event.
fn wait(ctx: &Context, guest: &Guest, subscriptions: &[Subscription]) -> Result<Vec<Event>, Errno> {
    let mut events = Vec::new();
    let mut polled = Vec::new();
    for subscription in subscriptions {
        match subscription.wanted {
            Wanted::Failed(error) => events.push(subscription.event(Some(error))),
            Wanted::Descriptor(fd) => match ctx.fds.with_rights(fd, rights::POLL_FD_READWRITE) {
                Err(error) => events.push(subscription.event(Some(error))),
                Ok(entry) => match entry.object.host_fd() {
                    // Streams that are no descriptors of the host never block.
                    None => events.push(subscription.event(None)),
                    Some(fd) => {
                        let reads = subscription.kind == FD_READ;
                        let flags = if reads { PollFlags::IN } else { PollFlags::OUT };
                        polled.push((subscription, PollFd::from_borrowed_fd(fd, flags)));
                    }
                },
            },
            Wanted::Time(..) => {}
        }
    }
    loop {
        let timeout = if events.is_empty() { shortest_wait(subscriptions)? } else { Some(0) };
        let timeout = match timeout {
            _ if !guest.is_interruptible() => timeout,
            None => Some(STEP),
            Some(timeout) => Some(timeout.min(STEP)),
        };
        guest.check_interrupt()?;
        let timeout = timeout.map(timespec);
        let mut fds: Vec<PollFd> = polled.iter().map(|(_, fd)| fd.clone()).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        for ((subscription, _), fd) in polled.iter().zip(&fds) {
            events.extend(descriptor_event(subscription, fd));
        }
        for subscription in subscriptions {
            if let Wanted::Time(clock, deadline) = subscription.wanted
                && clock.now()? >= deadline
            {
                events.push(subscription.event(None));
            }
        }
        if !events.is_empty() {
            return Ok(events);
        }
    }
}

fn timespec(nanoseconds: u64) -> Timespec {
    Timespec {
        tv_sec: (nanoseconds / 1_000_000_000) as i64,
        tv_nsec: (nanoseconds % 1_000_000_000) as i64,
    }
}

/// Waits until a descriptor is ready, if execution may be ended meanwhile; whether it is ready.
pub(super) fn wait_for(guest: &Guest, fd: BorrowedFd, wanted: PollFlags) -> Result<bool, Errno> {
    if !guest.is_interruptible() || fcntl_getfl(fd)?.contains(OFlags::NONBLOCK) {
        return Ok(false);
    }
    // Regular files keep nobody waiting.
    if FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::RegularFile {
        return Ok(false);
    }
    let step = timespec(STEP);
    loop {
        guest.check_interrupt()?;
        match poll(&mut [PollFd::from_borrowed_fd(fd, wanted)], Some(&step)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

fn descriptor_event(subscription: &Subscription, fd: &PollFd) -> Option<Event> {
    let flags = fd.revents();
    if flags.is_empty() {
        return None;
    }
    let mut event = subscription.event(None);
    if flags.contains(PollFlags::NVAL) {
        event.error = Errno::BadFd as u16;
    } else if flags.contains(PollFlags::ERR) && !flags.intersects(PollFlags::IN | PollFlags::OUT) {
        let error = if subscription.kind == FD_WRITE { Errno::Pipe } else { Errno::Io };
        event.error = error as u16;
    }
    event.hangup = flags.contains(PollFlags::HUP);
    if subscription.kind == FD_READ {
        event.bytes = rustix::io::ioctl_fionread(fd.as_fd()).unwrap_or(0);
    }
    Some(event)
}

/// Nanoseconds until the first deadline; none if there is no deadline. A CPU-time clock does not
/// advance while the thread waits: it is looked at again and again.
fn shortest_wait(subscriptions: &[Subscription]) -> Result<Option<u64>, Errno> {
    const CPU_TIME_STEP: u64 = 1_000_000;
    let mut shortest = None;
    for subscription in subscriptions {
        if let Wanted::Time(clock, deadline) = subscription.wanted {
            let mut wait = deadline.saturating_sub(clock.now()?);
            if matches!(clock, Clock::ProcessCpu | Clock::ThreadCpu) {
                wait = wait.min(CPU_TIME_STEP);
            }
            shortest = Some(shortest.map_or(wait, |shorter: u64| shorter.min(wait)));
        }
    }
    Ok(shortest)
}
