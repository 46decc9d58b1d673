//! What people do, and what becomes of texts to them.

use chrono::{DateTime, Utc};

use super::World;
use super::preference::Preference;
use super::suppression::Suppression;
use super::text::Text;
use super::workspace::Said;

/// The words that are taken for an opt-out; Bird lists those of a workspace by API, and they are
/// assumed here.
const OUT: [&str; 6] = ["stop", "stopall", "unsubscribe", "cancel", "end", "quit"];
/// The words that end a STOP.
const IN: [&str; 2] = ["start", "unstop"];

impl World {
    /// Takes a text that a person sent, acts on its keyword, and tells of it.
    pub fn receive(&mut self, place: usize, from: &str, to: &str, body: &str) -> String {
        let (id, now) = (self.id("sms"), self.now);
        let text = Text {
            id: id.clone(),
            inbound: true,
            from: from.to_owned(),
            to: to.to_owned(),
            body: body.to_owned(),
            category: None,
            status: "received".to_owned(),
            error: None,
            created_at: now,
            changed_at: now,
        };
        let event = self.id("msg");
        let workspace = &mut self.workspaces[place];
        let data = text.event(&workspace.id);
        workspace.hooks.queue(&event, "sms.received", now, &data, now);
        workspace.texts.push(text);
        let word = body.trim().to_lowercase();
        if OUT.contains(&word.as_str()) {
            self.suppress(place, from, to, ("keyword_stop", "keyword"), now);
            self.keyword(place, from, to, "revoked");
        }
        if IN.contains(&word.as_str()) {
            for one in &mut self.workspaces[place].suppressions {
                if one.ended.is_none() && one.destination == from && one.originator == to {
                    one.ended = Some((now, "keyword_start"));
                }
            }
            self.keyword(place, from, to, "granted");
        }
        id
    }

    /// Stops a sender's texts to somebody, for a reason, by somebody.
    pub fn suppress(
        &mut self,
        place: usize,
        destination: &str,
        originator: &str,
        (reason, origin): (&str, &'static str),
        at: DateTime<Utc>,
    ) -> Suppression {
        let (id, event, now) = (self.id("ssu"), self.id("msg"), self.now);
        let suppression = Suppression {
            id,
            destination: destination.to_owned(),
            originator: originator.to_owned(),
            reason: reason.to_owned(),
            origin,
            effective_at: at,
            ended: None,
        };
        self.workspaces[place].suppress(suppression, &event, now)
    }

    fn keyword(&mut self, place: usize, person: &str, sender: &str, status: &str) {
        let (id, transition, event, now) =
            (self.id("prf"), self.id("prt"), self.id("msg"), self.now);
        let workspace = &mut self.workspaces[place];
        let statement = Preference {
            id,
            channel: "sms".to_owned(),
            handle: person.to_owned(),
            sender_scope: Some(sender.to_owned()),
            status: status.to_owned(),
            coverage: "non_transactional".to_owned(),
            origin: "keyword",
            source: None,
            consented_at: None,
            effective_at: now,
            contact_id: workspace.by_number(person).map(|contact| contact.id.clone()),
            created_at: now,
        };
        workspace.state(Said { statement, transition }, &event, now);
    }

    /// Takes a text to send; what becomes of it is known and told at once.
    pub fn send(&mut self, place: usize, from: &str, to: &str, body: &str, category: &str) -> Text {
        let (id, event, now) = (self.id("sms"), self.id("msg"), self.now);
        let delivers = self.settings.delivers;
        let workspace = &mut self.workspaces[place];
        let revoked = workspace.preferences.iter().any(|one| {
            one.channel == "sms"
                && one.handle == to
                && one.status == "revoked"
                && one.sender_scope.as_deref().is_none_or(|scope| scope == from)
        });
        let stopped = workspace.suppressed(from, to).is_some()
            || (revoked && matches!(category, "marketing"));
        let (status, error) = if stopped {
            ("rejected".to_owned(), Some("recipient_opted_out".to_owned()))
        } else if let Some((status, code)) = workspace.fates.get(to) {
            (status.clone(), Some(code.clone()))
        } else if delivers {
            ("delivered".to_owned(), None)
        } else {
            ("accepted".to_owned(), None)
        };
        let text = Text {
            id,
            inbound: false,
            from: from.to_owned(),
            to: to.to_owned(),
            body: body.to_owned(),
            category: Some(category.to_owned()),
            status,
            error,
            created_at: now,
            changed_at: now,
        };
        let data = text.event(&workspace.id);
        workspace.hooks.queue(&event, &format!("sms.{}", text.status), now, &data, now);
        workspace.texts.push(text.clone());
        // The one who asked hears that it was taken; only a refusal is said at once.
        if stopped { text } else { Text { status: "accepted".to_owned(), error: None, ..text } }
    }
}
