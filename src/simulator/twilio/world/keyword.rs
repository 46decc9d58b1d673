//! The words that the service itself acts on before anybody is told.
//!
//! Source: Twilio docs, Advanced Opt-Out. Only a message of one single word counts.

/// What a text is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// No more texts from this sender.
    Stop,
    /// Texts again.
    Start,
    /// How to get help.
    Help,
}

const STOP: [&str; 8] =
    ["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL"];
const START: [&str; 3] = ["START", "YES", "UNSTOP"];
const HELP: [&str; 2] = ["HELP", "INFO"];

impl Keyword {
    /// Reads a whole text.
    #[must_use]
    pub fn of(body: &str) -> Option<Self> {
        let word = body.trim().to_uppercase();
        let is = |words: &[&str]| words.contains(&word.as_str());
        if is(&STOP) {
            Some(Self::Stop)
        } else if is(&START) {
            Some(Self::Start)
        } else {
            is(&HELP).then_some(Self::Help)
        }
    }

    /// Returns the value of `OptOutType`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "STOP",
            Self::Start => "START",
            Self::Help => "HELP",
        }
    }

    /// Returns what the service answers by itself.
    #[must_use]
    pub const fn answer(self) -> &'static str {
        match self {
            Self::Stop => "You have successfully been unsubscribed. Reply START to resubscribe.",
            Self::Start => "You have successfully been re-subscribed. Reply STOP to unsubscribe.",
            Self::Help => "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
        }
    }
}
