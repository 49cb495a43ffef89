//! Why execution stops: one row a trap.

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $message:literal;)*) => {
        /// The reason for a trap that the runtime raises.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum TrapCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl TrapCode {
            /// Every trap code, in order of their numbers.
            pub const ALL: &[TrapCode] = &[$(TrapCode::$name),*];

            /// The message, in the words of the specification's test suite where it has any.
            pub fn message(self) -> &'static str {
                match self {
                    $(TrapCode::$name => $message,)*
                }
            }

            /// The trap code whose number is `code`.
            pub fn from_code(code: u8) -> Option<TrapCode> {
                match code {
                    $($code => Some(TrapCode::$name),)*
                    _ => None,
                }
            }
        }
    };
}

traps! {
    /// The `unreachable` instruction.
    Unreachable = 1, "unreachable";
    /// A load, store or bulk operation outside a memory.
    MemoryOutOfBounds = 2, "out of bounds memory access";
    /// A table instruction outside a table.
    TableOutOfBounds = 3, "out of bounds table access";
    /// An indirect call with an index outside the table.
    UndefinedElement = 4, "undefined element";
    /// An indirect call of a null element.
    UninitializedElement = 5, "uninitialized element";
    /// An indirect call of a function of another type.
    IndirectCallTypeMismatch = 6, "indirect call type mismatch";
    /// An integer division or remainder by zero.
    IntegerDivideByZero = 7, "integer divide by zero";
    /// A quotient or a converted float that its type cannot hold.
    IntegerOverflow = 8, "integer overflow";
    /// A conversion of NaN to an integer.
    InvalidConversionToInteger = 9, "invalid conversion to integer";
    /// More stack needed than there is.
    StackOverflow = 10, "call stack exhausted";
    /// Another thread has asked for the end.
    Interrupt = 11, "interrupt";
    /// The store's deadline has passed.
    DeadlineExceeded = 12, "deadline exceeded";
    /// The store's fuel is used up.
    OutOfFuel = 13, "out of fuel";
    /// An atomic instruction at an address that is no multiple of its access's size.
    UnalignedAtomic = 14, "unaligned atomic";
    /// Waiting on a memory that no other thread can have.
    ExpectedSharedMemory = 15, "expected shared memory";
    /// Null where something has to be referred to.
    NullReference = 16, "null reference";
    /// A cast of a reference to a type that it is not of.
    CastFailure = 17, "cast failure";
    /// An array instruction outside an array.
    ArrayOutOfBounds = 18, "out of bounds array access";
    /// No room for another object on the store's heap.
    HeapExhausted = 19, "garbage-collected heap exhausted";
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_their_traps() {
        for &trap in TrapCode::ALL {
            assert_eq!(TrapCode::from_code(trap as u8), Some(trap));
        }
        assert_eq!(TrapCode::from_code(0), None);
    }
}
