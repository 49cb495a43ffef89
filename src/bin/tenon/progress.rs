//! How far compilation is, for who waits at a terminal.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tenon::Config;

/// Compilation that takes less is over before anybody could read a bar.
const PATIENCE: Duration = Duration::from_millis(300);
/// The variable that says `always` for a bar from the start, or `never` for none.
const VARIABLE: &str = "TENON_PROGRESS";

/// A bar on standard error; if that is no terminal, nothing. It is gone when this is dropped.
pub struct Progress {
    bar: Arc<OnceLock<ProgressBar>>,
}

impl Progress {
    /// Watches what engines with these settings compile.
    pub fn watch(config: &mut Config) -> Progress {
        let bar = Arc::new(OnceLock::new());
        let patience = match std::env::var(VARIABLE).as_deref() {
            Ok("always") => Some(Duration::ZERO),
            Ok("never") => None,
            _ => Some(PATIENCE),
        };
        if let Some(patience) = patience.filter(|_| stderr().is_terminal()) {
            let (shown, furthest, begin) = (bar.clone(), AtomicU64::new(0), Instant::now());
            config.on_progress(move |done, all| {
                // Reports may overtake each other; the bar never goes back.
                let done = done as u64;
                let furthest = furthest.fetch_max(done, Ordering::Relaxed).max(done);
                if begin.elapsed() >= patience {
                    shown.get_or_init(|| new_bar(all as u64)).set_position(furthest);
                }
            });
        }
        Progress { bar }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(functions: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(functions), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("compiling [{bar:40}] {pos} of {len} functions");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bar.with_style(style.progress_chars("=> "));
    bar.tick();
    bar
}
