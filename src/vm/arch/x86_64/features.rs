//! What the processor can do.
//!
//! Glibc has asked for that when the process began, and knows what of it the system supports. To ask
//! again takes a virtual machine 12 µs for each question, of which there are seven: as long as all
//! else that makes an engine.

use std::mem::transmute;
use std::sync::LazyLock;

/// `struct cpuid_feature` of `sys/platform/x86.h`.
#[repr(C)]
struct Leaf {
    /// What the processor reports in EAX, EBX, ECX and EDX.
    _cpuid: [u32; 4],
    /// What of it can be used.
    active: [u32; 4],
}

/// Glibc's numbers for leaves: 1, 7, 0x80000001, and the second of 7.
const LEAF_1: u32 = 0;
const LEAF_7: u32 = 1;
const LEAF_80000001: u32 = 2;
const LEAF_7_1: u32 = 6;

const EAX: usize = 0;
const EBX: usize = 1;
const ECX: usize = 2;

/// Where the features stand: Intel's manual, volume 2, CPUID. They are named as Cranelift does.
const FEATURES: [(&str, u32, usize, u32); 19] = [
    ("has_sse3", LEAF_1, ECX, 0),
    ("has_ssse3", LEAF_1, ECX, 9),
    ("has_fma", LEAF_1, ECX, 12),
    ("has_cmpxchg16b", LEAF_1, ECX, 13),
    ("has_sse41", LEAF_1, ECX, 19),
    ("has_sse42", LEAF_1, ECX, 20),
    ("has_popcnt", LEAF_1, ECX, 23),
    ("has_avx", LEAF_1, ECX, 28),
    ("has_bmi1", LEAF_7, EBX, 3),
    ("has_avx2", LEAF_7, EBX, 5),
    ("has_bmi2", LEAF_7, EBX, 8),
    ("has_avx512f", LEAF_7, EBX, 16),
    ("has_avx512dq", LEAF_7, EBX, 17),
    ("has_avx512vl", LEAF_7, EBX, 31),
    ("has_avx512vbmi", LEAF_7, ECX, 1),
    ("has_avx512vnni", LEAF_7, ECX, 11),
    ("has_avx512bitalg", LEAF_7, ECX, 12),
    ("has_lzcnt", LEAF_80000001, ECX, 5),
    ("has_avx_vnni", LEAF_7_1, EAX, 4),
];

/// The features that code can use, if the C library tells: glibc 2.33 and later.
pub fn features() -> Option<Vec<&'static str>> {
    type GetLeaf = unsafe extern "C" fn(u32) -> *const Leaf;
    // SAFETY: the name is a C string; what has it is declared so by glibc, and nobody else's, by the
    // underscores.
    let get_leaf: GetLeaf = unsafe {
        let found = libc::dlsym(libc::RTLD_DEFAULT, c"__x86_get_cpuid_feature_leaf".as_ptr());
        if found.is_null() {
            return None;
        }
        transmute(found)
    };
    let is_there = |(_, leaf, register, bit): &(&str, u32, usize, u32)| {
        // SAFETY: the result always is a leaf; one that glibc does not know is of zeros.
        let leaf = unsafe { &*get_leaf(*leaf) };
        leaf.active[*register] >> bit & 1 != 0
    };
    Some(FEATURES.iter().filter(|f| is_there(f)).map(|(name, ..)| *name).collect())
}

/// Whether there are vectors of 32 bytes with integers.
pub fn has_avx2() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| match features() {
        Some(known) => known.contains(&"has_avx2"),
        None => std::arch::is_x86_feature_detected!("avx2"),
    });
    *ANSWER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_that_the_processor_tells() {
        macro_rules! is_there {
            ($($name:literal $by:tt,)*) => {
                [$(($name, std::arch::is_x86_feature_detected!($by))),*]
            };
        }
        let told = is_there! {
            "has_sse3" "sse3", "has_ssse3" "ssse3", "has_fma" "fma",
            "has_cmpxchg16b" "cmpxchg16b", "has_sse41" "sse4.1", "has_sse42" "sse4.2",
            "has_popcnt" "popcnt", "has_avx" "avx", "has_bmi1" "bmi1", "has_avx2" "avx2",
            "has_bmi2" "bmi2", "has_avx512f" "avx512f", "has_avx512dq" "avx512dq",
            "has_avx512vl" "avx512vl", "has_avx512vbmi" "avx512vbmi",
            "has_avx512vnni" "avx512vnni", "has_avx512bitalg" "avx512bitalg",
            "has_lzcnt" "lzcnt", "has_avx_vnni" "avxvnni",
        };
        let told = told.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name);
        let told = told.collect::<Vec<_>>();
        assert_eq!(has_avx2(), told.contains(&"has_avx2"));
        assert!(features().is_none_or(|known| known == told));
    }
}
