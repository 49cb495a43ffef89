//! Settings and engines.

use super::boundary::{OrError, guard, silence_panics};
use super::families::own;
use crate::engine::{Config, Engine, with_return_address};

/// Settings of an engine.
pub struct wasm_config_t(pub(super) Config);

/// An engine.
pub struct wasm_engine_t(pub(super) Engine);

own! {
    wasm_config_t wasm_config_delete;
    wasm_engine_t wasm_engine_delete;
}

/// Makes default settings.
///
/// Ownership: the caller owns the result and passes it to `wasm_engine_new_with_config` or releases
/// it with `wasm_config_delete`.
#[unsafe(no_mangle)]
pub extern "C" fn wasm_config_new() -> Option<Box<wasm_config_t>> {
    guard(None, || Some(Box::new(wasm_config_t(Config::new()))))
}

/// Makes an engine with default settings. Returns null when no code can be made for this machine.
///
/// Ownership: the caller owns the result and releases it with `wasm_engine_delete`; what is made
/// with the engine keeps it alive.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn wasm_engine_new() -> Option<Box<wasm_engine_t>> {
    with_return_address!(engine_for)
}

/// Makes an engine with default settings for who has its code at `caller`.
extern "C" fn engine_for(_: usize, caller: usize) -> Option<Box<wasm_engine_t>> {
    guard(None, || engine(&Config::new(), caller))
}

/// Makes an engine with these settings, the default ones for null. Returns null when they make no
/// sense, or no code can be made for this machine.
///
/// Ownership: takes the settings over; the caller owns the result and releases it with
/// `wasm_engine_delete`.
///
/// # Safety
///
/// The pointer is owned or null.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn wasm_engine_new_with_config(
    config: Option<Box<wasm_config_t>>,
) -> Option<Box<wasm_engine_t>> {
    with_return_address!(engine_with_config_for)
}

/// Makes an engine with these settings for who has its code at `caller`.
extern "C" fn engine_with_config_for(
    config: Option<Box<wasm_config_t>>,
    caller: usize,
) -> Option<Box<wasm_engine_t>> {
    guard(None, || engine(&config.map_or_else(Config::new, |config| config.0), caller))
}

fn engine(config: &Config, caller: usize) -> Option<Box<wasm_engine_t>> {
    silence_panics();
    Some(Box::new(wasm_engine_t(Engine::near(config, caller).or_error()?)))
}
