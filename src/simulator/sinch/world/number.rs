//! Numbers as the API takes and gives them.

/// Reads a number in international form: `+`, `00`, spaces, dashes and brackets do not count.
///
/// Source: Sinch docs, SMS REST API, Formats, MSISDN.
#[must_use]
pub fn msisdn(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !" -()[]".contains(*c)).collect();
    let digits = kept.strip_prefix('+').or_else(|| kept.strip_prefix("00")).unwrap_or(&kept);
    let sound = (5..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    sound.then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for text in ["+447700900123", "447700900123", "00447700900123", "+44 (7700) 900-123"] {
            assert_eq!(msisdn(text).as_deref(), Some("447700900123"), "{text}");
        }
        assert_eq!(msisdn("07700900123"), None);
        assert_eq!(msisdn("Clinic"), None);
    }
}
