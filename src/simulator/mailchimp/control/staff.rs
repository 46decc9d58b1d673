//! What staff of the clinic do in Mailchimp's web app.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ControlError;
use crate::simulator::mailchimp::Simulator;
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::entry::{Entry, Writer};
use crate::simulator::mailchimp::audience::member::{Party, Source, Status};
use crate::simulator::mailchimp::audience::refusal::Refusal;

/// Something staff do to one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum StaffAct {
    /// Put the member away, whatever its state.
    Archive,
    /// Erase the member for ever.
    DeletePermanently,
    /// Change fields.
    Edit {
        /// Merge fields by tag.
        merge_fields: Map<String, Value>,
    },
    /// Opt the member out.
    Unsubscribe,
    /// Add somebody by hand.
    Add {
        /// The state to add them in.
        status: Status,
        /// Merge fields by tag.
        #[serde(default)]
        merge_fields: Map<String, Value>,
    },
}

/// One line of a file that staff import.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportRow {
    /// The address.
    pub email: String,
    /// Merge fields by tag.
    #[serde(default)]
    pub merge_fields: Map<String, Value>,
    /// Tag names.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// What became of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Subscribed now.
    pub imported: usize,
    /// Opted out, bounced, forgotten, fake or a role.
    pub skipped: usize,
}

/// Staff at work on one list.
#[derive(Debug, Clone)]
pub struct Staff {
    simulator: Simulator,
    list_id: String,
}

impl Simulator {
    /// Returns the staff at work on a list.
    #[must_use]
    pub fn staff(&self, list_id: &str) -> Staff {
        Staff { simulator: self.clone(), list_id: list_id.to_owned() }
    }
}

impl Staff {
    /// Put a member away.
    pub fn archive(&self, email: &str) -> Result<(), ControlError> {
        self.act(email, &StaffAct::Archive)
    }

    /// Erase a member for ever.
    pub fn delete_permanently(&self, email: &str) -> Result<(), ControlError> {
        self.act(email, &StaffAct::DeletePermanently)
    }

    /// Opt a member out.
    pub fn unsubscribe(&self, email: &str) -> Result<(), ControlError> {
        self.act(email, &StaffAct::Unsubscribe)
    }

    /// Change one field.
    pub fn edit(&self, email: &str, tag: &str, value: &str) -> Result<(), ControlError> {
        let merge_fields = Map::from_iter([(tag.to_owned(), value.into())]);
        self.act(email, &StaffAct::Edit { merge_fields })
    }

    /// Add somebody by hand, as subscribed.
    pub fn add(&self, email: &str) -> Result<(), ControlError> {
        self.act(email, &StaffAct::Add { status: Status::Subscribed, merge_fields: Map::new() })
    }

    /// Import a file, everybody as subscribed.
    pub fn import(&self, rows: &[ImportRow]) -> Result<Imported, ControlError> {
        self.simulator.with(|world| {
            let writer = Writer::of(Party::Admin, Source::Import, None, world.second());
            let audience = world.audience_mut(&self.list_id).ok_or(ControlError::NoSuchList)?;
            let taken = rows.iter().filter(|row| audience.import(row, &writer).is_ok()).count();
            Ok(Imported { imported: taken, skipped: rows.len() - taken })
        })
    }

    /// Switch the signing of all webhooks off.
    pub fn stop_signing(&self) -> Result<(), ControlError> {
        self.simulator.with(|world| {
            let audience = world.audience_mut(&self.list_id).ok_or(ControlError::NoSuchList)?;
            audience.hooks.webhooks.iter_mut().for_each(|hook| hook.secret = None);
            Ok(())
        })
    }

    /// Do one thing to one member.
    pub fn act(&self, email: &str, act: &StaffAct) -> Result<(), ControlError> {
        self.simulator.with(|world| {
            let writer = Writer::of(Party::Admin, Source::AdminAdd, None, world.second());
            let audience = world.audience_mut(&self.list_id).ok_or(ControlError::NoSuchList)?;
            if let StaffAct::Add { status, merge_fields } = act {
                let entry = Entry { status: Some(*status), ..entry(email, merge_fields) };
                audience.create(&entry, &writer)?;
                return Ok(());
            }
            let slot = audience.roster.by_email(email).ok_or(ControlError::NoSuchMember)?;
            match act {
                StaffAct::Archive => audience.archive(slot, &writer)?,
                StaffAct::DeletePermanently => audience.delete_permanently(slot, &writer)?,
                StaffAct::Unsubscribe => {
                    let entry = Entry { status: Some(Status::Unsubscribed), ..Entry::default() };
                    audience.update(slot, &entry, &writer)?;
                }
                StaffAct::Edit { merge_fields } => {
                    let entry = Entry { email: None, ..entry(email, merge_fields) };
                    audience.update(slot, &entry, &writer)?;
                }
                StaffAct::Add { .. } => {}
            }
            Ok(())
        })
    }
}

impl Audience {
    /// Takes one line of a file: nobody who opted out or bounced is brought back.
    fn import(&mut self, row: &ImportRow, writer: &Writer) -> Result<(), Refusal> {
        let mut entry = entry(&row.email, &row.merge_fields);
        entry.tags.clone_from(&row.tags);
        let known = self.roster.by_email(&row.email);
        let status = known.and_then(|slot| self.roster.get(slot)).map(|member| member.status);
        match (known, status) {
            (Some(slot), Some(Status::Subscribed)) => {
                self.update(slot, &entry, writer)?;
                let tags: Vec<_> = row.tags.iter().map(|tag| (tag.clone(), true)).collect();
                self.tag(slot, &tags, writer)
            }
            (_, None | Some(Status::Archived))
                if !super::super::audience::email::is_role(&row.email) =>
            {
                entry.status = Some(Status::Subscribed);
                self.create(&entry, writer).map(drop)
            }
            _ => Err(Refusal::BadRequest("skipped by the import".to_owned())),
        }
    }
}

fn entry(email: &str, merge_fields: &Map<String, Value>) -> Entry {
    Entry { email: Some(email.to_owned()), merges: Some(merge_fields.clone()), ..Entry::default() }
}
