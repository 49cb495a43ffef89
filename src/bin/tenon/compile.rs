//! `tenon compile`: compiles ahead of time.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use tenon::ExternType;

use crate::cache::Cache;
use crate::grants::Grants;
use crate::limits::Limits;
use crate::package::PackageArgs;
use crate::program::{provided, refuse_unknown};
use crate::source::Source;
use crate::standalone::{self, Settings};
use crate::{EngineArgs, Failure};

const EXAMPLES: &str = "\
Examples:
  tenon compile program.wasm                     program.tenon, for `tenon run`
  tenon compile --exe program.wasm -o app        an executable
  tenon compile --exe --dir data --env A=1 program.wasm -o app -- --verbose
                                                 what app gets whenever it is run";

/// Compile a module ahead of time, to a file for `tenon run` or to an executable.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Compile {
    /// Make an executable: this program with the compiled module in it. It takes no options; all
    /// arguments are the program's.
    #[arg(long)]
    exe: bool,
    /// Where to write it; by default beside the module, as .tenon, or without an extension if it
    /// is an executable.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The module (.wasm, .wat), or a package with one.
    file: PathBuf,
    /// With --exe: arguments that the program always gets, before those of who runs it.
    #[arg(last = true)]
    args: Vec<String>,
    #[command(flatten)]
    grants: Grants,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    packages: PackageArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Compile {
    pub fn run(self) -> Result<(), Failure> {
        let source = Source::open(&self.file, &self.packages)?;
        let output = self.output()?;
        let (engine, progress) = self.limits.with(&self.engine).engine_with_progress()?;
        let module = source.module(&engine, &Cache::none())?;
        drop(progress);
        let bytes = module.serialize()?;
        if !self.exe {
            return put(&output, 0o666, |out| out.write_all(&bytes));
        }
        let is_start =
            |name: &str, ty: &ExternType| name == "_start" && matches!(ty, ExternType::Func(_));
        if !module.exports().any(|export| is_start(export.name, &export.ty)) {
            let message = "the module exports no function named `_start`, so it is no program";
            return Err(Failure::at(&self.file, message));
        }
        refuse_unknown(&provided(&engine, &module)?, &module)?;
        let settings = self.settings(source)?;
        put(&output, 0o777, |out| standalone::write(out, &settings, &bytes))
    }

    /// Where the output goes.
    fn output(&self) -> Result<PathBuf, Failure> {
        let given = !self.args.is_empty()
            || self.grants != Grants::default()
            || self.limits != Limits::default();
        if given && !self.exe {
            let message = "arguments, limits and what a program is given need --exe; `tenon run` takes \
                           them for compiled files";
            return Err(Failure::from(message.to_owned()));
        }
        let beside = self.file.with_extension(if self.exe { "" } else { "tenon" });
        let output = self.output.clone().unwrap_or(beside);
        let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
        if output.is_dir() || same(&output, &self.file) {
            let message = "the output would replace this; name it with --output";
            return Err(Failure::at(&output, message));
        }
        Ok(output)
    }

    /// What an executable is run with.
    fn settings(self, source: Source) -> Result<Settings, Failure> {
        if !source.grants.dirs.is_empty() {
            let message = "the package has directories, which an executable cannot contain";
            return Err(Failure::at(&self.file, message));
        }
        let packed = source.args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
        let args = packed.chain(self.args).collect();
        let engine = self.limits.with(&self.engine);
        let grants = self.grants.over(source.grants);
        Ok(Settings { engine, grants, limits: self.limits, args })
    }
}

/// Writes a file, whole or not at all.
fn put(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let written = (|| {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(&unfinished)?;
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        std::fs::rename(&unfinished, path)
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&unfinished);
        Failure::at(path, error)
    })
}
