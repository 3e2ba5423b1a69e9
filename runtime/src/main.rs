//! `dormouse`.

fn main() {}
