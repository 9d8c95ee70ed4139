//! This machine's peak rate of multiply-adds: independent chains of fused multiply-adds on f32, all in registers.
//!
//! A separate program, so that the compiler may use every instruction of the processor:
//!
//! ```sh
//! rustc --edition 2024 -C opt-level=3 -C target-cpu=native peak.rs
//! ```
//!
//! Prints two numbers, GFLOP/s of one core and of all cores at once, each the best of several rounds.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Chains side by side: enough to hide the latency of a multiply-add (4 cycles, 2 in each), and few enough for 16
/// registers.
const CHAINS: usize = 12;

/// A few milliseconds: so short and so frequent that in some rounds nothing else runs on the machine.
const LINKS: u64 = 4_000_000;
const ROUNDS: usize = 150;

/// A loop of [`LINKS`] links in [`CHAINS`] vectors, and the number of lanes in such a vector.
type Chains = (fn(f32) -> f32, usize);

/// The widest vectors are not the fastest on every processor.
const WIDTHS: &[Chains] = &[
    (chains, 8),
    #[cfg(target_feature = "avx512f")]
    (wide_chains, 16),
];

fn main() {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let rounds = || (0..ROUNDS).flat_map(|_| WIDTHS);
    let best = |threads| rounds().map(|width| together(threads, *width)).fold(0.0, f64::max);
    println!("{:.2} {:.2}", best(1), best(cores));
}

/// GFLOP/s of `threads` threads at once, from the start of the first to the end of the last.
fn together(threads: usize, (chains, lanes): Chains) -> f64 {
    let barrier = Barrier::new(threads);
    let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let work = || {
            barrier.wait();
            let begin = Instant::now();
            black_box(chains(black_box(0.999)));
            (begin, Instant::now())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("arithmetic does not panic")).collect()
    });
    let begin = times.iter().map(|time| time.0).min().expect("there is a thread");
    let end = times.iter().map(|time| time.1).max().expect("there is a thread");
    let operations = 2 * threads as u64 * LINKS * (CHAINS * lanes) as u64;
    operations as f64 / end.duration_since(begin).as_secs_f64() / 1e9
}

fn chains(factor: f32) -> f32 {
    let mut sums = [[1.0_f32; 8]; CHAINS];
    for _ in 0..LINKS {
        for sum in &mut sums {
            for value in sum {
                *value = value.mul_add(factor, 0.5);
            }
        }
    }
    sums.iter().flatten().sum()
}

#[cfg(target_feature = "avx512f")]
fn wide_chains(factor: f32) -> f32 {
    // SAFETY: under this `cfg` the whole program is compiled for AVX-512.
    unsafe { chains_of_512_bits(factor) }
}

/// Written in intrinsics: compilers turn arrays of 16 numbers into vectors of 256 bits, or none.
#[cfg(target_feature = "avx512f")]
#[target_feature(enable = "avx512f")]
fn chains_of_512_bits(factor: f32) -> f32 {
    use std::arch::x86_64::*;
    let (factor, addend) = (_mm512_set1_ps(factor), _mm512_set1_ps(0.5));
    let mut sums = [_mm512_set1_ps(1.0); CHAINS];
    for _ in 0..LINKS {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, addend);
        }
    }
    sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
}
