//! What WebAssembly has beyond its second version, by generated modules: switches, numbers at their
//! edges, and what code must not keep over a call.

mod cached;
mod features;
mod numbers;

use tenon::{Feature, Features};

/// Whether all of these features are on by default: a row that needs others has to wait.
fn are_on(names: &[&str]) -> bool {
    let defaults = Features::default();
    names.iter().all(|name| {
        let feature = Feature::from_name(name);
        defaults.has(feature.unwrap_or_else(|| panic!("there is no feature {name}")))
    })
}
