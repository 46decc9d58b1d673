//! What people and their networks do: texts sent to the account, and what became of its own.

use super::ControlError;
use crate::simulator::sinch::Simulator;
use crate::simulator::sinch::hooks::Report;
use crate::simulator::sinch::world::World;
use crate::simulator::sinch::world::account::Inbound;
use crate::simulator::sinch::world::number::msisdn;

/// The statuses there are, as they are written.
const STATUSES: [&str; 10] = [
    "Queued",
    "Dispatched",
    "Aborted",
    "Cancelled",
    "Rejected",
    "Deleted",
    "Delivered",
    "Failed",
    "Expired",
    "Unknown",
];
/// The words that consent management takes for an opt-out.
const OUT: [&str; 7] = ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "remove"];
/// The words that it takes for an opt-in.
const IN: [&str; 2] = ["start", "unstop"];

impl Simulator {
    /// Sends a text from a person to a number of the account, and returns its id.
    ///
    /// Groups that people may leave by keyword hear it, and so does consent management where it
    /// is on; the callback gets it as `mo_text` whatever it says.
    pub fn text(
        &self,
        account: usize,
        from: &str,
        to: &str,
        body: &str,
    ) -> Result<String, ControlError> {
        let from = msisdn(from).ok_or(ControlError::NoNumber)?;
        let to = msisdn(to).ok_or(ControlError::NoNumber)?;
        self.with(|world| {
            if account >= world.accounts.len() {
                return Err(ControlError::NoSuchAccount);
            }
            let (id, received_at) = (world.id(), world.now);
            let body = body.to_owned();
            let inbound = Inbound { id: id.clone(), from, to, body, received_at };
            consent(world, account, &inbound);
            let account = &mut world.accounts[account];
            for group in &mut account.groups {
                group.hear(&inbound.from, &inbound.to, &inbound.body, received_at);
            }
            account.hooks.queue("mo_text", &inbound.json(), received_at);
            account.inbounds.push(inbound);
            Ok(id)
        })
    }

    /// Reports what became of a text of a batch.
    pub fn report(
        &self,
        account: usize,
        (batch, number): (&str, &str),
        code: u16,
        status: &str,
    ) -> Result<(), ControlError> {
        let number = msisdn(number).ok_or(ControlError::NoNumber)?;
        let status = STATUSES.iter().find(|known| known.eq_ignore_ascii_case(status));
        let status = status.ok_or(ControlError::NoSuchStatus)?;
        self.with(|world| {
            let now = world.now;
            let account = world.accounts.get_mut(account).ok_or(ControlError::NoSuchAccount)?;
            let mut texts = account.texts.iter();
            let text = texts.find(|text| text.batch_id == batch && text.to == number);
            let text = text.ok_or(ControlError::NoSuchText)?;
            let report = Report { batch_id: text.batch_id.clone(), number, code, status };
            let body = report.json(text.client_reference.as_deref(), now);
            account.hooks.queue("recipient_delivery_report_sms", &body, now);
            Ok(())
        })
    }
}

/// Takes STOP and START for what they say, where consent management is on.
fn consent(world: &mut World, account: usize, inbound: &Inbound) {
    if !world.settings.consent_management {
        return;
    }
    let word = inbound.body.trim().to_lowercase();
    let account = &mut world.accounts[account];
    for app in account.apps.clone() {
        let numbers = account.consents.entry((app, "OPT_OUT_ALL".to_owned())).or_default();
        let there = numbers.contains(&inbound.from);
        if OUT.contains(&word.as_str()) && !there {
            numbers.push(inbound.from.clone());
        }
        if IN.contains(&word.as_str()) {
            numbers.retain(|number| *number != inbound.from);
        }
    }
}
