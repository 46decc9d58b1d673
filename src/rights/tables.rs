//! The same as tables, for a spreadsheet.

use std::io::Write;

use chrono::{DateTime, Utc};

use super::archive::ArchiveError;
use super::dossier::{Change, Dossier, Line, OnList};
use crate::domain::{Actor, Address, Class, MemberStatus};
use crate::store::LinkRow;

/// Writes the lists, one a row.
pub(super) fn lists(dossier: &Dossier) -> Result<Vec<u8>, ArchiveError> {
    let header = [
        "list",
        "provider",
        "region",
        "channel",
        "status there",
        "seen at",
        "signed up at",
        "opted in at",
        "class",
        "because",
        "law",
        "invited at",
        "confirmed",
        "taken back",
        "wording",
    ];
    table(&header, dossier.lists.iter().map(list))
}

fn list(row: &OnList) -> Vec<String> {
    let invited = row.invitation.as_ref();
    vec![
        row.list.clone(),
        text(row.provider.as_deref()),
        text(row.region.as_deref()),
        row.channel.word().to_owned(),
        text(row.there.map(MemberStatus::word)),
        when(row.seen_at),
        when(row.signed_up_at),
        when(row.opted_in_at),
        text(row.class.map(Class::word)),
        text(row.because),
        text(row.law.as_deref()),
        when(invited.map(|invited| invited.sent_at)),
        invited.map(|invited| yes(invited.confirmed)).unwrap_or_default(),
        invited.map(|invited| yes(invited.voided)).unwrap_or_default(),
        text(invited.and_then(|invited| invited.wording.as_deref())),
    ]
}

/// Writes the ledger, one line a row.
pub(super) fn ledger(dossier: &Dossier) -> Result<Vec<u8>, ArchiveError> {
    let header = [
        "number",
        "what",
        "whose",
        "channel",
        "list",
        "at",
        "recorded at",
        "by",
        "method",
        "learned from",
        "wording",
        "evidence",
        "purpose",
        "reason",
        "commitment",
        "code",
        "key",
    ];
    table(&header, dossier.ledger.iter().map(line))
}

fn line(line: &Line) -> Vec<String> {
    vec![
        line.number.to_string(),
        line.kind.word().to_owned(),
        line.whose.words().to_owned(),
        line.channel.map_or("every", |channel| channel.word()).to_owned(),
        text(line.list.as_deref()),
        when(line.at),
        when(Some(line.recorded_at)),
        text(line.by.map(Actor::word)),
        text(line.method.as_deref()),
        text(line.source.as_deref()),
        text(line.wording.as_deref()),
        text(line.evidence.as_deref()),
        text(line.purpose.as_deref()),
        text(line.reason.as_deref()),
        line.commitment.clone(),
        line.code.clone(),
        line.key.clone(),
    ]
}

/// Writes the changes at providers, one a row.
pub(super) fn changes(dossier: &Dossier) -> Result<Vec<u8>, ArchiveError> {
    let header = [
        "list",
        "provider",
        "what",
        "because",
        "law",
        "state",
        "decided at",
        "sent at",
        "settled at",
        "disclosed",
    ];
    table(&header, dossier.changes.iter().map(change))
}

fn change(change: &Change) -> Vec<String> {
    vec![
        change.list.clone(),
        text(change.provider.as_deref()),
        change.what.word().to_owned(),
        text(change.because),
        text(change.law.as_deref()),
        change.state.word().to_owned(),
        when(Some(change.planned_at)),
        when(change.sent_at),
        when(change.settled_at),
        change.disclosed.join("; "),
    ]
}

/// Begins the table of a list's members.
pub(super) fn members<W: Write>(to: W) -> Result<Table<W>, ArchiveError> {
    Table::begin(
        to,
        &[
            "link",
            "channel",
            "address",
            "patients",
            "status there",
            "seen at",
            "class",
            "because",
            "invited at",
            "confirmed",
        ],
    )
}

/// Writes one member of a list as a row.
pub(super) fn member(row: &LinkRow) -> Vec<String> {
    let (observed, invited) = (row.link.observed.as_ref(), row.link.invitation.as_ref());
    let contact = row.facts.contact.as_ref();
    let address = contact.and_then(|contact| contact.address.as_ref());
    let holders = row.facts.holders.iter().filter(|holder| holder.holds_now);
    let patients: Vec<&str> = holders.map(|h| h.patient.record.source_id.as_str()).collect();
    vec![
        row.link.id.to_string(),
        row.channel.word().to_owned(),
        text(address.map(Address::expose)),
        patients.join("; "),
        text(observed.map(|observed| observed.status.word())),
        when(observed.map(|observed| observed.seen_at)),
        text(row.planned.map(|(class, _)| class.word())),
        text(row.planned.map(|(_, reason)| reason.sentence())),
        when(invited.map(|invited| invited.sent_at)),
        invited.map(|invited| yes(invited.confirmed)).unwrap_or_default(),
    ]
}

fn table(
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let mut table = Table::begin(&mut bytes, header)?;
    for row in rows {
        table.row(&row)?;
    }
    table.end()?;
    Ok(bytes)
}

/// A table that is being written.
pub(super) struct Table<W: Write>(csv::Writer<W>);

impl<W: Write> Table<W> {
    fn begin(to: W, header: &[&str]) -> Result<Self, ArchiveError> {
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(header)?;
        Ok(Self(writer))
    }

    pub(super) fn row(&mut self, cells: &[String]) -> Result<(), ArchiveError> {
        Ok(self.0.write_record(cells.iter().map(|cell| harmless(cell)))?)
    }

    pub(super) fn end(mut self) -> Result<(), ArchiveError> {
        Ok(self.0.flush()?)
    }
}

/// Keeps a spreadsheet from taking a text for a formula. A telephone number is none.
fn harmless(cell: &str) -> String {
    let is_number = cell
        .strip_prefix('+')
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number {
        return format!("'{cell}");
    }
    cell.to_owned()
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn when(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_a_formula_stays_a_text() {
        assert_eq!(harmless("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(harmless("@SUM(1)"), "'@SUM(1)");
        assert_eq!(harmless("+1+cmd|' /C calc'!A0"), "'+1+cmd|' /C calc'!A0");
        assert_eq!(harmless("by hand"), "by hand");
        assert_eq!(harmless("+442079460958"), "+442079460958", "a number is one for machines");
    }
}
