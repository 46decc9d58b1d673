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
    let word: Vec<char> = plain(word).chars().take(80).collect();
    choices
        .into_iter()
        .map(|choice| (distance(&word, &plain(choice).chars().collect::<Vec<_>>()), choice))
        .filter(|(distance, choice)| *distance <= 1 + choice.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

/// Counts the letters to add, drop or replace to make one word of the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
