//! `tenon completions` and `tenon man`: what an installation puts beside the program.

use std::fs::create_dir_all;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{Cli, Failure, print};

/// Print a script that completes commands and options in a shell.
#[derive(Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "tenon", &mut script);
        print(script)
    }
}

/// Write the manual pages into a directory.
#[derive(Args)]
pub struct Man {
    /// The directory; it is made if it is not there.
    dir: PathBuf,
}

impl Man {
    pub fn run(self) -> Result<(), Failure> {
        let written = create_dir_all(&self.dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.dir));
        written.map_err(|error| Failure::at(&self.dir, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }
}
