//! What the delivery of one of our texts says of the number.

use super::api::problem::OPTED_OUT;
use crate::providers::Word;

/// No such number; a landline, or a carrier that cannot be reached.
///
/// Source: Twilio docs, Error and warning dictionary; that 30005 is for good is the common reading
/// of "unknown destination handset", not said in so many words.
const FOR_GOOD: [u32; 2] = [30_005, 30_006];
/// Switched off or without a network for now.
const FOR_NOW: u32 = 30_003;

/// Reads a status with its error code. Only errors that are about the number count: a carrier's
/// filter, quiet hours and unknown errors say nothing of it.
pub fn word(status: &str, code: Option<u32>, message: &str) -> Word {
    match (status, code) {
        ("delivered", _) => Word::Delivered,
        ("failed" | "undelivered", Some(OPTED_OUT)) => {
            let evidence = Some(format!("error {OPTED_OUT} of message {message}"));
            Word::HoldsOptOut { listed: false, evidence }
        }
        ("failed" | "undelivered", Some(code)) if FOR_GOOD.contains(&code) => {
            Word::Undelivered { for_good: true }
        }
        ("failed" | "undelivered", Some(FOR_NOW)) => Word::Undelivered { for_good: false },
        _ => Word::Other,
    }
}

/// Names one status of one message: the log and the webhook name it alike, so it counts once.
pub fn id(message: &str, status: &str) -> String {
    format!("{message}:{status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_about_the_number_count() {
        for (status, code, expected) in [
            ("delivered", None, Word::Delivered),
            ("undelivered", Some(30_003), Word::Undelivered { for_good: false }),
            ("undelivered", Some(30_005), Word::Undelivered { for_good: true }),
            ("failed", Some(30_006), Word::Undelivered { for_good: true }),
            ("undelivered", Some(30_007), Word::Other),
            ("undelivered", Some(30_008), Word::Other),
            ("failed", Some(30_610), Word::Other),
            ("failed", None, Word::Other),
            ("sent", Some(30_006), Word::Other),
            ("partially_delivered", None, Word::Other),
        ] {
            assert_eq!(word(status, code, "SM1"), expected, "{status} {code:?}");
        }
        let refused = word("failed", Some(21_610), "SM1");
        assert!(matches!(refused, Word::HoldsOptOut { listed: false, .. }));
    }
}
