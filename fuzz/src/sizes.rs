//! Modules of one shape in growing sizes: what compiling them costs has to grow with their size.
//!
//! Each is compiled in a process of its own, whose time and memory are measured.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, InstructionSink, MemArg, MemArgTarget, MemorySection, MemoryType,
    Module, TypeSection, ValType,
};

use crate::engines::library::Library;
use crate::engines::tenon::{MODES, Tenon};
use crate::options::Options;

/// Seconds and mebibytes that any module may cost, and what it may cost beyond for each mebibyte
/// of its own.
const SECONDS: (f64, f64) = (4.0, 60.0);
const MEBIBYTES: (f64, f64) = (400.0, 1500.0);

/// Seconds of the processor after which a process is given up.
const PATIENCE: u64 = 60;

/// A shape: a name, the first size, and a function that makes a module of a size.
struct Shape {
    name: &'static str,
    first: u32,
    make: fn(u32) -> Vec<u8>,
}

/// The largest size is this many times the first.
const GROWTH: u32 = 16;

const SHAPES: [Shape; 22] = [
    Shape { name: "functions", first: 2000, make: functions },
    Shape { name: "additions", first: 10_000, make: additions },
    Shape { name: "locals", first: 3000, make: locals },
    Shape { name: "locals set in blocks", first: 200, make: locals_set_in_blocks },
    Shape { name: "locals set in loops", first: 100, make: locals_set_in_loops },
    Shape { name: "locals of vectors", first: 500, make: vector_locals },
    Shape { name: "blocks in blocks", first: 3000, make: blocks_in_blocks },
    Shape { name: "loops in loops", first: 1000, make: loops_in_loops },
    Shape { name: "ifs in ifs", first: 2000, make: ifs_in_ifs },
    Shape { name: "ifs after ifs", first: 3000, make: ifs_after_ifs },
    Shape { name: "values on the stack", first: 3000, make: values_on_the_stack },
    Shape { name: "block parameters", first: 30, make: block_parameters },
    Shape { name: "branch table", first: 4000, make: branch_table },
    Shape { name: "branch tables with values", first: 20, make: branch_tables_with_values },
    Shape { name: "branches out of blocks", first: 250, make: branches_out_of_blocks },
    Shape { name: "calls", first: 3000, make: calls },
    Shape { name: "calls with arguments", first: 50, make: calls_with_arguments },
    Shape { name: "results", first: 50, make: results },
    Shape { name: "loads", first: 5000, make: loads },
    Shape { name: "globals", first: 2000, make: globals },
    Shape { name: "divisions", first: 3000, make: divisions },
    Shape { name: "constants kept", first: 2000, make: constants_kept },
];

/// Compiles every shape in every size. Whether nothing is out of proportion.
pub fn run(options: &Options) -> Result<bool, String> {
    let (mut passed, mut failed) = (0, 0);
    println!("shape                           size     bytes   seconds       MiB");
    for (index, shape) in SHAPES.iter().enumerate() {
        let mut size = shape.first;
        while size <= shape.first * GROWTH {
            let bytes = (shape.make)(size).len();
            let (seconds, memory, outcome) = measure(options, index, size)?;
            let mebibytes = bytes as f64 / f64::from(1 << 20);
            let (time_bound, memory_bound) =
                (SECONDS.0 + SECONDS.1 * mebibytes, MEBIBYTES.0 + MEBIBYTES.1 * mebibytes);
            let fits = seconds <= time_bound && memory <= memory_bound && outcome != "given up";
            let remark = if fits { String::new() } else { " OUT OF PROPORTION".to_owned() };
            println!(
                "{:28} {size:7} {bytes:9} {seconds:9.2} {memory:9.0} {outcome}{remark}",
                shape.name
            );
            if fits {
                passed += 1
            } else {
                failed += 1
            }
            if outcome == "given up" {
                break;
            }
            size *= 4;
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// Seconds of the processor and mebibytes that it takes to compile this, and how that ends.
fn measure(options: &Options, shape: usize, size: u32) -> Result<(f64, f64, String), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.args(["size", &shape.to_string(), &size.to_string(), "--tenon"]).arg(&options.tenon);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.spawn().map_err(|e| e.to_string())?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.splitn(3, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<f64>().ok());
    match (number(), number()) {
        (Some(seconds), Some(mebibytes)) => {
            Ok((seconds, mebibytes, words.next().unwrap_or("").trim().to_owned()))
        }
        _ if output.status.signal() == Some(libc::SIGXCPU) => {
            Ok((PATIENCE as f64, 0.0, "given up".to_owned()))
        }
        _ => Ok((0.0, f64::INFINITY, output.status.to_string())),
    }
}

/// Compiles one module, and prints what it has cost.
pub fn one(options: &Options, shape: usize, size: u32) -> Result<bool, String> {
    let shape = SHAPES.get(shape).ok_or("there is no such shape")?;
    let wasm = (shape.make)(size);
    let tenon = Tenon::open(Library::open(&options.tenon)?)?;
    let mut engine = tenon.engine(MODES[0], &options.on)?;
    let limit = libc::rlimit { rlim_cur: PATIENCE, rlim_max: PATIENCE + 5 };
    // SAFETY: the limit is read, and nothing else. The signal at its end is one that kills.
    unsafe { libc::setrlimit(libc::RLIMIT_CPU, &limit) };
    let before = usage();
    let outcome = engine.compile(&wasm);
    let after = usage();
    let outcome = match outcome {
        Ok(code) => format!("{} bytes of code", code.len() - wasm.len()),
        Err(end) => format!("{end:?}"),
    };
    println!("{:.3} {:.1} {outcome}", after.0 - before.0, after.1 - before.1);
    Ok(true)
}

/// Seconds of the processor, and the most mebibytes of memory, that this process has used.
fn usage() -> (f64, f64) {
    let mut usage = std::mem::MaybeUninit::uninit();
    // SAFETY: the struct is written when the call succeeds, and it cannot fail.
    let usage: libc::rusage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss as f64 / 1024.0)
}

/// A module of functions of one type.
fn module(params: &[ValType], results: &[ValType], bodies: &[Function]) -> Vec<u8> {
    module_with(&[(params, results)], bodies)
}

/// A module of functions of the first of these types, with a memory and some globals.
fn module_with(types: &[(&[ValType], &[ValType])], bodies: &[Function]) -> Vec<u8> {
    let mut type_section = TypeSection::new();
    for (params, results) in types {
        type_section.ty().function(params.iter().copied(), results.iter().copied());
    }
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    let mut exports = ExportSection::new();
    for body in bodies {
        functions.function(0);
        code.function(body);
    }
    exports.export("f", ExportKind::Func, 0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    for _ in 0..100 {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(0));
    }
    let mut module = Module::new();
    module.section(&type_section).section(&functions).section(&memories).section(&globals);
    module.section(&exports).section(&code);
    module.finish()
}

/// A function with these locals, whose body `fill` writes.
fn function(locals: &[(u32, ValType)], fill: impl FnOnce(&mut InstructionSink)) -> Function {
    let mut body = Function::new(locals.iter().copied());
    let mut sink = body.instructions();
    fill(&mut sink);
    sink.end();
    body
}

const I32: ValType = ValType::I32;

fn functions(n: u32) -> Vec<u8> {
    let body = |i: u32| function(&[], |s| _ = s.local_get(0).i32_const(i as i32).i32_add());
    module(&[I32], &[I32], &(0..n).map(body).collect::<Vec<_>>())
}

fn additions(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        s.local_get(0);
        for i in 0..n {
            s.local_get(0).i32_const(i as i32).i32_mul().i32_add();
        }
    });
    module(&[I32], &[I32], &[body])
}

fn locals(n: u32) -> Vec<u8> {
    let body = function(&[(n, I32)], |s| {
        for i in 1..=n {
            s.local_get(i - 1).i32_const(3).i32_mul().local_set(i);
        }
        s.local_get(0);
        for i in 1..=n {
            s.local_get(i).i32_xor();
        }
    });
    module(&[I32], &[I32], &[body])
}

/// Every local is set in every block, so that each block joins all of them.
fn locals_set_in_blocks(n: u32) -> Vec<u8> {
    let body = function(&[(n, I32)], |s| {
        for i in 1..=n {
            s.local_get(0).i32_const(i as i32).i32_and().if_(BlockType::Empty);
            s.local_get(i).i32_const(1).i32_add().local_set(n - i + 1).end();
        }
        s.local_get(0);
        for i in 1..=n {
            s.local_get(i).i32_xor();
        }
    });
    module(&[I32], &[I32], &[body])
}

fn locals_set_in_loops(n: u32) -> Vec<u8> {
    let body = function(&[(n, I32)], |s| {
        for _ in 0..n {
            s.loop_(BlockType::Empty);
        }
        for i in 1..=n {
            s.local_get(i).i32_const(1).i32_add().local_tee(i).br_if(i % (n - i + 1)).end();
        }
        s.local_get(1);
    });
    module(&[I32], &[I32], &[body])
}

fn vector_locals(n: u32) -> Vec<u8> {
    let body = function(&[(n, ValType::V128)], |s| {
        for i in 1..=n {
            s.local_get(0).i8x16_splat().local_set(i);
        }
        s.loop_(BlockType::Empty);
        for i in 1..=n {
            s.local_get(i).local_get(i % n + 1).i32x4_mul().local_set(i);
        }
        s.local_get(1).v128_any_true().br_if(0).end().local_get(0);
    });
    module(&[I32], &[I32], &[body])
}

fn blocks_in_blocks(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        (0..n).for_each(|_| _ = s.block(BlockType::Empty));
        for i in 0..n {
            s.local_get(0).br_if(i % (n - i)).end();
        }
        s.local_get(0);
    });
    module(&[I32], &[I32], &[body])
}

fn loops_in_loops(n: u32) -> Vec<u8> {
    let body = function(&[(1, I32)], |s| {
        (0..n).for_each(|_| _ = s.loop_(BlockType::Empty));
        for _ in 0..n {
            s.local_get(1).i32_const(1).i32_add().local_tee(1).br_if(0).end();
        }
        s.local_get(1);
    });
    module(&[I32], &[I32], &[body])
}

fn ifs_in_ifs(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        (0..n).for_each(|_| _ = s.local_get(0).if_(BlockType::Result(I32)));
        s.local_get(0);
        (0..n).for_each(|i| _ = s.else_().i32_const(i as i32).end());
    });
    module(&[I32], &[I32], &[body])
}

fn ifs_after_ifs(n: u32) -> Vec<u8> {
    let body = function(&[(8, I32)], |s| {
        for i in 0..n {
            s.local_get(i % 9).if_(BlockType::Empty);
            s.local_get((i + 1) % 9).i32_const(i as i32).i32_add().local_set((i + 2) % 9).end();
        }
        s.local_get(1);
    });
    module(&[I32], &[I32], &[body])
}

fn values_on_the_stack(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        for i in 0..n {
            s.local_get(0).i32_const(i as i32).i32_rotl();
        }
        (1..n).for_each(|_| _ = s.i32_sub());
    });
    module(&[I32], &[I32], &[body])
}

/// As many blocks as each has parameters.
fn block_parameters(n: u32) -> Vec<u8> {
    let many = vec![I32; n as usize];
    let body = function(&[], |s| {
        (0..n).for_each(|_| _ = s.local_get(0));
        for _ in 0..n {
            s.loop_(BlockType::FunctionType(1)).local_get(0).br_if(0).end();
        }
        (1..n).for_each(|_| _ = s.i32_sub());
    });
    module_with(&[(&[I32], &[I32]), (&many, &many)], &[body])
}

fn branch_table(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        (0..n).for_each(|_| _ = s.block(BlockType::Empty));
        s.local_get(0).br_table((0..n).collect::<Vec<_>>(), 0);
        (0..n).for_each(|_| _ = s.end());
        s.local_get(0);
    });
    module(&[I32], &[I32], &[body])
}

/// Tables with many targets, each of which takes many values.
fn branch_tables_with_values(n: u32) -> Vec<u8> {
    let many = vec![I32; n as usize];
    let body = function(&[], |s| {
        for _ in 0..n {
            s.block(BlockType::FunctionType(1));
        }
        (0..n).for_each(|_| _ = s.local_get(0));
        for i in 0..n {
            // After each table, the values are those that the block was left with.
            s.local_get(0).br_table((0..n - i).collect::<Vec<_>>(), 0).end();
        }
    });
    module_with(&[(&[I32], &many), (&[], &many)], &[body])
}

/// From each of many places to each of many blocks.
fn branches_out_of_blocks(n: u32) -> Vec<u8> {
    let body = function(&[(4, I32)], |s| {
        (0..n).for_each(|_| _ = s.block(BlockType::Empty));
        for i in 0..n {
            s.local_get(1).i32_const(1).i32_add().local_set(1);
            (0..n).for_each(|j| _ = s.local_get(1).br_if(j));
            s.local_get(1).local_set(i % 4 + 1);
        }
        (0..n).for_each(|_| _ = s.end());
        s.local_get(2);
    });
    module(&[I32], &[I32], &[body])
}

fn calls(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        s.local_get(0);
        (0..n).for_each(|_| _ = s.call(0));
    });
    module(&[I32], &[I32], &[body])
}

fn calls_with_arguments(n: u32) -> Vec<u8> {
    let many = vec![I32; n as usize];
    let body = function(&[], |s| {
        for i in 0..n {
            (0..n).for_each(|j| _ = s.local_get((i + j) % n));
            s.call(0).drop();
        }
        s.local_get(0);
    });
    module(&many, &[I32], &[body])
}

fn results(n: u32) -> Vec<u8> {
    let many = vec![I32; n as usize];
    let body = function(&[], |s| {
        for _ in 0..n {
            s.local_get(0).call(0);
            (0..n).for_each(|_| _ = s.drop());
        }
        (0..n).for_each(|_| _ = s.local_get(0));
    });
    module(&[I32], &many, &[body])
}

fn loads(n: u32) -> Vec<u8> {
    let target = MemArgTarget::Memory(0);
    let at = |offset| MemArg { offset, align: 2, target, ordering: None };
    let body = function(&[], |s| {
        s.local_get(0);
        for i in 0..n {
            s.local_get(0).i32_load(at(u64::from(i % 5000) * 4)).i32_add();
            s.local_get(0).local_get(0).i32_store(at(u64::from(i)));
        }
    });
    module(&[I32], &[I32], &[body])
}

fn globals(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        for i in 0..n {
            s.global_get(i % 100).i32_const(i as i32).i32_xor().global_set((i + 7) % 100);
        }
        s.local_get(0);
    });
    module(&[I32], &[I32], &[body])
}

fn divisions(n: u32) -> Vec<u8> {
    let body = function(&[], |s| {
        s.local_get(0);
        for i in 0..n {
            s.local_get(0).i32_const(i as i32).i32_xor().i32_div_s();
        }
    });
    module(&[I32], &[I32], &[body])
}

/// Values that are made at the start and used at the end.
fn constants_kept(n: u32) -> Vec<u8> {
    let body = function(&[(n, ValType::F64)], |s| {
        for i in 1..=n {
            s.f64_const(f64::from(i).into()).local_get(0).f64_convert_i32_s().f64_mul();
            s.local_set(i);
        }
        s.loop_(BlockType::Empty).local_get(0).br_if(0).end();
        s.f64_const(0.0.into());
        (1..=n).for_each(|i| _ = s.local_get(i).f64_add());
        s.i32_trunc_sat_f64_s();
    });
    module(&[I32], &[I32], &[body])
}
