//! A digest of a policy, by which a changed one is noticed.

use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::domain::policy::{Asking, Brake, FieldMapping, Hours, Policy, Selector};

/// Returns a digest that is the same for the same policy, in every version of the program that
/// knows the same rules: a changed policy has its list planned anew.
///
/// It takes every field apart by name, so that a new one cannot be forgotten here.
#[must_use]
pub fn policy_digest(policy: &Policy) -> String {
    let Policy {
        channel,
        purpose,
        selector: Selector { any, all, none },
        double_opt_in,
        soft_opt_in,
        age_of_consent,
        unknown,
        unproven,
        on_drop,
        on_return,
        cleaned,
        shared_fields,
        grandfather_before,
        invitation_expires,
        asking,
        unadopted_after,
        fields,
        tags,
        brake: Brake { percent, at_least, at_most, invitations },
        freshness,
        retiring,
    } = policy;
    let fields: Vec<_> =
        fields.iter().map(|FieldMapping { field, from }| (field, from.word())).collect();
    let text = json!({
        "channel": channel, "purpose": purpose, "any": any, "all": all, "none": none,
        "double_opt_in": double_opt_in, "soft_opt_in": soft_opt_in,
        "age_of_consent": age_of_consent, "unknown": unknown, "unproven": unproven,
        "on_drop": on_drop, "on_return": on_return, "cleaned": cleaned,
        "shared_fields": shared_fields, "grandfather_before": grandfather_before,
        "invitation_expires": seconds(*invitation_expires),
        "asking": asking.as_ref().map(asked_so),
        "unadopted_after": seconds(*unadopted_after), "fields": fields, "tags": tags,
        "brake": [percent, at_least, at_most, invitations], "freshness": seconds(*freshness),
        "retiring": retiring,
    });
    hex::encode(Sha256::digest(text.to_string()))
}

fn asked_so(asking: &Asking) -> serde_json::Value {
    let Asking { text, hours: Hours { from, until, zone } } = asking;
    json!([text, from, until, zone.name()])
}

const fn seconds(duration: TimeDelta) -> i64 {
    duration.num_seconds()
}
