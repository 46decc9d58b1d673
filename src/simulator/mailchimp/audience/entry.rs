//! What a writer says about a member, and who the writer is.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::Audience;
use super::member::{Member, Party, Source, Stamp, Status};
use super::refusal::{FieldError, Refusal};

/// What a request says about a member; what it leaves out stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The address.
    pub email: Option<String>,
    /// The status to take.
    pub status: Option<Status>,
    /// The status to take if the member is new.
    pub status_if_new: Option<Status>,
    /// Wants HTML mail.
    pub html: Option<bool>,
    /// Merge fields by tag; unknown tags are ignored.
    pub merges: Option<Map<String, Value>>,
    /// The language code.
    pub language: Option<String>,
    /// Marked as important.
    pub vip: Option<bool>,
    /// Where the sign-up came from.
    pub ip_signup: Option<IpAddr>,
    /// When.
    pub timestamp_signup: Option<Stamp>,
    /// Where the opt-in came from.
    pub ip_opt: Option<IpAddr>,
    /// When.
    pub timestamp_opt: Option<Stamp>,
    /// Marketing permissions by id.
    pub permissions: Vec<(String, bool)>,
    /// Tag names; obeyed for new members only.
    pub tags: Vec<String>,
}

/// Who writes, when, and under which rules.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// The present second.
    pub now: Stamp,
    /// Who.
    pub party: Party,
    /// From where.
    pub ip: Option<IpAddr>,
    /// How new members came in.
    pub source: Source,
    /// Takes malformed and missing merge fields.
    pub skip_merge_validation: bool,
}

impl Writer {
    /// Someone other than a caller of the API, whom merge validation does not stop.
    #[must_use]
    pub fn of(party: Party, source: Source, ip: Option<IpAddr>, now: Stamp) -> Self {
        Self { now, party, ip, source, skip_merge_validation: true }
    }
}

impl Audience {
    /// Writes everything but address, status and tags of `entry` into `member`.
    pub(super) fn fill(
        &self,
        member: &mut Member,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<(), Refusal> {
        if let Some(merges) = &entry.merges {
            self.fill_merges(member, merges, writer)?;
        }
        self.fill_permissions(member, &entry.permissions);
        let detail = &mut member.detail;
        detail.html = entry.html.unwrap_or(detail.html);
        detail.vip = entry.vip.unwrap_or(detail.vip);
        detail.ip_signup = entry.ip_signup.or(detail.ip_signup);
        detail.ip_opt = entry.ip_opt.or(detail.ip_opt);
        if let Some(language) = &entry.language {
            detail.language = language.as_str().into();
        }
        member.timestamp_signup = entry.timestamp_signup.unwrap_or(member.timestamp_signup);
        member.timestamp_opt = entry.timestamp_opt.unwrap_or(member.timestamp_opt);
        Ok(())
    }

    fn fill_merges(
        &self,
        member: &mut Member,
        merges: &Map<String, Value>,
        writer: &Writer,
    ) -> Result<(), Refusal> {
        let mut errors = Vec::new();
        for field in &self.merge_fields {
            let Some(value) = merges.get(&field.tag) else { continue };
            match field.read(value, writer.skip_merge_validation) {
                Ok(value) => member.set_merge(field.merge_id, value),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(Refusal::MergeFields(errors)) }
    }

    fn fill_permissions(&self, member: &mut Member, permissions: &[(String, bool)]) {
        if permissions.is_empty() {
            return;
        }
        let ids = self.permission_ids();
        for (id, enabled) in permissions {
            if let Some(bit) = ids.iter().position(|known| known == id) {
                let mask = 1_u8 << bit;
                let bits = &mut member.detail.permissions;
                *bits = if *enabled { *bits | mask } else { *bits & !mask };
            }
        }
    }

    /// Refuses a member that leaves a required merge field empty.
    pub(super) fn check_required(&self, member: &Member, writer: &Writer) -> Result<(), Refusal> {
        if writer.skip_merge_validation {
            return Ok(());
        }
        let missing = |field: &&super::MergeField| {
            field.required
                && member.merge(field.merge_id).is_none_or(super::merge::MergeValue::is_empty)
        };
        let errors: Vec<_> = self
            .merge_fields
            .iter()
            .filter(missing)
            .map(|field| FieldError::new(&field.tag, "Please enter a value"))
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(Refusal::MergeFields(errors)) }
    }
}

impl Member {
    /// Returns the value of a merge field.
    #[must_use]
    pub fn merge(&self, merge_id: u16) -> Option<&super::merge::MergeValue> {
        let place = self.detail.merges.binary_search_by_key(&merge_id, |(id, _)| *id).ok()?;
        Some(&self.detail.merges[place].1)
    }

    /// Sets or, with an empty value, clears a merge field.
    pub fn set_merge(&mut self, merge_id: u16, value: super::merge::MergeValue) {
        let merges = &mut self.detail.merges;
        match (merges.binary_search_by_key(&merge_id, |(id, _)| *id), value.is_empty()) {
            (Ok(place), true) => drop(merges.remove(place)),
            (Ok(place), false) => merges[place].1 = value,
            (Err(_), true) => {}
            (Err(place), false) => merges.insert(place, (merge_id, value)),
        }
    }
}
