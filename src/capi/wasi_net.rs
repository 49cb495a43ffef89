//! `wasi.h`: what programs may do over the network.

use std::ffi::c_char;

use super::boundary::{guard, refuse};
use super::wasi::{settings, text as bytes, wasi_config_t};

/// Text of C that has to be UTF-8.
///
/// # Safety
///
/// The text is terminated by a zero byte, or null.
unsafe fn text<'a>(text: *const c_char, name: &str) -> Option<&'a str> {
    // SAFETY: the caller's contract.
    match std::str::from_utf8(unsafe { bytes(text, name) }?) {
        Ok(text) => Some(text),
        Err(_) => refuse(&format!("{name} is not UTF-8")),
    }
}

/// Gives the program a listener on an address of the machine, `ADDRESS:PORT` or `NAME:PORT`, where
/// it accepts connections (`sock_accept`) from whoever makes them. Its descriptor follows those of
/// the directories; several listeners have theirs in the order of the calls. With port 0 the
/// system chooses a port. Writes the port to `port` unless that is null. The machine takes
/// connections from this call on. Returns false when the address cannot be listened on.
///
/// Ownership: borrows all.
///
/// # Safety
///
/// The settings are live or null, the text is terminated by a zero byte or null, `port` can be
/// written or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_tcp_listen(
    config: *mut wasi_config_t,
    address: *const c_char,
    port: *mut u16,
) -> bool {
    let listen = || {
        // SAFETY: the contract of this function.
        let (config, address) = unsafe { (settings(config)?, text(address, "the address")?) };
        match config.config().tcp_listen(address) {
            Ok(local) => {
                if !port.is_null() {
                    // SAFETY: the contract of this function.
                    unsafe { port.write(local.port()) };
                }
                Some(())
            }
            Err(error) => refuse(&format!("{address}: {error}")),
        }
    };
    guard(false, || listen().is_some())
}

/// Lets the program make sockets and reach `HOST:PORT` with them: connect and send to it, bind to
/// it, and learn that a name leads to it. Without any grant a program has no network but the
/// listeners that it is given. Each call adds to what is granted.
///
/// HOST is an address (of version 6 in brackets), a block of addresses `ADDRESS/BITS`, a name, or
/// `*` for every address and every name. PORT is a number, a range `FIRST-LAST`, or `*`; port 0 is
/// the one that the system chooses when a socket is bound. Addresses are what counts: a name is
/// looked up by this call and stands for the addresses that it has now.
///
/// Returns false when the text is no grant, or the name has no address.
///
/// Ownership: borrows both.
///
/// # Safety
///
/// The settings are live or null, the text is terminated by a zero byte or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tenon_wasi_config_allow_net(
    config: *mut wasi_config_t,
    grant: *const c_char,
) -> bool {
    let allow = || {
        // SAFETY: the contract of this function.
        let (config, grant) = unsafe { (settings(config)?, text(grant, "the grant")?) };
        match config.config().allow_net(grant) {
            Ok(_) => Some(()),
            Err(error) => refuse(&error.to_string()),
        }
    };
    guard(false, || allow().is_some())
}
