//! Finds what somebody probably meant to write.

/// Returns the one of `choices` that is nearest to `word`, where it is near enough to be meant.
///
/// ```
/// use listwarden::patients::nearest::nearest;
/// assert_eq!(nearest("audiance", ["account", "audience"]), Some("audience"));
/// assert_eq!(nearest("colour", ["account", "audience"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let word: String = plain(word).chars().take(80).collect();
    choices
        .into_iter()
        .map(|choice| (strsim::damerau_levenshtein(&word, &plain(choice)), choice))
        .filter(|(distance, choice)| *distance <= 1 + choice.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}
