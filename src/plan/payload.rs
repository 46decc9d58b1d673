//! What leaves with a member: mapped fields and allow-listed tags, nothing else (L7, L25).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::Wanted;
use crate::domain::operation::Payload;
use crate::domain::policy::SharedFields;
use crate::domain::{Personal, Policy};

/// Longest text a provider keeps in a field, in bytes (Mailchimp: 255, cut silently).
const LONGEST: usize = 255;

/// Returns the fields and tags a wanted contact carries on the list.
///
/// Where a shared address is to carry nobody's fields, it carries nobody's tags either.
#[must_use]
pub fn payload(wanted: &Wanted<'_>, policy: &Policy) -> Payload {
    let nobodys = wanted.shared && policy.shared_fields == SharedFields::None;
    let record = &wanted.holder.patient.record;
    let field = |from: crate::domain::policy::PatientField| {
        if nobodys { Personal::default() } else { cut(&from.of(record)) }
    };
    Payload {
        fields: policy.fields.iter().map(|m| (m.field.clone(), field(m.from))).collect(),
        tags: policy
            .tags
            .iter()
            .map(|(ours, theirs)| (theirs.clone(), !nobodys && record.tags.contains(ours)))
            .collect(),
    }
}

fn cut(text: &Personal) -> Personal {
    let text = text.expose();
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Personal::new(&text[..end])
}

/// Digests fields and tags, so that two sides compare without keeping the provider's copy.
#[must_use]
pub fn digest(payload: &Payload) -> i64 {
    if payload.fields.is_empty() && payload.tags.is_empty() {
        return 0;
    }
    let mut hash = Sha256::new();
    for (field, text) in &payload.fields {
        for part in [field.as_str(), text.expose()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
    }
    for (tag, _) in payload.tags.iter().filter(|(_, carried)| **carried) {
        hash.update([1]);
        hash.update(tag.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    i64::from_be_bytes(first)
}

/// Digests what a provider shows of a member, as far as the policy maps it.
#[must_use]
pub fn digest_shown(
    fields: &BTreeMap<String, Personal>,
    tags: &BTreeSet<String>,
    policy: &Policy,
) -> i64 {
    let shown = |name: &String| fields.get(name).cloned().unwrap_or_default();
    digest(&Payload {
        fields: policy.fields.iter().map(|m| (m.field.clone(), shown(&m.field))).collect(),
        tags: policy.tags.values().map(|tag| (tag.clone(), tags.contains(tag))).collect(),
    })
}
