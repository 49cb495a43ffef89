//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub const USAGE: &str = "\
usage: tenon-fuzz COMMAND --tenon LIBRARY [OPTION]…

commands:
  run          generate modules and compare, on all cores
  seed N       one module, by its seed
  file PATH    one module, from a file
  sizes        compile modules of growing size, and measure

options:
  --tenon PATH       the library to test
  --wasmtime PATH    Wasmtime's library; without it, Wasmi is the only other engine
  --against WHAT     others (the default): other engines; modes: Tenon in all its modes; bytes:
                     modules and compiled modules with some bytes changed
  --corpus DIR       modules to change bytes of, beside generated ones
  --on FEATURE       switch a feature of Tenon on that is off by default
  --seed N           the first seed (1)
  --count N          how many modules (1000)
  --jobs N           how many processes (the number of cores)
  --out DIR          where modules that fail are written (failures)";

pub struct Options {
    pub command: Command,
    pub tenon: PathBuf,
    pub wasmtime: Option<PathBuf>,
    pub against: Against,
    pub corpus: Vec<PathBuf>,
    pub on: Vec<String>,
    pub seed: u64,
    pub count: u64,
    pub jobs: usize,
    pub out: PathBuf,
}

pub enum Command {
    Run,
    /// What `run` starts: cases of the seeds, reported line by line.
    Worker,
    Seed(u64),
    File(PathBuf),
    Sizes,
    /// One of those of `sizes`: its shape and its size.
    Size(usize, u32),
    /// Runs the case of a seed on Tenon only.
    Alone(u64),
    /// Writes the module of a seed to a file.
    Write(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Against {
    Others,
    Modes,
    Bytes,
}

impl Against {
    fn name(self) -> &'static str {
        match self {
            Against::Others => "others",
            Against::Modes => "modes",
            Against::Bytes => "bytes",
        }
    }
}

impl Options {
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut args = args;
        let mut next = |what: &str| args.next().ok_or_else(|| format!("{what} is missing"));
        let command = match &*next("the command")? {
            "run" => Command::Run,
            "worker" => Command::Worker,
            "seed" => Command::Seed(number(&next("the seed")?)?),
            "file" => Command::File(next("the file")?.into()),
            "sizes" => Command::Sizes,
            "size" => {
                let shape = number(&next("the shape")?)? as usize;
                Command::Size(shape, number(&next("the size")?)? as u32)
            }
            "alone" => Command::Alone(number(&next("the seed")?)?),
            "write" => Command::Write(number(&next("the seed")?)?),
            other => return Err(format!("there is no command '{other}'")),
        };
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let mut options = Options {
            command,
            tenon: PathBuf::new(),
            wasmtime: None,
            against: Against::Others,
            corpus: Vec::new(),
            on: Vec::new(),
            seed: 1,
            count: 1000,
            jobs: cores,
            out: "failures".into(),
        };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} has no value"))?;
            match &*name {
                "--tenon" => options.tenon = value.into(),
                "--wasmtime" => options.wasmtime = Some(value.into()),
                "--against" => options.against = against(&value)?,
                "--corpus" => options.corpus.push(value.into()),
                "--on" => options.on.push(value),
                "--seed" => options.seed = number(&value)?,
                "--count" => options.count = number(&value)?,
                "--jobs" => options.jobs = number(&value)?.max(1) as usize,
                "--out" => options.out = value.into(),
                _ => return Err(format!("there is no option '{name}'")),
            }
        }
        if options.tenon.as_os_str().is_empty() {
            return Err("--tenon is missing".to_owned());
        }
        Ok(options)
    }

    /// The arguments for a process that works on these seeds.
    pub fn for_worker(&self, seed: u64, count: u64) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["worker".into()];
        args.extend(self.for_same());
        args.extend(["--seed".into(), seed.to_string().into()]);
        args.extend(["--count".into(), count.to_string().into()]);
        args
    }

    /// The arguments for a process that works as this one does.
    pub fn for_same(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--tenon".into(), self.tenon.clone().into()];
        if let Some(path) = &self.wasmtime {
            args.extend(["--wasmtime".into(), path.clone().into()]);
        }
        args.extend(["--against".into(), self.against.name().into()]);
        for folder in &self.corpus {
            args.extend(["--corpus".into(), folder.into()]);
        }
        for feature in &self.on {
            args.extend(["--on".into(), feature.into()]);
        }
        args.extend(["--out".into(), self.out.clone().into()]);
        args
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{text}' is no number"))
}

fn against(text: &str) -> Result<Against, String> {
    let all = [Against::Others, Against::Modes, Against::Bytes];
    let found = all.into_iter().find(|against| against.name() == text);
    found.ok_or_else(|| format!("--against takes others, modes or bytes, not '{text}'"))
}
