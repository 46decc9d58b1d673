//! What is read again as it was: rows and members known by their digests.

use super::{ManagedList, Practice};
use crate::keys::Digests;
use crate::patients::SourcePage;
use crate::providers::{ListReader, Member};
use crate::store::Store;

/// Another program may read the same otherwise.
const VERSION: &[u8] = env!("CARGO_PKG_VERSION").as_bytes();

/// Returns what digests the rows of a clinic's source.
pub(super) fn of_rows<L: ?Sized>(store: &Store, practice: &Practice<L>) -> Digests {
    store.digests(&[b"patient", practice.id.0.as_bytes(), VERSION])
}

/// Digests the rows of a page; a row that is not valid text has none.
pub(super) fn row_digests(digests: &Digests, page: &SourcePage) -> Vec<Option<i64>> {
    let country = page.country.as_deref().unwrap_or_default().as_bytes();
    let digest = |text: &str| digests.of([country, text.as_bytes()]);
    page.rows.iter().map(|row| row.text.as_deref().map(digest)).collect()
}

/// Returns what digests the members of a list, as its policy reads them.
pub(super) fn of_members<L: ListReader + ?Sized>(store: &Store, list: &ManagedList<L>) -> Digests {
    store.digests(&[b"member", list.row.id.0.as_bytes(), list.digest().as_bytes()])
}

/// Digests all that was read of a member.
pub(super) fn member_digest(digests: &Digests, member: &Member) -> i64 {
    let mut text = Vec::with_capacity(512);
    let mut add = |part: &[u8]| {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    };
    add(member.key.0.as_bytes());
    add(member.address.as_ref().map_or(b"", |address| address.expose().as_bytes()));
    add(member.status.word().as_bytes());
    for at in [member.last_changed, member.signed_up_at, member.opted_in_at] {
        add(&at.map_or(i64::MIN, |at| at.timestamp_millis()).to_be_bytes());
    }
    add(member.entry.word().as_bytes());
    add(&[u8::from(member.complained)]);
    for (field, shown) in &member.fields {
        add(field.as_bytes());
        add(shown.expose().as_bytes());
    }
    add(b"");
    member.tags.iter().for_each(|tag| add(tag.as_bytes()));
    digests.of([text.as_slice()])
}
