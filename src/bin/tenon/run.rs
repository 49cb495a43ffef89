//! `tenon run`: runs a program.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cache::{Cache, CacheArgs};
use crate::grants::Grants;
use crate::limits::Limits;
use crate::package::PackageArgs;
use crate::program::Program;
use crate::source::Source;
use crate::{EngineArgs, Failure};

const EXAMPLES: &str = "\
Examples:
  tenon run program.wasm one two                 two arguments
  tenon run --dir data::/data:ro program.wasm    a directory, as /data, to read only
  tenon run --dir data --cwd data program.wasm   relative paths begin in the directory
  tenon run --stdin input.txt program.wasm       a file as standard input
  tenon run --timeout 10 --max-memory 64M program.wasm
                                                 no more than 10 seconds and 64 MiB
  tenon run --invoke add math.wat 20 22          one exported function
  tenon run --entrypoint tool package/           a command of a package

TENON_CACHE_SIZE is the number of bytes that the cache may take (1G); TENON_PROGRESS says whether
a progress bar is shown: always, never, or else on a terminal when compilation takes long.

The exit code is the program's own; 134 when a trap has ended it, 1 when it could not be run.";

/// Run a WebAssembly program.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// The program: a file (.wasm, .wat or .tenon), a package's directory or wasmer.toml, or the
    /// directory of an OCI image.
    file: PathBuf,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
    /// Call this exported function instead of the program's start, with the arguments as its
    /// parameters, and print its results.
    #[arg(long, value_name = "FUNCTION")]
    invoke: Option<String>,
    #[command(flatten)]
    grants: Grants,
    /// Let the program read its standard input from a file.
    #[arg(long, value_name = "FILE", help_heading = "What the program is given")]
    stdin: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    packages: PackageArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Run {
    pub fn run(self) -> Result<ExitCode, Failure> {
        let source = Source::open(&self.file, &self.packages)?;
        let engine = self.limits.with(&self.engine);
        let cache = Cache::new(&self.cache, &engine);
        let (engine, progress) = engine.engine_with_progress()?;
        let module = source.module(&engine, &cache)?;
        drop(progress);
        if let Some(path) = &self.stdin {
            let file = File::open(path).map_err(|error| Failure::at(path, error))?;
            rustix::stdio::dup2_stdin(file).map_err(|error| Failure::at(path, error))?;
        }
        let Source { name, mut args, grants, bytes, .. } = source;
        // The module has its own copy, and the program may run for long.
        drop(bytes);
        if self.invoke.is_some() {
            args.clear();
        }
        args.extend(self.args);
        let grants = self.grants.over(grants);
        let program = Program { module, name, args, grants, limits: self.limits };
        match &self.invoke {
            Some(name) => program.invoke(&engine, name),
            None => program.run(&engine),
        }
    }
}
