//! Settings of an engine.

use std::fmt;
use std::sync::Arc;

use super::Error;
use crate::compile::Settings;
use crate::wasm::{Feature, Features};

/// Settings of an engine. They cannot change once it is there.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) features: Features,
    pub(super) explicit_checks: bool,
    pub(super) memory_reservation: u64,
    pub(super) max_stack: usize,
    pub(super) canonicalize_nans: bool,
    pub(super) compilation: Compilation,
    pub(super) tier_up_after: u32,
    pub(super) interruptible: bool,
    pub(super) fuel: bool,
    pub(super) collect_always: bool,
    pub(super) relaxed_simd_deterministic: bool,
    pub(super) baseline_cpu: bool,
    pub(super) serialize_source: bool,
    pub(super) progress: Option<Progress>,
}

/// Who is told how far compilation is.
#[derive(Clone)]
pub(super) struct Progress(pub(super) Arc<dyn Fn(usize, usize) + Send + Sync>);

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// When functions are compiled. Modules are validated whole when they are made in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compilation {
    /// Small modules as [`Compilation::Eager`] says, others as [`Compilation::Ahead`].
    #[default]
    Adaptive,
    /// All when the module is made, in parallel.
    Eager,
    /// Each when it is called for the first time.
    Lazy,
    /// Each when it is called for the first time, or before: threads compile what functions call
    /// while these run. The threads belong to the engine; they end when there is nothing to do.
    Ahead,
}

/// What [`Config::tier_up_after`] is by default.
const TIER_UP_AFTER: u32 = 1000;

impl Default for Config {
    fn default() -> Config {
        Config {
            features: Features::default(),
            explicit_checks: false,
            memory_reservation: 4 << 30,
            max_stack: 1 << 20,
            canonicalize_nans: false,
            compilation: Compilation::default(),
            tier_up_after: TIER_UP_AFTER,
            interruptible: false,
            fuel: false,
            collect_always: false,
            relaxed_simd_deterministic: false,
            baseline_cpu: false,
            serialize_source: false,
            progress: None,
        }
    }
}

impl Config {
    /// The default settings.
    pub fn new() -> Config {
        Config::default()
    }

    /// Switches a feature on or off. Modules that need one that is off are invalid.
    pub fn feature(&mut self, feature: Feature, on: bool) -> &mut Config {
        self.features.set(feature, on);
        self
    }

    /// Switches the feature of this name on or off.
    ///
    /// # Errors
    ///
    /// When there is no such feature.
    pub fn feature_by_name(&mut self, name: &str, on: bool) -> Result<&mut Config, Error> {
        match Feature::from_name(name) {
            Some(feature) => Ok(self.feature(feature, on)),
            None => Err(Error::Config(format!("there is no feature called '{name}'"))),
        }
    }

    /// Whether every condition that traps is checked by code, so that no signal handler is needed
    /// and none is installed. Off by default: hardware faults are cheaper.
    pub fn explicit_checks(&mut self, on: bool) -> &mut Config {
        self.explicit_checks = on;
        self
    }

    /// Bytes of address space to reserve for each memory. With 4 GiB (the default) or more, code
    /// needs no bounds checks; with less, accesses are checked, and memories move when they grow
    /// beyond what is reserved.
    pub fn memory_reservation(&mut self, bytes: u64) -> &mut Config {
        self.memory_reservation = bytes;
        self
    }

    /// Bytes of stack that wasm may use, from where the host enters it; 1 MiB by default. Smaller
    /// stacks of threads are respected in any case.
    pub fn max_stack(&mut self, bytes: usize) -> &mut Config {
        self.max_stack = bytes;
        self
    }

    /// Whether every NaN that an operation makes is the canonical one, so that results do not
    /// depend on the machine. Includes [`Config::relaxed_simd_deterministic`]. Off by default.
    pub fn canonicalize_nans(&mut self, on: bool) -> &mut Config {
        self.canonicalize_nans = on;
        self
    }

    /// Whether relaxed vector instructions have the results of the specification's deterministic
    /// profile (core spec, appendix A.2), the same on every machine, instead of those that are the
    /// fastest on this one. Off by default.
    ///
    /// ```
    /// use tenon::{Config, Engine, Linker, Module, Store, Val};
    ///
    /// let mut config = Config::new();
    /// config.relaxed_simd_deterministic(true);
    /// let store = Store::new(&Engine::new(&config)?);
    /// let text = b"(module (func (export \"f\") (param f32) (result i32)
    ///   (i32x4.extract_lane 0 (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (local.get 0))))))";
    /// let instance = Linker::new(&store).instantiate(&Module::from_text(store.engine(), text)?)?;
    /// let f = instance.func("f").expect("it is exported");
    /// assert!(matches!(f.call(&[Val::F32(3e9)])?[..], [Val::I32(i32::MAX)]));
    /// # Ok::<(), tenon::Error>(())
    /// ```
    pub fn relaxed_simd_deterministic(&mut self, on: bool) -> &mut Config {
        self.relaxed_simd_deterministic = on;
        self
    }

    /// Whether code uses only what every supported processor has, so that compiled modules can be
    /// used on others than this one, by engines with the same setting. Off by default: code uses
    /// all of this processor.
    pub fn baseline_cpu(&mut self, on: bool) -> &mut Config {
        self.baseline_cpu = on;
        self
    }

    /// Whether [`super::Module::serialize`] keeps the module's source: the bytes that it was made
    /// of. Off by default: compiled modules are smaller without the bodies of functions.
    /// What needs them is [`super::Module::bytes`] and [`super::Module::serialized_source`], and an
    /// instance for whose memory there is no address space to reserve (see
    /// [`Config::memory_reservation`]): with the source, other code is compiled for it; without, it
    /// is refused.
    ///
    /// ```
    /// use tenon::{Config, Engine, Error, Module};
    ///
    /// for keeps in [false, true] {
    ///     let mut config = Config::new();
    ///     config.serialize_source(keeps);
    ///     let module = Module::from_text(&Engine::new(&config)?, b"(module (func))")?;
    ///     let serialized = module.serialize()?;
    ///     assert_eq!(Module::serialized_source(&serialized).is_ok(), keeps);
    ///     // SAFETY: nobody else has had the bytes.
    ///     let again = unsafe { Module::deserialize(module.engine(), &serialized)? };
    ///     assert_eq!(again.bytes().is_some(), keeps);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn serialize_source(&mut self, on: bool) -> &mut Config {
        self.serialize_source = on;
        self
    }

    /// When functions are compiled.
    pub fn compilation(&mut self, when: Compilation) -> &mut Config {
        self.compilation = when;
        self
    }

    /// After how many calls of a function, and turns of its loops, it is compiled again, to optimized
    /// code; until then it runs baseline code, which is made in half the time and takes about twice as
    /// long. Where functions are compiled before they are called ([`Compilation::Eager`] and small
    /// modules), and with 0, they are optimized at once. 1000 by default.
    ///
    /// Threads of the engine make optimized code, or the calling thread with [`Compilation::Lazy`].
    /// Loops go on in it. What code does is the same, but for how much stack it takes.
    pub fn tier_up_after(&mut self, count: u32) -> &mut Config {
        self.tier_up_after = count;
        self
    }

    /// Has `report` called while all functions of a module are compiled: with the number of
    /// functions that have been compiled by then, and with that of all. The threads that compile
    /// call it, also at the same time, so that numbers may arrive out of order; each arrives once.
    /// Functions that are compiled on their first call report nothing.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use std::sync::Arc;
    /// use tenon::{Config, Engine, Error, Module};
    ///
    /// let furthest = Arc::new(AtomicUsize::new(0));
    /// let (seen, mut config) = (furthest.clone(), Config::new());
    /// config.on_progress(move |done, all| {
    ///     assert!(done <= all);
    ///     seen.fetch_max(done, Ordering::Relaxed);
    /// });
    /// Module::from_text(&Engine::new(&config)?, b"(module (func) (func) (func))")?;
    /// assert_eq!(furthest.load(Ordering::Relaxed), 3);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn on_progress(
        &mut self,
        report: impl Fn(usize, usize) + Send + Sync + 'static,
    ) -> &mut Config {
        self.progress = Some(Progress(Arc::new(report)));
        self
    }

    /// Whether what a store runs can be ended from outside: by [`super::InterruptHandle`]s and
    /// deadlines. Code then looks for it at the beginning of functions and in loops, which costs
    /// it some speed. Off by default.
    pub fn interruptible(&mut self, on: bool) -> &mut Config {
        self.interruptible = on;
        self
    }

    /// Whether instructions consume the store's fuel, so that execution ends after the same number
    /// of them on every machine; see [`super::Store::set_fuel`]. Counting costs speed. Off by
    /// default.
    pub fn fuel(&mut self, on: bool) -> &mut Config {
        self.fuel = on;
        self
    }

    /// Whether every allocation on a store's heap frees what nothing reaches first, and moves what
    /// is left. That is slow: it is there to find references that the engine has failed to keep.
    /// Off by default.
    pub fn collect_always(&mut self, on: bool) -> &mut Config {
        self.collect_always = on;
        self
    }

    /// What of these settings changes the code of functions.
    pub(super) fn code_settings(&self) -> Settings {
        Settings {
            signals: !self.explicit_checks,
            canonicalize_nans: self.canonicalize_nans,
            interruptible: self.interruptible,
            fuel: self.fuel,
            relaxed_simd_deterministic: self.relaxed_simd_deterministic,
            baseline_cpu: self.baseline_cpu,
        }
    }

    /// The features that are on.
    pub fn features(&self) -> Features {
        self.features
    }
}
