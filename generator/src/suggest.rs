//! The word that was probably meant.

/// Words that are at most this unlike (Jaro-Winkler, 1 is equal) are worth suggesting.
const LIKE_ENOUGH: f64 = 0.8;

/// The known word nearest to `word`, when it is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// "did you mean …? known: …".
pub(crate) fn one_of<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return "there is none yet: add one".to_owned();
    }
    let list = known.join(", ");
    match nearest(word, known) {
        Some(nearest) => format!("did you mean {nearest:?}? known here: {list}"),
        None => format!("known here: {list}"),
    }
}
