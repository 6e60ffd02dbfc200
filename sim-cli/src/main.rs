//! The `sim` command.

fn main() -> std::process::ExitCode {
    sim_cli::main()
}
