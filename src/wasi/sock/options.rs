//! Settings of sockets. WasmEdge and WASIX have numbers of their own for them.

use std::time::Duration;

use rustix::net::sockopt;

use super::Socket;
use crate::wasi::errno::Errno;

/// A setting that is on or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::wasi) enum Flag {
    ReuseAddress,
    ReusePort,
    NoDelay,
    OnlyV6,
    Broadcast,
    KeepAlive,
    OutOfBandInline,
    /// Whether it accepts connections; it cannot be set.
    Listening,
}

/// A setting that is a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::wasi) enum Size {
    SendBuffer,
    ReceiveBuffer,
    /// How many routers what is sent may pass.
    TimeToLive,
}

/// A setting that is a time, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::wasi) enum Time {
    SendTimeout,
    ReceiveTimeout,
    Linger,
}

impl Flag {
    pub(in crate::wasi) fn get(self, socket: &Socket) -> Result<bool, Errno> {
        Ok(match self {
            Flag::ReuseAddress => sockopt::socket_reuseaddr(socket)?,
            Flag::ReusePort => sockopt::socket_reuseport(socket)?,
            Flag::NoDelay => sockopt::tcp_nodelay(socket)?,
            Flag::OnlyV6 => sockopt::ipv6_v6only(socket)?,
            Flag::Broadcast => sockopt::socket_broadcast(socket)?,
            Flag::KeepAlive => sockopt::socket_keepalive(socket)?,
            Flag::OutOfBandInline => sockopt::socket_oobinline(socket)?,
            Flag::Listening => sockopt::socket_acceptconn(socket)?,
        })
    }

    pub(in crate::wasi) fn set(self, socket: &Socket, on: bool) -> Result<(), Errno> {
        match self {
            Flag::ReuseAddress => sockopt::set_socket_reuseaddr(socket, on)?,
            Flag::ReusePort => sockopt::set_socket_reuseport(socket, on)?,
            Flag::NoDelay => sockopt::set_tcp_nodelay(socket, on)?,
            // Grants for version 6 would become grants for version 4.
            Flag::OnlyV6 if !on => return Err(Errno::NotSupported),
            Flag::OnlyV6 => sockopt::set_ipv6_v6only(socket, on)?,
            Flag::Broadcast => sockopt::set_socket_broadcast(socket, on)?,
            Flag::KeepAlive => sockopt::set_socket_keepalive(socket, on)?,
            Flag::OutOfBandInline => sockopt::set_socket_oobinline(socket, on)?,
            Flag::Listening => return Err(Errno::NoSuchOption),
        }
        Ok(())
    }
}

impl Size {
    pub(in crate::wasi) fn get(self, socket: &Socket) -> Result<u32, Errno> {
        let size = match self {
            Size::SendBuffer => sockopt::socket_send_buffer_size(socket)?,
            Size::ReceiveBuffer => sockopt::socket_recv_buffer_size(socket)?,
            Size::TimeToLive => sockopt::ip_ttl(socket)? as usize,
        };
        u32::try_from(size).map_err(|_| Errno::Overflow)
    }

    /// Sets it; the system has bounds of its own for buffers.
    pub(in crate::wasi) fn set(self, socket: &Socket, size: u32) -> Result<(), Errno> {
        if i32::try_from(size).is_err() {
            return Err(Errno::Invalid);
        }
        match self {
            Size::SendBuffer => sockopt::set_socket_send_buffer_size(socket, size as usize)?,
            Size::ReceiveBuffer => sockopt::set_socket_recv_buffer_size(socket, size as usize)?,
            Size::TimeToLive => sockopt::set_ip_ttl(socket, size)?,
        }
        Ok(())
    }
}

impl Time {
    pub(in crate::wasi) fn get(self, socket: &Socket) -> Result<Option<Duration>, Errno> {
        Ok(match self {
            Time::SendTimeout => sockopt::socket_timeout(socket, sockopt::Timeout::Send)?,
            Time::ReceiveTimeout => sockopt::socket_timeout(socket, sockopt::Timeout::Recv)?,
            Time::Linger => sockopt::socket_linger(socket)?,
        })
    }

    /// Sets it; no time for a timeout is no timeout.
    pub(in crate::wasi) fn set(self, socket: &Socket, time: Option<Duration>) -> Result<(), Errno> {
        let timeout = time.filter(|time| !time.is_zero());
        match self {
            Time::SendTimeout => {
                sockopt::set_socket_timeout(socket, sockopt::Timeout::Send, timeout)?;
            }
            Time::ReceiveTimeout => {
                sockopt::set_socket_timeout(socket, sockopt::Timeout::Recv, timeout)?;
            }
            Time::Linger => sockopt::set_socket_linger(socket, time)?,
        }
        Ok(())
    }
}

/// Takes out what has gone wrong with a socket in the background: an error number of WASI, 0 for
/// nothing.
pub(in crate::wasi) fn error_number(socket: &Socket) -> Result<u32, Errno> {
    Ok(match sockopt::socket_error(socket)? {
        Ok(()) => 0,
        Err(error) => Errno::from(error) as u32,
    })
}
