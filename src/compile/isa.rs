//! The machine that code is made for.

use cranelift_codegen::isa::{Builder, CallConv, OwnedTargetIsa, TargetIsa};
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
    /// Whether relaxed vector instructions have the results of the deterministic profile.
    pub relaxed_simd_deterministic: bool,
    /// Whether code uses only those features of the CPU that every supported one has.
    pub baseline_cpu: bool,
}

impl Settings {
    /// Each of them, in the order of their declaration.
    pub(super) fn flags(&self) -> [bool; 6] {
        let Settings {
            signals,
            canonicalize_nans,
            interruptible,
            fuel,
            relaxed_simd_deterministic,
            baseline_cpu,
        } = *self;
        [signals, canonicalize_nans, interruptible, fuel, relaxed_simd_deterministic, baseline_cpu]
    }
}

/// The code generator for the machine this runs on, with these features, or those it finds.
///
/// What is `plain` takes time that grows with the size of a function, and its code is not good.
pub(super) fn host(
    settings: &Settings,
    features: Option<&[&str]>,
    plain: bool,
) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    let mut set = |name: &str, value: &str| {
        flags.set(name, value).expect("the setting exists in this version of Cranelift")
    };
    set("opt_level", if plain { "none" } else { "speed" });
    set("regalloc_algorithm", if plain { "single_pass" } else { "backtracking" });
    set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" });
    set("unwind_info", "false");
    // Where blocks are in the code: `lines`.
    set("machine_code_cfg_info", if plain { "false" } else { "true" });
    set("preserve_frame_pointers", "true");
    // Prologues compare with a stack limit that leaves room below it.
    set("enable_probestack", "false");
    // Results beyond the registers go to memory of the caller's.
    set("enable_multi_ret_implicit_sret", "true");
    set("is_pic", "false");
    set("log2_min_function_alignment", "4");
    set("enable_nan_canonicalization", if settings.canonicalize_nans { "true" } else { "false" });

    let flags = settings::Flags::new(flags);
    let native = features.map_or_else(cranelift_native::builder, with_features);
    let isa = finish(native, &flags)?;
    require_cpu_features(&*isa)?;
    if !settings.baseline_cpu {
        return Ok(isa);
    }
    finish(with_features(&REQUIRED_CPU_FEATURES), &flags)
}

fn with_features(features: &[&str]) -> Result<Builder, &'static str> {
    let mut builder = cranelift_native::builder_with_options(false)?;
    for feature in features {
        builder.enable(feature).expect("the feature exists in this version of Cranelift");
    }
    Ok(builder)
}

fn finish(
    builder: Result<Builder, &'static str>,
    flags: &settings::Flags,
) -> Result<OwnedTargetIsa, CompileError> {
    let builder = builder.map_err(CompileError::unsupported_cpu)?;
    builder.finish(flags.clone()).map_err(|error| CompileError::unsupported_cpu(&error.to_string()))
}

/// Without these the code generator would call functions for rounding and shuffling.
#[cfg(target_arch = "x86_64")]
const REQUIRED_CPU_FEATURES: [&str; 3] = ["has_sse3", "has_ssse3", "has_sse41"];

fn require_cpu_features(isa: &dyn TargetIsa) -> Result<(), CompileError> {
    for needed in REQUIRED_CPU_FEATURES {
        let there =
            isa.isa_flags().iter().any(|flag| flag.name == needed && flag.as_bool() == Some(true));
        if !there {
            let name = needed.trim_start_matches("has_");
            return Err(CompileError::unsupported_cpu(&format!("the CPU lacks {name}")));
        }
    }
    Ok(())
}

/// Whether the instructions that the code generator has for x86 alone may be used.
pub(super) fn is_x86(isa: &dyn TargetIsa) -> bool {
    isa.name() == "x64"
}

/// The calling convention of the C functions of this system.
pub(super) fn host_call_conv(isa: &dyn TargetIsa) -> CallConv {
    isa.default_call_conv()
}

/// Names what code of `isa` depends on: the target and every CPU feature that it may use, in a
/// form that can be compared with what a machine has.
pub(super) fn target(isa: &dyn TargetIsa) -> String {
    let mut target = isa.triple().to_string();
    for flag in isa.isa_flags() {
        if flag.as_bool() == Some(true) {
            target.push(' ');
            target.push_str(flag.name);
        }
    }
    target
}
