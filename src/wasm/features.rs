//! The WebAssembly proposals that can be switched on and off: one row each.

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $bit:literal, $name:literal, $default:literal;)*) => {
        /// A proposal that has become part of WebAssembly, or is on its way.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Feature {
            $($(#[$doc])* $variant = $bit,)*
        }

        impl Feature {
            /// Every feature that the engine implements.
            pub const ALL: &[Feature] = &[$(Feature::$variant),*];

            /// The proposal's name, in lower case with hyphens.
            pub fn name(self) -> &'static str {
                match self {
                    $(Feature::$variant => $name,)*
                }
            }

            const fn is_default(self) -> bool {
                match self {
                    $(Feature::$variant => $default,)*
                }
            }
        }
    };
}

features! {
    /// Globals that are imported or exported can be mutable.
    MutableGlobal = 0, "mutable-global", true;
    /// `i32.trunc_sat_f32_s` and its kin.
    SaturatingFloatToInt = 1, "saturating-float-to-int", true;
    /// `i32.extend8_s` and its kin.
    SignExtension = 2, "sign-extension", true;
    /// Functions and blocks with several results, blocks with parameters.
    MultiValue = 3, "multi-value", true;
    /// `externref`, several tables, table instructions.
    ReferenceTypes = 4, "reference-types", true;
    /// `memory.copy`, passive segments and their kin.
    BulkMemory = 5, "bulk-memory", true;
    /// 128-bit vectors.
    Simd = 6, "simd", true;
    /// Arithmetic in constant expressions.
    ExtendedConst = 7, "extended-const", true;
    /// More than one memory.
    MultiMemory = 8, "multi-memory", true;
    /// `return_call` and `return_call_indirect`.
    TailCall = 9, "tail-call", true;
    /// References to functions of one type, references that are never null.
    FunctionReferences = 10, "function-references", true;
    /// Structs, arrays and their kin, which the engine frees.
    Gc = 11, "gc", true;
    /// `try_table`, `throw` and `throw_ref`.
    Exceptions = 12, "exceptions", true;
    /// `try`, `catch` and their kin, as exceptions were before they became part of the standard.
    LegacyExceptions = 13, "legacy-exceptions", true;
    /// Memories and tables with 64-bit addresses.
    Memory64 = 14, "memory64", true;
    /// Vector instructions whose results may depend on the machine.
    RelaxedSimd = 15, "relaxed-simd", true;
    /// Shared memories and atomic instructions.
    Threads = 16, "threads", true;
    /// 128-bit additions, subtractions and products.
    WideArithmetic = 17, "wide-arithmetic", true;
    /// Memories with pages of one byte.
    CustomPageSizes = 18, "custom-page-sizes", true;
    /// The section that says which way a branch is likely to go.
    BranchHinting = 19, "branch-hinting", true;
}

impl Feature {
    /// The feature of this name; underscores count as hyphens.
    pub fn from_name(name: &str) -> Option<Feature> {
        let name = name.replace('_', "-");
        Feature::ALL.iter().copied().find(|feature| feature.name() == name)
    }
}

/// A set of features.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Features(u32);

impl Features {
    /// No feature: WebAssembly as it was in its first version.
    pub const NONE: Features = Features(0);

    /// Whether `feature` is in the set.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u8) != 0
    }

    /// Puts `feature` into the set or takes it out.
    pub fn set(&mut self, feature: Feature, on: bool) {
        if on {
            self.0 |= 1 << feature as u8;
        } else {
            self.0 &= !(1 << feature as u8);
        }
    }

    /// The features in the set.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.iter().copied().filter(move |feature| self.has(*feature))
    }

    /// The set as bits, one for each feature's number.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for Features {
    fn default() -> Features {
        let mut features = Features::NONE;
        for &feature in Feature::ALL {
            features.set(feature, feature.is_default());
        }
        features
    }
}

impl std::fmt::Debug for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(Feature::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_feature() {
        for &feature in Feature::ALL {
            assert_eq!(Feature::from_name(feature.name()), Some(feature));
        }
        assert_eq!(Feature::from_name("bulk_memory"), Some(Feature::BulkMemory));
        assert_eq!(Feature::from_name("teleportation"), None);
    }

    #[test]
    fn sets_remember() {
        let mut features = Features::default();
        let count = features.iter().count();
        assert!(features.has(Feature::Simd));
        features.set(Feature::Simd, false);
        assert!(!features.has(Feature::Simd) && features.has(Feature::TailCall));
        assert_eq!(features.iter().count(), count - 1);
    }
}
