//! The machine that code is made for.

use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};

use super::CompileError;

/// Choices that change the code of every function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether hardware faults and trap instructions may be used. Without, every condition that
    /// traps is checked by code and raised by a call.
    pub signals: bool,
    /// Whether every NaN that an operation makes is the canonical one.
    pub canonicalize_nans: bool,
    /// Whether functions and loops look at the store's interrupt.
    pub interruptible: bool,
    /// Whether instructions consume the store's fuel.
    pub fuel: bool,
}

/// The code generator for the machine this runs on.
pub(super) fn host(settings: &Settings) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    let mut set = |name: &str, value: &str| {
        flags.set(name, value).expect("the setting exists in this version of Cranelift")
    };
    set("opt_level", "speed");
    set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" });
    set("unwind_info", "false");
    set("preserve_frame_pointers", "true");
    // Prologues compare with a stack limit that leaves room below it.
    set("enable_probestack", "false");
    // Results beyond the registers go to memory of the caller's.
    set("enable_multi_ret_implicit_sret", "true");
    set("is_pic", "false");
    set("log2_min_function_alignment", "4");
    set("enable_nan_canonicalization", if settings.canonicalize_nans { "true" } else { "false" });

    let builder = cranelift_native::builder().map_err(CompileError::unsupported_cpu)?;
    let isa = builder
        .finish(settings::Flags::new(flags))
        .map_err(|error| CompileError::unsupported_cpu(&error.to_string()))?;
    require_cpu_features(&*isa)?;
    Ok(isa)
}

/// Without these the code generator would call functions for rounding and shuffling.
#[cfg(target_arch = "x86_64")]
fn require_cpu_features(isa: &dyn cranelift_codegen::isa::TargetIsa) -> Result<(), CompileError> {
    for needed in ["has_ssse3", "has_sse41"] {
        let there =
            isa.isa_flags().iter().any(|flag| flag.name == needed && flag.as_bool() == Some(true));
        if !there {
            let name = needed.trim_start_matches("has_");
            return Err(CompileError::unsupported_cpu(&format!("the CPU lacks {name}")));
        }
    }
    Ok(())
}

/// The calling convention of the C functions of this system.
pub(super) fn host_call_conv(isa: &dyn cranelift_codegen::isa::TargetIsa) -> CallConv {
    isa.default_call_conv()
}

/// Names what code of `isa` depends on: the target and every CPU feature that it may use, in a
/// form that can be compared with what a machine has.
pub(super) fn target(isa: &dyn cranelift_codegen::isa::TargetIsa) -> String {
    let mut target = isa.triple().to_string();
    for flag in isa.isa_flags() {
        if flag.as_bool() == Some(true) {
            target.push(' ');
            target.push_str(flag.name);
        }
    }
    target
}
