//! Numbers as Sinch writes them, and the key a number goes by with us.

use sha2::{Digest, Sha256};

use crate::domain::{Address, MemberKey};

/// Returns the key of a number: the SHA-256 of its digits, in hex.
///
/// A group knows a member by nothing but the number, and numbers shall not lie about as keys. It
/// keeps nobody from trying all numbers there are: what protects them is the store they lie in.
pub fn key(address: &Address) -> MemberKey {
    key_of(address.expose())
}

/// Returns the key of whatever stands in a group, a number or not.
pub fn key_of(text: &str) -> MemberKey {
    let digits = text.strip_prefix('+').unwrap_or(text);
    MemberKey(hex::encode(Sha256::digest(digits)))
}

/// Reads a number that Sinch gave: without `+`, as all of its answers have it.
///
/// Source: Sinch docs, SMS REST API, Formats, MSISDN.
pub fn address(text: &str) -> Option<Address> {
    let digits = text.trim().strip_prefix('+').unwrap_or_else(|| text.trim());
    Address::mobile(&format!("+{digits}"), None).ok()
}

/// Returns the digits of a number or short code of ours; none where it is neither.
pub fn digits(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix('+').unwrap_or_else(|| text.trim());
    let sound = (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| digits.to_owned())
}

/// Names the number of ours that something went to as the settings name it, where it is that one.
pub fn ours(sender: &str, to: &str) -> String {
    if digits(sender).is_some() && digits(sender) == digits(to) {
        return sender.to_owned();
    }
    format!("+{}", to.trim().trim_start_matches('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_key_with_and_without_its_plus() {
        let ann = address("447911123456").unwrap();
        assert_eq!(ann, address("+447911123456").unwrap());
        assert_eq!((key(&ann), key(&ann).0.len()), (key_of("447911123456"), 64));
        assert_eq!(address("54321"), None);
        assert_eq!(address("Clinic"), None);
    }

    #[test]
    fn our_number_is_named_as_the_settings_name_it() {
        assert_eq!(ours("+447911000001", "447911000001"), "+447911000001");
        assert_eq!(ours("54321", "54321"), "54321");
        assert_eq!(ours("+447911000001", "447911000002"), "+447911000002");
    }
}
