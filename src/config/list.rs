//! A list of a clinic, and what the clinic decided about it.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::section::Section;
use super::{AccountConfig, Attestation, ListConfig, ListRef, asking};
use crate::domain::Channel;
use crate::domain::policy::{
    Brake, CleanedMembers, FieldMapping, LeaveBy, PatientField, Policy, ReturnBy, Selector,
    SharedFields, SoftOptInEntry,
};
use crate::patients::nearest::nearest;
use crate::providers::{PROVIDERS, provider};

/// The three choices about members nobody knows (L22), for whoever has not chosen.
const UNKNOWN: &str = "Choose what becomes of members whom the clinic never knew: \
    \"keep\" (they stay, and are counted), \"report\" (they stay, and are counted and named in reports), \
    \"archive\" (they are taken off once an admin has approved the first plan)";

/// The two choices about members without proof (L21).
const UNPROVEN: &str = "Choose what becomes of subscribed members without proof that they asked: \
    \"hold\" (they stay, and are counted as unproven), \
    \"archive_and_invite\" (they are taken off and asked to confirm once an admin has approved the first plan)";

/// What the clinic decided for all of its lists.
pub(super) struct OfClinic {
    pub(super) title: String,
    pub(super) age_of_consent: u8,
    pub(super) time_zone: Tz,
}

/// Reads a list. Mistakes are reported; what is missing then leaves no list.
pub(super) fn read(
    name: &str,
    section: Section<'_>,
    clinic: &OfClinic,
    accounts: &BTreeMap<String, AccountConfig>,
    names: &[&str],
) -> Option<ListConfig> {
    section.check_slug("", name);
    let account = account(&section, accounts, names);
    let audience = section.required("audience", "Write the provider's id of the list");
    let channel = channel(&section, account.as_deref().and_then(|name| accounts.get(name)));
    let shared_with = ListRef::read_all(&section);
    let policy = policy(&section, channel, clinic);
    let attested = attested(&section, policy.as_ref());
    section.end();
    Some(ListConfig {
        slug: name.to_owned(),
        account: account?,
        audience: audience?,
        shared_with,
        attested,
        policy: policy?,
    })
}

fn account(
    section: &Section<'_>,
    accounts: &BTreeMap<String, AccountConfig>,
    names: &[&str],
) -> Option<String> {
    let account = section.required("account", "Write the name of one of the [accounts.…]")?;
    if names.contains(&account.as_str()) {
        // An account with mistakes has been reported itself.
        return accounts.contains_key(&account).then_some(account);
    }
    let cure = nearest(&account, names.iter().copied()).map_or_else(
        || "Add [accounts.NAME], or correct the name".to_owned(),
        |meant| format!("Did you mean {meant}?"),
    );
    section.problem("account", "is no account of this clinic", &cure);
    None
}

fn channel(section: &Section<'_>, account: Option<&AccountConfig>) -> Channel {
    let of_provider = account.and_then(|account| provider(&account.provider)).map(|p| p.channel);
    let of_provider = of_provider.unwrap_or(PROVIDERS[0].channel);
    let channel = section.word("channel", of_provider);
    if channel != of_provider {
        let cure = format!("Its lists are on {of_provider}: remove the line");
        section.problem("channel", "is not the channel of the provider's lists", &cure);
    }
    of_provider
}

fn policy(section: &Section<'_>, channel: Channel, clinic: &OfClinic) -> Option<Policy> {
    let unknown = section.choice("unknown", UNKNOWN);
    let unproven = section.choice("unproven", UNPROVEN);
    let policy = Policy {
        channel,
        purpose: section.text("purpose"),
        selector: selector(section.section("selector")),
        double_opt_in: section.flag("double_opt_in", true),
        soft_opt_in: section.word("soft_opt_in", SoftOptInEntry::Refuse),
        age_of_consent: clinic.age_of_consent,
        unknown: unknown.unwrap_or(crate::domain::policy::UnknownMembers::Report),
        unproven: unproven.unwrap_or(crate::domain::policy::UnprovenMembers::Hold),
        on_drop: section.word("on_drop", LeaveBy::Archive),
        on_return: section.word("on_return", ReturnBy::Invite),
        cleaned: section.word("cleaned", CleanedMembers::Erase),
        shared_fields: section.word("shared_fields", SharedFields::None),
        grandfather_before: section.day("grandfather_before"),
        invitation_expires: match channel {
            Channel::Email => section.duration("invitation_expires", "30d", "1d"),
            Channel::Sms => section.duration("invitation_expires", "72h", "1h"),
        },
        asking: (channel == Channel::Sms).then(|| asking::read(section, clinic)),
        unadopted_after: section.duration("unadopted_after", "30d", "1d"),
        fields: fields(section),
        tags: section.text_map("tags"),
        brake: brake(section.section("brake")),
        freshness: section.duration("freshness", "24h", "1h"),
        retiring: false,
    };
    (unknown.is_some() && unproven.is_some()).then_some(policy)
}

fn selector(section: Section<'_>) -> Selector {
    let selector = Selector {
        any: section.text_set("any"),
        all: section.text_set("all"),
        none: section.text_set("none"),
    };
    let impossible = !selector.all.is_disjoint(&selector.none)
        || (!selector.any.is_empty() && selector.any.is_subset(&selector.none));
    if impossible {
        section.problem(
            "none",
            "excludes everybody the rest asks for",
            "Remove the tag from one of the two",
        );
    }
    section.end();
    selector
}

fn fields(section: &Section<'_>) -> Vec<FieldMapping> {
    let table = section.section("fields");
    let mut fields = Vec::new();
    for (field, from) in section.text_map("fields") {
        match from.parse::<PatientField>() {
            Ok(from) => fields.push(FieldMapping { field, from }),
            Err(unknown) => {
                let cure = format!("Only these leave the clinic: {}", unknown.choices.join(", "));
                table.problem(&field, "is mapped from something that may not leave", &cure);
            }
        }
    }
    fields
}

fn brake(section: Section<'_>) -> Brake {
    let usual = Brake::default();
    let brake = Brake {
        percent: section.number("percent", usual.percent, 1..=100),
        at_least: section.number("at_least", usual.at_least, 0..=1_000_000),
        at_most: section.number("at_most", usual.at_most, 1..=1_000_000),
        invitations: section.number("invitations", usual.invitations, 0..=1_000_000),
    };
    if brake.at_most < brake.at_least {
        section.problem("at_most", "is less than at_least", "Raise it, or lower at_least");
    }
    section.end();
    brake
}

/// The chance to refuse in every message is an admin's word, wherever soft opt-ins count (L5).
fn attested(list: &Section<'_>, policy: Option<&Policy>) -> Option<Attestation> {
    const CURE: &str = "A soft opt-in counts only where every message offers a simple way to refuse. An admin who has seen to that writes attested = { by = \"NAME\", on = 2026-01-31 }";
    let section = list.section("attested");
    let wanted = policy.is_some_and(|policy| policy.soft_opt_in != SoftOptInEntry::Refuse);
    if !section.is_there() {
        if wanted {
            list.missing("attested", CURE);
        }
        return None;
    }
    let by = section.required("by", CURE);
    if section.item("on").is_none() {
        section.missing("on", CURE);
    }
    let on = section.day("on");
    section.end();
    Some(Attestation { by: by?, on: on? })
}
