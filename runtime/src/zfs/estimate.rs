//! How big a stream will be, as `zfs send -n -P` says.

/// The `size` line, in bytes; it closes the output after a line for each snapshot.
#[must_use]
pub fn read(text: &str) -> Option<u64> {
    let mut lines = text.lines().rev().filter_map(|line| line.split_once(char::is_whitespace));
    lines.find(|(key, _)| *key == "size").and_then(|(_, size)| size.trim().parse().ok())
}

/// What several streams take together. An archiver may estimate as it likes, so the sum stops at the highest
/// number.
#[must_use]
pub fn total(estimates: impl IntoIterator<Item = u64>) -> u64 {
    estimates.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read() {
        let text = "full\ttank/safe@a\t1064\nincremental\ta\ttank/safe@b\t624\nsize\t1688\n";
        assert_eq!(read(text), Some(1688));
        assert_eq!(read("full\ttank/size@a\t1064\n"), None);
    }
    #[test]
    fn a_lie_of_an_archiver_overflows_nothing() {
        assert_eq!(total([u64::MAX, 1, u64::MAX]), u64::MAX);
        assert_eq!(total([1, 2]), 3);
        assert_eq!(read("size\t18446744073709551616\n"), None);
    }
}
