//! A guest's socket on the host. Nothing here raises `SIGPIPE`, and nothing asks for grants.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno as HostErrno, retry_on_intr};
use rustix::net::sockopt::Timeout;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags,
    Shutdown, SocketFlags, SocketType, sockopt,
};

use crate::wasi::errno::Errno;
use crate::wasi::guest::{Buffer, Guest};
use crate::wasi::poll::wait_for;
use crate::wasi::types::FileType;

/// A socket.
pub(in crate::wasi) struct Socket {
    fd: OwnedFd,
    datagrams: bool,
}

/// What has been received.
pub(in crate::wasi) struct Received {
    pub(in crate::wasi) len: u32,
    /// Whether the datagram was longer than its buffers.
    pub(in crate::wasi) truncated: bool,
    /// Who has sent it, unless the socket is connected.
    pub(in crate::wasi) from: Option<SocketAddr>,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Socket {
    /// Closes the socket without waiting, whatever the guest has set: what it has sent goes out in
    /// the background.
    fn drop(&mut self) {
        let lingers = sockopt::socket_linger(&self.fd).ok().flatten();
        if lingers.is_some_and(|time| !time.is_zero()) {
            // If this fails, closing waits.
            let _ = sockopt::set_socket_linger(&self.fd, None);
        }
    }
}

impl Socket {
    /// A socket that the host has made.
    pub(in crate::wasi) fn from_host(fd: OwnedFd) -> Result<Socket, Errno> {
        let datagrams = sockopt::socket_type(&fd)? == SocketType::DGRAM;
        Ok(Socket { fd, datagrams })
    }

    /// A new socket, for IPv6 or IPv4, for datagrams or a stream.
    pub(in crate::wasi) fn open(v6: bool, datagrams: bool) -> Result<Socket, Errno> {
        let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
        let ty = if datagrams { SocketType::DGRAM } else { SocketType::STREAM };
        let fd = rustix::net::socket_with(family, ty, SocketFlags::CLOEXEC, None)?;
        if v6 {
            // Addresses of version 4 are reached by sockets of version 4 alone, so that a grant
            // for `[::]` is no grant for all of version 4.
            sockopt::set_ipv6_v6only(&fd, true)?;
        }
        Ok(Socket { fd, datagrams })
    }

    /// Two sockets connected with each other, which no other process can reach.
    pub(in crate::wasi) fn pair(datagrams: bool) -> Result<(Socket, Socket), Errno> {
        let ty = if datagrams { SocketType::DGRAM } else { SocketType::STREAM };
        let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, ty, SocketFlags::CLOEXEC, None)?;
        Ok((Socket { fd: a, datagrams }, Socket { fd: b, datagrams }))
    }

    /// Waits where execution may be ended meanwhile; whether the socket is ready. A guest that has
    /// set a timeout has the system wait.
    fn wait(&self, guest: &Guest, wanted: PollFlags, timeout: Timeout) -> Result<bool, Errno> {
        if !guest.is_interruptible() || sockopt::socket_timeout(&self.fd, timeout)?.is_some() {
            return Ok(false);
        }
        wait_for(guest, self.as_fd(), wanted)
    }

    /// Whether it is for datagrams.
    pub(in crate::wasi) fn has_datagrams(&self) -> bool {
        self.datagrams
    }

    pub(in crate::wasi) fn filetype(&self) -> FileType {
        if self.datagrams { FileType::SocketDatagram } else { FileType::SocketStream }
    }

    /// Receives into the guest's buffers.
    pub(in crate::wasi) fn receive(
        &self,
        guest: &Guest,
        buffers: &[Buffer],
        flags: RecvFlags,
    ) -> Result<Received, Errno> {
        if !flags.contains(RecvFlags::DONTWAIT) {
            self.wait(guest, PollFlags::IN, Timeout::Recv)?;
        }
        let mut received = Received { len: 0, truncated: false, from: None };
        received.len = guest.fill(buffers, |slices| {
            let room: usize = slices.iter().map(|slice| slice.len()).sum();
            if room == 0 && !self.datagrams {
                // The system would wait for a byte that there is no place for.
                return Ok(0);
            }
            let message = retry_on_intr(|| {
                let mut control = RecvAncillaryBuffer::default();
                rustix::net::recvmsg(&self.fd, slices, &mut control, flags)
            })?;
            received.truncated = message.flags.contains(ReturnFlags::TRUNC);
            received.from = message.address.and_then(|from| SocketAddr::try_from(from).ok());
            Ok(message.bytes)
        })?;
        Ok(received)
    }

    /// Sends the guest's buffers, to an address if one is given.
    pub(in crate::wasi) fn send(
        &self,
        guest: &Guest,
        buffers: &[Buffer],
        to: Option<SocketAddr>,
        flags: SendFlags,
    ) -> Result<u32, Errno> {
        let mut flags = flags;
        if !flags.contains(SendFlags::DONTWAIT) {
            // More than fits could wait again.
            let has_waited = self.wait(guest, PollFlags::OUT, Timeout::Send)?;
            flags.set(SendFlags::DONTWAIT, has_waited);
        }
        guest.drain(buffers, |slices| self.send_slices(slices, to, flags))
    }

    /// Sends bytes of the host's.
    pub(in crate::wasi) fn send_bytes(&self, bytes: &[u8]) -> Result<u32, Errno> {
        self.send_slices(&[IoSlice::new(bytes)], None, SendFlags::empty()).map(|len| len as u32)
    }

    fn send_slices(
        &self,
        slices: &[IoSlice],
        to: Option<SocketAddr>,
        flags: SendFlags,
    ) -> Result<usize, Errno> {
        let flags = flags | SendFlags::NOSIGNAL;
        Ok(retry_on_intr(|| {
            let mut control = SendAncillaryBuffer::default();
            match &to {
                Some(to) => rustix::net::sendmsg_addr(&self.fd, to, slices, &mut control, flags),
                None => rustix::net::sendmsg(&self.fd, slices, &mut control, flags),
            }
        })?)
    }

    /// The next connection, and where it comes from.
    pub(in crate::wasi) fn accept(
        &self,
        guest: &Guest,
        nonblocking: bool,
    ) -> Result<(Socket, Option<SocketAddr>), Errno> {
        self.wait(guest, PollFlags::IN, Timeout::Recv)?;
        let mut flags = SocketFlags::CLOEXEC;
        flags.set(SocketFlags::NONBLOCK, nonblocking);
        let (fd, from) = retry_on_intr(|| rustix::net::acceptfrom_with(&self.fd, flags))?;
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        Ok((Socket { fd, datagrams: false }, from))
    }

    /// Connects to an address.
    pub(in crate::wasi) fn connect(&self, to: SocketAddr) -> Result<(), Errno> {
        match rustix::net::connect(&self.fd, &to) {
            // The connection goes on in the background: its end is waited for.
            Err(HostErrno::INTR) => {
                retry_on_intr(|| poll(&mut [PollFd::new(&self.fd, PollFlags::OUT)], None))?;
                Ok(sockopt::socket_error(&self.fd)??)
            }
            result => Ok(result?),
        }
    }

    /// Gives the socket an address of the machine.
    pub(in crate::wasi) fn bind(&self, at: SocketAddr) -> Result<(), Errno> {
        Ok(rustix::net::bind(&self.fd, &at)?)
    }

    /// Lets connections come, so many waiting ones at most; the system has a bound of its own.
    pub(in crate::wasi) fn listen(&self, backlog: u32) -> Result<(), Errno> {
        Ok(rustix::net::listen(&self.fd, i32::try_from(backlog).unwrap_or(i32::MAX))?)
    }

    pub(in crate::wasi) fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        Ok(rustix::net::shutdown(&self.fd, how)?)
    }

    /// The address of its own. A socket that is none of the internet's has none.
    pub(in crate::wasi) fn local(&self) -> Result<SocketAddr, Errno> {
        let address = rustix::net::getsockname(&self.fd)?;
        SocketAddr::try_from(address).map_err(|_| Errno::AddressFamily)
    }

    /// The address that it is connected with.
    pub(in crate::wasi) fn peer(&self) -> Result<SocketAddr, Errno> {
        let address = rustix::net::getpeername(&self.fd)?.ok_or(Errno::AddressFamily)?;
        SocketAddr::try_from(address).map_err(|_| Errno::AddressFamily)
    }

    /// What has happened to it meanwhile, by `poll(2)` without waiting.
    pub(in crate::wasi) fn state(&self) -> Result<PollFlags, Errno> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN | PollFlags::OUT)];
        retry_on_intr(|| poll(&mut fds, Some(&rustix::event::Timespec::default())))?;
        Ok(fds[0].revents())
    }
}
