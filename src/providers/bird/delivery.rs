//! What the fate of one of our texts says of the number.

use crate::providers::Word;

/// Reads a status with its error code. Only errors that are about the number or the person count:
/// carriers' filters, the sender, the money and whatever is unknown say nothing of them.
///
/// Source: Bird's Python SDK 0.106.0, `SMSError` and `SMSEventType`.
pub fn word(status: &str, code: Option<&str>) -> Word {
    match (status, code) {
        ("delivered", _) => Word::Delivered,
        (
            "undelivered" | "failed" | "rejected" | "expired",
            Some(code @ ("recipient_opted_out" | "blocked_by_recipient")),
        ) => Word::HoldsOptOut { listed: false, evidence: Some(format!("error {code}")) },
        (
            "undelivered" | "failed" | "rejected" | "expired",
            Some("invalid_destination" | "landline_unreachable"),
        ) => Word::Undelivered { for_good: true },
        ("undelivered" | "failed" | "expired", Some("unreachable")) => {
            Word::Undelivered { for_good: false }
        }
        _ => Word::Other,
    }
}

/// Names one status of one text: the log and the webhook name it alike, so it counts once.
pub fn id(message: &str, status: &str) -> String {
    format!("{message}:{status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_about_the_number_count() {
        for (status, code, said) in [
            ("delivered", None, Word::Delivered),
            ("failed", Some("invalid_destination"), Word::Undelivered { for_good: true }),
            ("rejected", Some("landline_unreachable"), Word::Undelivered { for_good: true }),
            ("undelivered", Some("unreachable"), Word::Undelivered { for_good: false }),
            ("expired", Some("unreachable"), Word::Undelivered { for_good: false }),
            ("undelivered", Some("blocked_by_carrier"), Word::Other),
            ("rejected", Some("blocked_by_fraud_protection"), Word::Other),
            ("rejected", Some("content_rejected"), Word::Other),
            ("failed", Some("sender_unregistered"), Word::Other),
            ("failed", Some("provider_unavailable"), Word::Other),
            ("rejected", Some("insufficient_balance"), Word::Other),
            ("failed", Some("unknown"), Word::Other),
            ("failed", Some("brand_new"), Word::Other),
            ("failed", None, Word::Other),
            ("sent", Some("invalid_destination"), Word::Other),
            ("canceled", None, Word::Other),
        ] {
            assert_eq!(word(status, code), said, "{status} {code:?}");
        }
        for code in ["recipient_opted_out", "blocked_by_recipient"] {
            let word = word("rejected", Some(code));
            assert!(matches!(word, Word::HoldsOptOut { listed: false, evidence: Some(_) }));
        }
    }
}
