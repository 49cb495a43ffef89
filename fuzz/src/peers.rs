//! The engines that a campaign has, and how a case is judged with them.

use crate::bytes::{self, Corpus};
use crate::case::Case;
use crate::engines::Engine;
use crate::engines::library::Library;
use crate::engines::tenon::{InMode, LITTLE, MODES, Tenon};
use crate::engines::wasmi::Interpreter;
use crate::engines::wasmtime::Wasmtime;
use crate::generate::Features;
use crate::options::{Against, Options};
use crate::outcome::{OUTVOTED, Outcome, Verdict, compare};
use crate::rng::Rng;

/// Cases after which engines are made anew: they keep types for as long as they live.
const CASES_OF_AN_ENGINE: u32 = 200;

pub struct Peers<'a> {
    tenon: &'a Tenon,
    on: Vec<String>,
    against: Against,
    features: Features,
    wasmtime_library: Option<Library>,
    cases: u32,
    modes: Vec<InMode<'a>>,
    /// The modes in which bytes of any kind are tried.
    little: Vec<InMode<'a>>,
    corpus: Corpus,
    wasmi: Interpreter,
    wasmtime: Option<Wasmtime>,
}

/// Who Tenon is compared with in a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Other {
    Wasmi,
    Wasmtime,
    Modes,
}

impl<'a> Peers<'a> {
    pub fn new(tenon: &'a Tenon, options: &Options) -> Result<Peers<'a>, String> {
        let wasmtime_library = options.wasmtime.as_deref().map(Library::open).transpose()?;
        let mut peers = Peers {
            tenon,
            on: options.on.clone(),
            against: options.against,
            features: tenon.features(&options.on)?,
            wasmtime_library,
            cases: 0,
            modes: Vec::new(),
            little: Vec::new(),
            corpus: Corpus::read(&options.corpus)?,
            wasmi: Interpreter::new(),
            wasmtime: None,
        };
        peers.renew()?;
        Ok(peers)
    }

    fn renew(&mut self) -> Result<(), String> {
        self.modes.clear();
        for mode in MODES {
            self.modes.push(self.tenon.engine(mode, &self.on)?);
        }
        self.little.clear();
        for mode in LITTLE {
            self.little.push(self.tenon.engine(mode, &self.on)?);
        }
        self.wasmi = Interpreter::new();
        self.wasmtime = self.wasmtime_library.map(Wasmtime::open).transpose()?;
        Ok(())
    }

    /// Who the case of a seed is compared with.
    fn other(&self, seed: u64) -> Other {
        match (self.against, &self.wasmtime) {
            (Against::Modes | Against::Bytes, _) => Other::Modes,
            (Against::Others, Some(_)) if !seed.is_multiple_of(3) => Other::Wasmtime,
            _ => Other::Wasmi,
        }
    }

    /// What Tenon has.
    pub fn all_features(&self) -> Features {
        self.features
    }

    /// The features that the module of a seed may have.
    pub fn features(&self, seed: u64) -> Features {
        match self.other(seed) {
            Other::Wasmi => self.features.and(Features::WASMI),
            Other::Wasmtime | Other::Modes => self.features,
        }
    }

    /// The changed bytes of a seed, when bytes are what is tried.
    pub fn mutant(&self, seed: u64) -> Option<Vec<u8>> {
        (self.against == Against::Bytes).then(|| self.corpus.mutant(seed, self.features))
    }

    /// Tries the changed bytes of a seed.
    pub fn judge_bytes(&mut self, wasm: &[u8], seed: u64) -> Result<Verdict, String> {
        self.count()?;
        Ok(bytes::judge(wasm, seed, &mut self.little.iter_mut().collect::<Vec<_>>()))
    }

    fn count(&mut self) -> Result<(), String> {
        self.cases += 1;
        if self.cases.is_multiple_of(CASES_OF_AN_ENGINE) { self.renew() } else { Ok(()) }
    }

    /// Runs a case on Tenon and on who it is compared with.
    pub fn judge(&mut self, case: &Case, seed: u64) -> Result<Verdict, String> {
        self.count()?;
        let other = self.other(seed);
        if other == Other::Modes {
            return Ok(self.judge_modes(case));
        }
        let mode = Rng::new(!seed).below(MODES.len() as u64) as usize;
        let ours = case.run(&mut self.modes[mode]);
        let theirs = match (other, &mut self.wasmtime) {
            (Other::Wasmtime, Some(wasmtime)) => case.run(wasmtime),
            _ => case.run(&mut self.wasmi),
        };
        let verdict = compare(&ours, &theirs);
        // Wasmtime has all that Wasmi has.
        if let (Verdict::Different(_), Other::Wasmi, Some(third)) =
            (&verdict, other, &mut self.wasmtime)
            && let Verdict::Same(_) = compare(&ours, &case.run(third))
        {
            return Ok(Verdict::Allowed(OUTVOTED));
        }
        Ok(match verdict {
            Verdict::Different(text) => {
                Verdict::Different(format!("in the mode '{}', {text}", MODES[mode].name))
            }
            verdict => verdict,
        })
    }

    /// Runs a case in all modes of Tenon.
    pub fn judge_modes(&mut self, case: &Case) -> Verdict {
        let mut first: Option<Outcome> = None;
        let mut verdict = Verdict::Same(0);
        for (mode, engine) in MODES.iter().zip(&mut self.modes) {
            let outcome = case.run(engine);
            match &first {
                None => first = Some(outcome),
                Some(first) => match compare(&outcome, first) {
                    Verdict::Different(text) => {
                        return Verdict::Different(format!("in the mode '{}', {text}", mode.name));
                    }
                    other => verdict = other,
                },
            }
        }
        verdict
    }

    /// What every engine shows of a case, for people.
    pub fn show(&mut self, case: &Case) {
        let mut engines: Vec<&mut dyn Engine> = Vec::new();
        engines.extend(self.modes.iter_mut().map(|engine| engine as &mut dyn Engine));
        engines.push(&mut self.wasmi);
        engines.extend(self.wasmtime.as_mut().map(|engine| engine as &mut dyn Engine));
        let mut last = None;
        for engine in engines {
            let outcome = case.run(engine);
            println!("== {}", engine.name());
            if last.as_ref() == Some(&outcome) {
                println!("   the same");
            } else {
                outcome.iter().for_each(|seen| println!("   {seen:?}"));
            }
            last = Some(outcome);
        }
    }
}
