//! How long a text message is: by the alphabet that it needs, as the networks count.

/// The alphabet of text messages: one unit each.
///
/// Source: 3GPP TS 23.038 (GSM 03.38), default alphabet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
    ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension: two units each.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";
/// The most parts of one text.
const PARTS: usize = 3;
/// Units of a part in the alphabet, and in UTF-16 where a character is not of it.
const IN_ALPHABET: usize = 153;
const IN_UTF_16: usize = 67;

/// How long a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    /// Units that it takes, with what stays empty at the end of a part.
    pub(super) units: usize,
    /// Units that there are.
    pub(super) limit: usize,
    /// The first character that is not in the alphabet: then every one takes more room.
    pub(super) foreign: Option<char>,
}

impl Length {
    /// Counts a text.
    pub(super) fn of(text: &str) -> Self {
        let foreign = text.chars().find(|c| !BASIC.contains(*c) && !EXTENSION.contains(*c));
        let part = if foreign.is_some() { IN_UTF_16 } else { IN_ALPHABET };
        let size = |c: char| match foreign {
            Some(_) => c.len_utf16(),
            None => 1 + usize::from(EXTENSION.contains(c)),
        };
        // No character is cut in two by the end of a part.
        let units = text.chars().map(size).fold(0, |units, size| {
            let left = part - units % part;
            units + size + if size > left { left } else { 0 }
        });
        Self { units, limit: PARTS * part, foreign }
    }

    /// Says what is wrong with a text that is too long, and the cure; none where it is not.
    pub(super) fn problem(&self) -> Option<(String, String)> {
        let Self { units, limit, foreign } = *self;
        let too_long = format!("is too long for a text message: {units} of {limit}");
        (units > limit).then(|| match foreign {
            None => (too_long, format!("Use {limit} characters at most, with the clinic's name in it; each of ^ {{ }} \\ [ ~ ] | € counts twice")),
            Some(c) => (
                format!("{too_long}, as `{c}` is not in the alphabet of text messages"),
                format!("Write it without `{c}` and its like, for {} characters; or use {limit} at most, with the clinic's name in it", PARTS * IN_ALPHABET),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> (usize, usize) {
        let length = Length::of(text);
        (length.units, length.limit)
    }

    #[test]
    fn a_text_in_the_alphabet_has_459_units_and_its_extension_takes_two() {
        assert_eq!(units(&"é".repeat(459)), (459, 459));
        assert_eq!(units("10 €"), (5, 459));
        assert!(Length::of(&"a".repeat(459)).problem().is_none());
        assert!(Length::of(&"a".repeat(460)).problem().is_some());
    }

    #[test]
    fn one_character_more_of_any_other_kind_leaves_201() {
        assert_eq!(units("ç"), (1, 201));
        assert_eq!(units("a😀"), (3, 201));
        let long = format!("{}’", "a".repeat(201));
        let (what, cure) = Length::of(&long).problem().unwrap();
        assert!(what.contains("202 of 201") && what.contains('’'), "{what}");
        assert!(cure.contains('’') && cure.contains("459"), "{cure}");
        assert!(Length::of(&long[1..]).problem().is_none());
    }

    #[test]
    fn no_character_is_cut_in_two_by_the_end_of_a_part() {
        assert_eq!(units(&format!("{}€", "a".repeat(152))), (155, 459));
        assert_eq!(units(&format!("{}😀", "a".repeat(66))), (69, 201));
    }
}
