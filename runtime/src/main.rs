//! The program `dormouse`.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(dormouse::main() as u8)
}
