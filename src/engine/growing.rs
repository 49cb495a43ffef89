//! Code of a module that grows: functions get their code when they are called, or ahead of that, and
//! better code when they run often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::{io, mem};

use super::Compilation;
use super::ahead::Turn;
use super::module::Inner;
use super::tiers::{compile, source};
use crate::abi::code::{CompiledFunction, Tier};
use crate::abi::layout::MemoryStyle;
use crate::compile::Scratch;
use crate::vm;
use crate::vm::code::{CodeSpace, Demand, Patience, Place};
use crate::vm::enter::Cause;
use crate::vm::fork;
use crate::wasm::DefinedFuncIndex;

/// A function to compile, and how.
pub(super) type Job = (DefinedFuncIndex, Tier);

/// Loops of a function in which optimized code can take over.
const MOST_LOOPS: usize = 4;

/// Code of a module that grows.
pub(super) struct Growing {
    module: Weak<Inner>,
    style: MemoryStyle,
    making: Mutex<Making>,
}

/// What threads are compiling.
struct Making {
    jobs: Vec<Job>,
    /// Threads to wake when something is not being made any more.
    waiting: Vec<Thread>,
    /// See [`fork::generation`]: who was compiling before a fork is not in the child.
    generation: u64,
}

/// The right, and the duty, to do a job: nobody else does.
struct Claim<'a> {
    growing: &'a Growing,
    job: Job,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let waiting = fork::inside(|| {
            let mut making = self.growing.lock();
            making.jobs.retain(|job| *job != self.job);
            mem::take(&mut making.waiting)
        });
        waiting.iter().for_each(Thread::unpark);
    }
}

impl Growing {
    /// To be called [inside](fork::inside): a forked child would find the lock taken for ever.
    fn lock(&self) -> MutexGuard<'_, Making> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if making.generation != fork::generation() {
            making.generation = fork::generation();
            making.jobs.clear();
            making.waiting.clear();
        }
        making
    }

    /// The claim to do a job; none if somebody else has it.
    fn claim(&self, job: Job) -> Option<Claim<'_>> {
        fork::inside(|| {
            let mut making = self.lock();
            if making.jobs.contains(&job) {
                return None;
            }
            making.jobs.push(job);
            Some(Claim { growing: self, job })
        })
    }

    /// Waits while somebody else does the job.
    fn wait(&self, job: Job) {
        let is_being_made = || {
            let mut making = self.lock();
            let found = making.jobs.contains(&job);
            if found {
                making.waiting.push(thread::current());
            }
            found
        };
        while fork::inside(is_being_made) {
            thread::park();
        }
    }

    /// How a function is compiled first.
    fn first_tier(&self, module: &Inner, code: &CodeSpace) -> Tier {
        let tiers = module.engine.config().tier_up_after != 0 && code.can_tier_up();
        if tiers { Tier::Baseline } else { Tier::Optimized }
    }

    /// The function's code, compiled if there is none.
    fn demand(
        self: &Arc<Self>,
        module: &Inner,
        code: &CodeSpace,
        func: DefinedFuncIndex,
    ) -> Result<*const u8, Cause> {
        let job = (func, self.first_tier(module, code));
        loop {
            if let Some(published) = code.published(func) {
                return Ok(published);
            }
            let Some(claim) = self.claim(job) else {
                self.wait(job);
                continue;
            };
            if code.published(func).is_some() {
                continue;
            }
            self.compile_callees_later(module, code, job);
            self.compile_here(module, code, job)?;
            drop(claim);
            return Ok(code.published(func).expect("it has just been published"));
        }
    }

    /// Does a job that this thread has claimed.
    fn compile_here(&self, module: &Inner, code: &CodeSpace, job: Job) -> Result<(), Cause> {
        let compiled = module
            .engine
            .ahead()
            .compile_here(|scratch| compile(module, self.style, scratch, job))
            .map_err(|error| Cause::Internal(format!("no memory to compile: {error}")))?;
        let function = compiled.map_err(Cause::Internal)?;
        publish(code, job.0, function)
            .map_err(|error| Cause::Internal(format!("no memory for code: {error}")))
    }

    /// Has workers compile what the function, which is going to be compiled, is likely to call.
    fn compile_callees_later(
        self: &Arc<Self>,
        module: &Inner,
        code: &CodeSpace,
        (func, tier): Job,
    ) {
        if module.engine.config().compilation != Compilation::Lazy {
            let mut callees = crate::compile::callees(&source(module, self.style), func);
            callees.retain(|callee| code.published(*callee).is_none());
            let jobs: Vec<Job> = callees.into_iter().map(|callee| (callee, tier)).collect();
            module.engine.ahead().compile_later(self, &jobs, Turn::Next);
        }
    }

    /// Better code of a function that runs often. Unless it is needed now, workers make it.
    fn tier_up(
        self: &Arc<Self>,
        module: &Inner,
        code: &CodeSpace,
        func: DefinedFuncIndex,
        place: Place,
        now: bool,
    ) -> Option<*const u8> {
        let (found, loops) = fork::inside(|| code.better(func, place));
        if found.is_some() && (place.is_none() || code.is_optimized(func)) {
            return found;
        }
        // Code that takes over in a loop again belongs to a function that is called again.
        let tier = match place {
            Some(place) if found.is_none() => Tier::Loop(place),
            _ => Tier::Optimized,
        };
        code.set_patience(func, Patience::Long);
        if matches!(tier, Tier::Loop(_)) && loops >= MOST_LOOPS {
            return None;
        }
        let job = (func, tier);
        let may_wait = !now && module.engine.config().compilation != Compilation::Lazy;
        if may_wait && module.engine.ahead().compile_later(self, &[job], Turn::Last) {
            return found;
        }
        let Some(_claim) = self.claim(job) else { return found };
        if !self.is_done(code, job) && self.compile_here(module, code, job).is_err() {
            code.set_patience(func, Patience::Endless);
        }
        found.or_else(|| fork::inside(|| code.better(func, place)).0)
    }

    fn is_done(&self, code: &CodeSpace, (func, tier): Job) -> bool {
        match tier {
            Tier::Baseline => code.published(func).is_some(),
            Tier::Optimized => code.is_optimized(func),
            Tier::Loop(place) => fork::inside(|| code.better(func, Some(place))).0.is_some(),
        }
    }

    /// Compiles a function that may be called soon, or that runs often. If that fails, whoever calls
    /// it will be told.
    pub(super) fn compile_ahead(&self, scratch: &mut Scratch, job: Job) {
        let Some(module) = self.module.upgrade() else { return };
        if let Some(code) = module.tiers.made(self.style)
            && !self.is_done(code, job)
            && let Some(_claim) = self.claim(job)
            && !self.is_done(code, job)
        {
            let compiled = compile(&module, self.style, scratch, job);
            let done = compiled.is_ok_and(|function| publish(code, job.0, function).is_ok());
            if !done && job.1 != Tier::Baseline {
                // Asking again would have the same compiled again, for nothing.
                code.set_patience(job.0, Patience::Endless);
            }
        }
        // The embedder may have dropped it meanwhile; then it goes here.
        fork::inside(|| drop(module));
    }
}

fn publish(code: &CodeSpace, func: DefinedFuncIndex, function: CompiledFunction) -> io::Result<()> {
    fork::inside(|| code.publish(func, function))
}

/// The hook by which `vm` asks for a function's code.
pub(super) struct Hook(Arc<Growing>);

impl Hook {
    /// To compile what the module's code for memories of this style lacks.
    pub(super) fn new(module: &Arc<Inner>, style: MemoryStyle) -> Hook {
        let making = Mutex::new(Making {
            generation: fork::generation(),
            jobs: Vec::new(),
            waiting: Vec::new(),
        });
        Hook(Arc::new(Growing { module: Arc::downgrade(module), style, making }))
    }

    /// Does what asks for code of the module. A handler of the embedder's must not leave by `longjmp`
    /// while something is claimed.
    fn with<T>(&self, ask: impl FnOnce(&Arc<Growing>, &Inner, &CodeSpace) -> T) -> T {
        let growing = &self.0;
        let module = growing.module.upgrade().expect("a module lives as long as its code runs");
        let code = module.tiers.made(growing.style);
        let code = code.expect("code that runs has been put in its place");
        vm::without_signals(|| ask(growing, &module, code))
    }
}

impl Demand for Hook {
    fn demand(&self, func: DefinedFuncIndex) -> Result<*const u8, Cause> {
        self.with(|growing, module, code| growing.demand(module, code, func))
    }

    fn tier_up(&self, func: DefinedFuncIndex, place: Place, now: bool) -> Option<*const u8> {
        self.with(|growing, module, code| growing.tier_up(module, code, func, place, now))
    }
}
