//! `dormouse-generate`.

fn main() {}
