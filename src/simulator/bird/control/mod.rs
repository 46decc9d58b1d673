//! Acting as everyone but the API's caller, and looking on.

pub mod routes;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Simulator;
use super::world::audience::Audience;
use super::world::contact::{Contact, number};
use super::world::preference::Preference;
use super::world::suppression::Suppression;
use super::world::text::Text;
use super::world::{Workspace, World};

/// Why an act did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The workspace's number is wrong.
    #[error("there is no such workspace")]
    NoSuchWorkspace,
    /// The audience's id is wrong.
    #[error("there is no such audience")]
    NoSuchAudience,
    /// Not a number in international form.
    #[error("not a phone number")]
    NoNumber,
}

impl Simulator {
    /// Opens a workspace with a key and a number of its own, and returns its place.
    pub fn open_workspace(&self, key: &str, sender: &str) -> usize {
        self.with(|world| {
            let id = world.id("ws");
            world.workspaces.push(Workspace::new(id, key, sender));
            world.workspaces.len() - 1
        })
    }

    /// Takes a workspace's key away.
    pub fn withdraw_key(&self, place: usize) -> Result<(), ControlError> {
        self.on(place, |workspace, _| workspace.key.clear())
    }

    /// Makes an empty audience and returns its id.
    pub fn open_audience(&self, place: usize, name: &str) -> Result<String, ControlError> {
        let id = self.with(|world| world.id("adn"));
        let audience = id.clone();
        self.on(place, |workspace, now| {
            let name = name.to_owned();
            workspace.audiences.push(Audience { id, name, members: Vec::new(), created_at: now });
        })?;
        Ok(audience)
    }

    /// Deletes an audience, as staff may.
    pub fn delete_audience(&self, id: &str) {
        self.with(|world| {
            for workspace in &mut world.workspaces {
                workspace.audiences.retain(|audience| audience.id != id);
            }
        });
    }

    /// Makes contacts of numbers and puts them on an audience, as staff may.
    pub fn add_members(
        &self,
        audience: &str,
        numbers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), ControlError> {
        for text in numbers {
            let number = number(text.as_ref()).ok_or(ControlError::NoNumber)?;
            self.add(audience, Some(number), None)?;
        }
        Ok(())
    }

    /// Makes a contact of an e-mail address alone and puts it on an audience.
    pub fn add_email(&self, audience: &str, email: &str) -> Result<(), ControlError> {
        self.add(audience, None, Some(email.to_owned()))
    }

    fn add(
        &self,
        audience: &str,
        phone_number: Option<String>,
        email: Option<String>,
    ) -> Result<(), ControlError> {
        self.with(|world| {
            let (id, now) = (world.id("con"), world.now);
            let mut workspaces = world.workspaces.iter_mut();
            let workspace = workspaces.find(|own| own.audience(audience).is_some());
            let workspace = workspace.ok_or(ControlError::NoSuchAudience)?;
            let known = phone_number.as_ref().and_then(|number| workspace.by_number(number));
            let id = known.map_or(id, |known| known.id.clone());
            if workspace.contact(&id).is_none() {
                let (created_at, updated_at, external_id) = (now, now, None);
                let id = id.clone();
                let contact =
                    Contact { id, email, phone_number, external_id, created_at, updated_at };
                workspace.contacts.push(contact);
            }
            if let Some(audience) = workspace.audience_mut(audience) {
                audience.add(&id, now);
            }
            Ok(())
        })
    }

    /// Deletes the contact of a number, as staff may.
    pub fn delete_contact(&self, number: &str) {
        self.with(|world| {
            for workspace in &mut world.workspaces {
                let id = workspace.by_number(number).map(|contact| contact.id.clone());
                if let Some(id) = id {
                    workspace.delete_contact(&id);
                }
            }
        });
    }

    /// Lists the numbers that are on an audience, in the order of joining.
    pub fn members(&self, audience: &str) -> Result<Vec<String>, ControlError> {
        self.with(|world| {
            let found =
                world.workspaces.iter().find_map(|own| Some((own, own.audience(audience)?)));
            let (workspace, audience) = found.ok_or(ControlError::NoSuchAudience)?;
            let members = audience.members.iter().filter_map(|(id, _)| workspace.contact(id));
            Ok(members.filter_map(|contact| contact.phone_number.clone()).collect())
        })
    }

    /// Tells whether a number is on an audience.
    #[must_use]
    pub fn has(&self, audience: &str, number: &str) -> bool {
        self.members(audience).is_ok_and(|members| members.iter().any(|member| member == number))
    }

    /// Lists the contacts of all workspaces.
    #[must_use]
    pub fn contacts(&self) -> Vec<Contact> {
        self.with(|world| world.workspaces.iter().flat_map(|own| own.contacts.clone()).collect())
    }

    /// Lists the statements of all workspaces, those of an earlier wording left out.
    #[must_use]
    pub fn preferences(&self) -> Vec<Preference> {
        self.with(|world| world.workspaces.iter().flat_map(|own| own.preferences.clone()).collect())
    }

    /// Lists the suppressions of all workspaces, the ended ones too.
    #[must_use]
    pub fn suppressions(&self) -> Vec<Suppression> {
        self.with(|world| {
            world.workspaces.iter().flat_map(|own| own.suppressions.clone()).collect()
        })
    }

    /// Lists the texts that all workspaces sent, in order.
    #[must_use]
    pub fn outbox(&self) -> Vec<Text> {
        self.with(|world| {
            let texts = world.workspaces.iter().flat_map(|workspace| &workspace.texts);
            texts.filter(|text| !text.inbound).cloned().collect()
        })
    }

    /// Sends a text from a person to a number of the workspace, and returns its id.
    pub fn text(
        &self,
        place: usize,
        from: &str,
        to: &str,
        body: &str,
    ) -> Result<String, ControlError> {
        self.on(place, |_, _| ())?;
        Ok(self.with(|world| world.receive(place, from, to, body)))
    }

    /// Stops a sender's texts to somebody: a carrier's word (`carrier_opted_out`), or staff's.
    pub fn suppress(
        &self,
        place: usize,
        destination: &str,
        originator: &str,
        reason: &str,
    ) -> Result<String, ControlError> {
        self.on(place, |_, _| ())?;
        let origin = if reason == "carrier_opted_out" { "dlr_event" } else { "user" };
        Ok(self.with(|world| {
            let now = world.now;
            world.suppress(place, destination, originator, (reason, origin), now).id
        }))
    }

    /// Says what becomes of texts to a number from now on: a status, and an error's code.
    pub fn fate(
        &self,
        place: usize,
        number: &str,
        (status, code): (&str, &str),
    ) -> Result<(), ControlError> {
        self.on(place, |workspace, _| {
            let fate = (status.to_owned(), code.to_owned());
            workspace.fates.insert(number.to_owned(), fate);
        })
    }

    /// Fires an event of any type to the webhooks that ask for `like`, as a type of a later day
    /// comes to whoever asked for its family.
    pub fn fire(
        &self,
        place: usize,
        like: &str,
        kind: &str,
        data: &Value,
    ) -> Result<(), ControlError> {
        let event = self.with(|world| world.id("msg"));
        self.on(place, |workspace, now| {
            let before = workspace.hooks.waiting.len();
            workspace.hooks.queue(&event, like, now, data, now);
            for waiting in &mut workspace.hooks.waiting[before..] {
                waiting.body = waiting.body.replacen(like, kind, 1);
                kind.clone_into(&mut waiting.kind);
            }
        })
    }

    /// Works on one workspace.
    fn on<T>(
        &self,
        place: usize,
        work: impl FnOnce(&mut Workspace, DateTime<Utc>) -> T,
    ) -> Result<T, ControlError> {
        self.with(|world: &mut World| {
            let now = world.now;
            let workspace = world.workspaces.get_mut(place);
            workspace.map(|own| work(own, now)).ok_or(ControlError::NoSuchWorkspace)
        })
    }
}
