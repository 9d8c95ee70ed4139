//! The program: see [`paribus::cli`].

fn main() -> std::process::ExitCode {
    paribus::cli::main()
}
