//! What a program may use.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tenon::{Error, Store, StoreLimits};

use crate::EngineArgs;

/// What a program may use. Without these, there is no limit.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Bytes that the program's memories may have together, as in 64M.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_memory: Option<u64>,
    /// End the program after this time: seconds, or a number with ms, s, m or h.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub timeout: Option<Duration>,
    /// End the program when it has executed about this many instructions.
    #[arg(long, value_name = "AMOUNT")]
    pub fuel: Option<u64>,
}

impl Limits {
    /// The engine's settings as these limits need them.
    pub fn with(&self, engine: &EngineArgs) -> EngineArgs {
        EngineArgs {
            interruptible: engine.interruptible || self.timeout.is_some(),
            metered: engine.metered || self.fuel.is_some(),
            ..engine.clone()
        }
    }

    /// Sets the limits of what runs in the store; the time begins now.
    pub fn set(&self, store: &Store) -> Result<(), Error> {
        if let Some(memory) = self.max_memory {
            store.set_limits(StoreLimits { memory, ..StoreLimits::default() });
        }
        if store.has_fuel() {
            store.set_fuel(self.fuel.unwrap_or(i64::MAX as u64))?;
        }
        match self.timeout {
            Some(time) => store.set_deadline(Some(time)),
            None => Ok(()),
        }
    }
}

/// Reads a number of bytes, which may end in `K`, `M`, `G` or `T` for powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let unit = units.into_iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, bits)));
    let (digits, bits) = unit.unwrap_or((text, 0));
    let size = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << bits));
    size.ok_or_else(|| "a size is a number of bytes, or one with K, M, G or T".to_owned())
}

/// Reads a time: a number of seconds, or of what stands behind it.
fn parse_time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let unit = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = unit.unwrap_or((text, 1.0));
    let seconds = number.parse::<f64>().ok().map(|number| number * unit);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a time is a number of seconds, or one with ms, s, m or h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("65536"), Ok(65536));
        assert_eq!(parse_size("3K"), Ok(3 << 10));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
        for wrong in ["", "M", "-1", "1.5M", "1MB", "99999999T"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_time("2"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_time("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("20ms"), Ok(Duration::from_millis(20)));
        assert_eq!(parse_time("1.5h"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "s", "-1", "inf", "NaN", "1d", "1e400"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }
}
