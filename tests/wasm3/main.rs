//! What WebAssembly has beyond its second version: switches, numbers at their edges, and what code
//! must not keep over a call, by generated modules; and programs that compilers have made.

/// A test for each mode of the engine: calls a function with what configures it.
macro_rules! in_all_modes {
    ($run:path) => {
        crate::in_all_modes! { $run;
            with_guard_pages: |_| {};
            with_explicit_checks: |config| { config.explicit_checks(true); };
            with_memories_that_move: |config| { config.memory_reservation(100_000); };
            with_explicit_checks_and_memories_that_move: |config| {
                config.explicit_checks(true).memory_reservation(100_000);
            };
            compiled_on_the_first_call: |config| {
                config.compilation(tenon::Compilation::Lazy);
            };
            compiled_on_the_first_call_with_memories_that_move: |config| {
                config.compilation(tenon::Compilation::Lazy).memory_reservation(100_000);
            };
            metered: |config| { config.fuel(true).interruptible(true); };
            collecting_at_every_allocation: |config| { config.collect_always(true); };
            metered_with_explicit_checks_and_memories_that_move: |config| {
                config.fuel(true).interruptible(true).explicit_checks(true);
                config.memory_reservation(100_000);
            };
        }
    };
    ($run:path; $($name:ident: $configure:expr;)*) => {$(
        #[test]
        fn $name() {
            $run($configure);
        }
    )*};
}
pub(crate) use in_all_modes;

mod cached;
mod features;
mod numbers;
mod programs;

use tenon::{Feature, Features};

/// Whether all of these features are on by default: a row that needs others has to wait.
fn are_on(names: &[&str]) -> bool {
    let defaults = Features::default();
    names.iter().all(|name| {
        let feature = Feature::from_name(name);
        defaults.has(feature.unwrap_or_else(|| panic!("there is no feature {name}")))
    })
}
