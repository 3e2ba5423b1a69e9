//! Random cases: some in every run, more if `DORMOUSE_CASES` asks for them (`make fuzz`). Those that
//! failed are kept in a file beside the test, and tried first the next time.

use proptest::test_runner::{Config, FileFailurePersistence};

/// So many cases, unless others are asked for.
pub fn config(seeds: &'static str, cases: u32) -> Config {
    let asked = std::env::var("DORMOUSE_CASES").ok().and_then(|cases| cases.parse().ok());
    let (cases, kept) = (asked.unwrap_or(cases), Box::new(FileFailurePersistence::Direct(seeds)));
    Config { failure_persistence: Some(kept), max_global_rejects: cases / 2, ..Config::with_cases(cases) }
}
