//! What the answers to the steps of a write say about it.
//!
//! A [`Mark`] carries all that is needed to read an answer, so a job can be read after a restart.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::super::api::parse;
use super::super::wire::RawMember;
use crate::domain::MemberStatus;
use crate::domain::text::words;
use crate::providers::http::Failure;
use crate::providers::{Outcome, ProviderError, Refusal};

words! {
    /// One call of a write; of two steps, the later in this order tells the member's status.
    Step {
        /// `POST …/tags`.
        Tags = "tags",
        /// `PATCH` of merge fields.
        Fields = "fields",
        /// `POST` or `PUT` with a status.
        Enter = "enter",
        /// `PATCH` to `unsubscribed`.
        Unsubscribe = "unsubscribe",
        /// `DELETE`.
        Archive = "archive",
        /// `POST …/actions/delete-permanent`.
        Erase = "erase",
    }
}

/// Names a step in a job and tells how to read its answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark {
    /// The write it belongs to.
    pub write: Uuid,
    /// Which step.
    pub step: Step,
    /// Of how many.
    pub of: u8,
    /// The status it leads to, or leaves alone.
    pub status: MemberStatus,
    /// The path id to read the member by afterwards.
    pub id: String,
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({} of {})", self.step, self.write)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { write, step, of, status, id } = self;
        write!(f, "{}.{step}.{of}.{status}.{id}", write.simple())
    }
}

/// An operation id that is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign;

impl FromStr for Mark {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let mut parts = text.splitn(5, '.');
        let mut part = || parts.next().ok_or(Foreign);
        Ok(Self {
            write: Uuid::try_parse(part()?).map_err(|_| Foreign)?,
            step: part().and_then(step)?,
            of: part()?.parse().map_err(|_| Foreign)?,
            status: part()?.parse().map_err(|_| Foreign)?,
            id: part()?.to_owned(),
        })
    }
}

fn step(word: &str) -> Result<Step, Foreign> {
    Step::ALL.iter().find(|step| step.word() == word).copied().ok_or(Foreign)
}

/// Reads what the answer to one step says of the write.
pub fn outcome(mark: &Mark, answer: Result<&[u8], Failure>) -> Result<Outcome, ProviderError> {
    let gave = match answer {
        Ok(body) => body,
        Err(Failure::NotFound) if mark.step == Step::Tags => {
            return Ok(Outcome::Refused(Refusal::WrongState)); // only our hash of it is unknown
        }
        Err(Failure::NotFound) => return Ok(Outcome::Absent),
        Err(Failure::Refused { refusal, .. }) => return Ok(Outcome::Refused(refusal)),
        Err(Failure::Error(error)) => return Err(error),
    };
    Ok(match mark.step {
        Step::Tags | Step::Archive | Step::Erase => {
            Outcome::Done { member: None, status: mark.status }
        }
        Step::Fields => parse(gave).map_or(Outcome::Doubtful, |raw| reported(&raw, None)),
        Step::Enter | Step::Unsubscribe => {
            parse(gave).map_or(Outcome::Doubtful, |raw| reported(&raw, Some(mark.status)))
        }
    })
}

/// Reads the member that a write gave back, which must have the status that was `wanted`.
pub fn reported(raw: &RawMember, wanted: Option<MemberStatus>) -> Outcome {
    match (raw.status(), wanted) {
        (None, _) => Outcome::Doubtful,
        (Some(status), None) => Outcome::Done { member: raw.key(), status },
        (Some(status), Some(wanted)) if status == wanted => {
            Outcome::Done { member: raw.key(), status }
        }
        (Some(MemberStatus::Unsubscribed | MemberStatus::Cleaned), _) => {
            Outcome::Refused(Refusal::OptedOut)
        }
        (Some(_), Some(_)) => Outcome::Refused(Refusal::WrongState),
    }
}

/// Makes one outcome of those of all steps of a write; none before all are there.
///
/// The highest step speaks for all. Where it and a lesser one ended differently, only a read can
/// tell the state, unless nothing but tags was changed.
pub fn together(mut steps: Vec<(Mark, Outcome)>) -> Option<Outcome> {
    steps.sort_by_key(|(mark, _)| mark.step);
    let (highest, outcome) = steps.pop()?;
    if steps.len() + 1 < usize::from(highest.of) {
        return None;
    }
    let done = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. });
    let clear = if done(&outcome) {
        steps.iter().all(|(_, lesser)| done(lesser))
    } else {
        steps.iter().all(|(mark, lesser)| mark.step == Step::Tags || !done(lesser))
    };
    Some(if clear { outcome } else { Outcome::Doubtful })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mark(step: Step, of: u8) -> Mark {
        let status = MemberStatus::Pending;
        Mark { write: Uuid::from_u128(7), step, of, status, id: "c1".to_owned() }
    }

    #[test]
    fn a_mark_survives_its_journey_and_a_foreign_one_is_told() {
        let mark = mark(Step::Enter, 2);
        assert_eq!(mark.to_string().parse(), Ok(mark));
        assert_eq!("0".parse::<Mark>(), Err(Foreign));
        assert_eq!("a.b.c.d.e".parse::<Mark>(), Err(Foreign));
    }

    #[test]
    fn an_invitation_counts_only_when_the_reply_says_pending() {
        let enter = mark(Step::Enter, 1);
        for (status, expected) in [
            ("pending", "Done { member: Some(MemberKey(***)), status: Pending }"),
            ("unsubscribed", "Refused(OptedOut)"),
            ("cleaned", "Refused(OptedOut)"),
            ("archived", "Refused(WrongState)"),
            ("subscribed", "Refused(WrongState)"),
            ("", "Doubtful"),
        ] {
            let reply = json!({ "contact_id": "c1", "status": status }).to_string();
            let outcome = outcome(&enter, Ok(reply.as_bytes())).unwrap();
            assert_eq!(format!("{outcome:?}"), expected, "{status}");
        }
        assert_eq!(outcome(&enter, Ok(b"<html>")).unwrap(), Outcome::Doubtful);
    }

    #[test]
    fn steps_add_up_to_one_outcome() {
        let done = |status| Outcome::Done { member: None, status };
        let refused = Outcome::Refused(Refusal::WrongState);
        let both = |first: Outcome, second: Outcome| {
            together(vec![(mark(Step::Archive, 2), second), (mark(Step::Unsubscribe, 2), first)])
        };
        let unsubscribed = done(MemberStatus::Unsubscribed);
        let archived = done(MemberStatus::Archived);
        assert_eq!(both(unsubscribed.clone(), archived.clone()), Some(archived));
        assert_eq!(both(unsubscribed.clone(), refused.clone()), Some(Outcome::Doubtful));
        assert_eq!(both(refused.clone(), refused.clone()), Some(refused.clone()));
        assert_eq!(together(vec![(mark(Step::Tags, 2), unsubscribed.clone())]), None);
        let entered = |entered: Outcome, tagged: Outcome| {
            together(vec![(mark(Step::Enter, 2), entered), (mark(Step::Tags, 2), tagged)])
        };
        let opted_out = Outcome::Refused(Refusal::OptedOut);
        assert_eq!(entered(opted_out.clone(), unsubscribed), Some(opted_out));
        assert_eq!(entered(done(MemberStatus::Pending), refused), Some(Outcome::Doubtful));
    }
}
