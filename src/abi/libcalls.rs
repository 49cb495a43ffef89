//! The runtime functions that compiled code calls: one row each, read by both sides.
//!
//! A libcall follows the C calling convention and gets the caller's context before the arguments
//! of its row. One that traps does not return.

/// Passes every row to the macro `$m`.
macro_rules! for_each_libcall {
    ($m:ident) => {
        $m! {
            /// Grows a memory by `delta` pages; returns the pages it had, or -1.
            memory_grow(memory: I32, delta: I64) -> I64;
            /// Copies within a memory or between two.
            memory_copy(to: I32, from: I32, dst: I64, src: I64, len: I64);
            /// Fills a part of a memory with a byte.
            memory_fill(memory: I32, dst: I64, value: I32, len: I64);
            /// Copies from a data segment to a memory.
            memory_init(memory: I32, data: I32, dst: I64, src: I64, len: I64);
            /// Drops a data segment.
            data_drop(data: I32);
            /// Grows a table by `delta` elements of `value`; returns the size it had, or -1.
            table_grow(table: I32, delta: I64, value: I64) -> I64;
            /// Fills a part of a table with a reference.
            table_fill(table: I32, dst: I64, value: I64, len: I64);
            /// Copies within a table or between two.
            table_copy(to: I32, from: I32, dst: I64, src: I64, len: I64);
            /// Copies from an element segment to a table.
            table_init(table: I32, elem: I32, dst: I64, src: I64, len: I64);
            /// Drops an element segment.
            elem_drop(elem: I32);
            /// Room for an object of `size` bytes on the heap, after collecting if need be.
            heap_allocate(size: I32) -> I32;
            /// Makes an array of zeros.
            array_new(ty: I32, len: I32) -> I32;
            /// Makes an array of a part of a data segment.
            array_new_data(ty: I32, data: I32, src: I32, len: I32) -> I32;
            /// Makes an array of a part of an element segment.
            array_new_elem(ty: I32, elem: I32, src: I32, len: I32) -> I32;
            /// Fills a part of an array with a value, given in two halves.
            array_fill(array: I32, dst: I32, low: I64, high: I64, len: I32);
            /// Copies within an array or between two of the same kind of elements.
            array_copy(to: I32, dst: I32, from: I32, src: I32, len: I32);
            /// Copies from a data segment to an array.
            array_init_data(array: I32, data: I32, dst: I32, src: I32, len: I32);
            /// Copies from an element segment to an array.
            array_init_elem(array: I32, elem: I32, dst: I32, src: I32, len: I32);
            /// Wakes up to `count` of the threads that wait at an address; returns how many.
            memory_notify(memory: I32, address: I64, count: I32) -> I32;
            /// Waits for a notification, if there are these 32 bits at the address, for at most
            /// `timeout` nanoseconds if that is not negative. Returns 0 when woken, 1 when other
            /// bits are there, 2 when the time is over.
            memory_wait32(memory: I32, address: I64, expected: I32, timeout: I64) -> I32;
            /// The same with 64 bits.
            memory_wait64(memory: I32, address: I64, expected: I64, timeout: I64) -> I32;
            /// Traps with the trap code `code`.
            raise(code: I32);
            /// Traps for want of stack, before the caller has done anything.
            raise_stack_overflow();
            /// Throws an exception with the tag `tag`; what it carries lies in an array at `values`.
            throw(tag: I32, values: I64);
            /// Throws the exception that is referred to again; traps if there is none.
            throw_ref(exception: I32);
            /// Raises the error that the host function just called has left in the store.
            raise_host_error();
            /// Asks for better code of the function `func`, which runs often, for going on in the loop
            /// at this place in its body, or -1 for its beginning. Returns its address, or 0. The
            /// `size` bytes of locals at `locals` are kept in the store for the code to take.
            tier_up(func: I32, place: I32, locals: I64, size: I32) -> I64;
        }
    };
}
pub(crate) use for_each_libcall;

use super::signature::MachineType;

macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ident),*) $(-> $result:ident)?;)*) => {
        /// A runtime function that compiled code calls.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(non_camel_case_types, reason = "a row's name is also its function's name")]
        #[repr(usize)]
        pub enum Libcall {
            $($(#[$doc])* $name,)*
        }

        impl Libcall {
            /// Every libcall, in order of their numbers.
            pub const ALL: &[Libcall] = &[$(Libcall::$name),*];

            /// The types of its arguments, after the context.
            pub fn params(self) -> &'static [MachineType] {
                match self {
                    $(Libcall::$name => &[$(MachineType::$ty),*],)*
                }
            }

            /// The type of its result.
            pub fn result(self) -> Option<MachineType> {
                match self {
                    $(Libcall::$name => declare!(@result $($result)?),)*
                }
            }
        }
    };
    (@result) => { None };
    (@result $result:ident) => { Some(MachineType::$result) };
}
for_each_libcall!(declare);

/// A function of C that compiled code calls as it is, without its context and without noting where
/// wasm was left: it cannot fail and looks at no frame. Its address follows those of the libcalls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Routine {
    /// `memmove`: copies bytes; the ranges may overlap.
    Move,
    /// `memset`: writes the same byte again and again.
    Fill,
}

impl Routine {
    /// Every routine, in order of their numbers.
    pub const ALL: &[Routine] = &[Routine::Move, Routine::Fill];

    /// The types of its arguments. What it returns is not used.
    pub fn params(self) -> &'static [MachineType] {
        match self {
            Routine::Move => &[MachineType::Pointer, MachineType::Pointer, MachineType::I64],
            Routine::Fill => &[MachineType::Pointer, MachineType::I32, MachineType::I64],
        }
    }
}

/// How many addresses there are for compiled code to call: of libcalls, then of routines.
pub const ENTRIES: usize = Libcall::ALL.len() + Routine::ALL.len();
