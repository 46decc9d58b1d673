//! Changes: an invitation is one text message, everything else is ours alone.

use super::api::Connection;
use super::wire::Sent;
use super::{Twilio, key};
use crate::domain::{Address, MemberStatus, Personal, Verb};
use crate::providers::http::Failure;
use crate::providers::{Lot, LotResult, MemberWrite, Outcome, ProviderError, Refusal, TextSent};

/// Changes that need no request.
const OURS: &str = "ours";
/// One text message.
const MESSAGE: &str = "message";

/// Sorts writes: those that are ours alone in one lot, first; each invitation in one of its own.
pub fn lots(writes: Vec<MemberWrite>) -> Vec<Lot> {
    let (invitations, ours): (Vec<_>, Vec<_>) =
        writes.into_iter().partition(|write| write.verb == Verb::Invite);
    let ours = Some(Lot { route: OURS, writes: ours }).filter(|lot| !lot.writes.is_empty());
    let singly = |write| Lot { route: MESSAGE, writes: vec![write] };
    ours.into_iter().chain(invitations.into_iter().map(singly)).collect()
}

impl Twilio {
    pub(super) async fn send_lot(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        let mut outcomes = Vec::with_capacity(lot.writes.len());
        for write in &lot.writes {
            let outcome = match write.verb {
                Verb::Invite => self.invite(write).await?,
                _ => recorded(write),
            };
            outcomes.push((write.id, outcome));
        }
        Ok(LotResult::Done(outcomes))
    }

    /// Sends the invitation, once: what is not answered may have been sent.
    async fn invite(&self, write: &MemberWrite) -> Result<Outcome, ProviderError> {
        let Some(text) = write.text.as_ref().filter(|text| !text.is_empty()) else {
            let title = "an invitation without a text".to_owned();
            return Ok(Outcome::Refused(Refusal::Other { status: 0, title }));
        };
        match self.connection.send_text(&write.address, text).await {
            Ok(TextSent::Sent(_)) => {
                let member = Some(key(&write.address));
                Ok(Outcome::Done { member, status: MemberStatus::Pending })
            }
            Ok(TextSent::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(error) if error.is_doubtful() => Ok(Outcome::Doubtful),
            Err(error) => Err(error),
        }
    }
}

/// A change of a list that lives with us. Whoever is off it is absent: Twilio holds nothing of it,
/// and what it keeps of a STOP is not ours to lift or to erase.
fn recorded(write: &MemberWrite) -> Outcome {
    let status = match write.verb {
        Verb::Unsubscribe | Verb::Archive => MemberStatus::Absent,
        verb => verb.leads_to().unwrap_or(write.from),
    };
    Outcome::Done { member: Some(key(&write.address)), status }
}

impl Connection {
    /// Sends one text message from the account's sender.
    pub(super) async fn send_text(
        &self,
        to: &Address,
        body: &Personal,
    ) -> Result<TextSent, ProviderError> {
        let by = if self.settings().sends_by_service() { "MessagingServiceSid" } else { "From" };
        let form =
            [("To", to.expose()), (by, self.settings().sender.as_str()), ("Body", body.expose())];
        match self.post::<Sent>(&self.own("/Messages.json", &[]), &form).await {
            Ok(sent) => Ok(TextSent::Sent(sent.sid)),
            Err(Failure::Refused { refusal, .. }) => Ok(TextSent::Refused(refusal)),
            Err(failure) => Err(failure.of_account()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn write(verb: Verb) -> MemberWrite {
        MemberWrite {
            id: Uuid::nil(),
            verb,
            from: MemberStatus::Subscribed,
            member: None,
            address: Address::mobile("+447911123456", None).unwrap(),
            payload: None,
            text: None,
        }
    }

    #[test]
    fn removals_come_before_invitations_and_those_go_singly() {
        let verbs = [Verb::Invite, Verb::Erase, Verb::Invite, Verb::Unsubscribe];
        let lots = lots(verbs.map(write).to_vec());
        let shape: Vec<_> = lots.iter().map(|lot| (lot.route, lot.writes.len())).collect();
        assert_eq!(shape, [("ours", 2), ("message", 1), ("message", 1)]);
        assert!(super::lots(Vec::new()).is_empty());
    }

    #[test]
    fn what_is_ours_is_done_once_recorded() {
        for (verb, expected) in [
            (Verb::Subscribe, MemberStatus::Subscribed),
            (Verb::Unsubscribe, MemberStatus::Absent),
            (Verb::Archive, MemberStatus::Absent),
            (Verb::Erase, MemberStatus::Forgotten),
            (Verb::Update, MemberStatus::Subscribed),
        ] {
            let Outcome::Done { member, status } = recorded(&write(verb)) else { panic!() };
            assert_eq!(status, expected, "{verb}");
            assert!(member.is_some_and(|key| key.0.len() == 64 && !key.0.contains("7911123456")));
        }
    }
}
