//! What a delivery report says about a number.

use crate::providers::Word;

/// Codes that say for good that no text reaches the number: unsupported number plan or type of
/// number, unidentified subscriber, unknown subscriber, no SMS in the subscription.
///
/// Source: Sinch docs, SMPP, Status reports error codes ("treated as permanent"). The other
/// permanent ones are about routes, contents and senders.
const FOR_GOOD: [u16; 5] = [9, 10, 100, 150, 152];

/// Tells whether a code is about Sinch, our account or our text, and so says nothing of the number.
///
/// Source: Sinch docs, SMS REST API, Delivery report error codes, and SMPP as above.
const fn is_about_us(code: u16) -> bool {
    matches!(code, 1..=8 | 18 | 40..=56 | 60 | 62..=67 | 70..=76)
        || matches!(code, 403 | 405..=407 | 410..=418)
}

/// Reads a report's status and code. `Unknown` means that the network never told.
pub fn word(status: &str, code: Option<u16>) -> Word {
    match status.to_ascii_lowercase().as_str() {
        "delivered" => Word::Delivered,
        "failed" | "rejected" | "expired" | "aborted" | "deleted" => match code {
            Some(code) if is_about_us(code) => Word::Other,
            Some(code) => Word::Undelivered { for_good: FOR_GOOD.contains(&code) },
            None => Word::Undelivered { for_good: false },
        },
        _ => Word::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_documented_as_permanent_and_about_the_number_is_for_good() {
        let passing = Word::Undelivered { for_good: false };
        for (status, code, said) in [
            ("Delivered", Some(0), Word::Delivered),
            ("DELIVERED", None, Word::Delivered),
            ("Failed", Some(150), Word::Undelivered { for_good: true }),
            ("failed", Some(152), Word::Undelivered { for_good: true }),
            ("Failed", Some(153), passing.clone()),
            ("Failed", None, passing.clone()),
            ("Aborted", Some(402), passing.clone()),
            ("Aborted", Some(404), passing.clone()),
            ("Deleted", Some(408), passing.clone()),
            ("Expired", Some(159), passing),
            ("Aborted", Some(413), Word::Other),
            ("Failed", Some(62), Word::Other),
            ("Cancelled", Some(407), Word::Other),
            ("Unknown", Some(0), Word::Other),
            ("Dispatched", Some(401), Word::Other),
            ("Brand new", Some(150), Word::Other),
        ] {
            assert_eq!(word(status, code), said, "{status} {code:?}");
        }
    }
}
