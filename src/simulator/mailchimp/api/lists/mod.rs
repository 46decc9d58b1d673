//! Audiences, which the API calls lists.

pub mod merge_fields;
pub mod webhooks;

use serde_json::{Map, Value, json};

use super::query::window;
use super::schema::Reader;
use super::{Answer, Context};
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::member::Stamp;

/// What a list cannot be made without.
const REQUIRED: [&str; 5] =
    ["name", "contact", "permission_reminder", "campaign_defaults", "email_type_option"];

const SCHEMA: &[(&str, &str)] = &[
    ("name", "string"),
    ("contact", "object"),
    ("permission_reminder", "string"),
    ("use_archive_bar", "boolean"),
    ("campaign_defaults", "object"),
    ("notify_on_subscribe", "string"),
    ("notify_on_unsubscribe", "string"),
    ("email_type_option", "boolean"),
    ("double_optin", "boolean"),
    ("marketing_permissions", "boolean"),
];

/// `GET /lists`
pub fn index(cx: &mut Context) -> Answer {
    let (count, offset) = window(cx.call)?;
    let (now, lagging) = (cx.second(), cx.settings.lagging_stats);
    let email = cx.call.param("email");
    let holds = |audience: &Audience| email.is_none_or(|e| audience.roster.by_email(e).is_some());
    let audiences = cx.account.audiences.iter_mut().filter(|audience| holds(audience));
    let found: Vec<Value> = audiences.map(|audience| json(audience, now, lagging)).collect();
    let total = found.len();
    let page: Vec<Value> = found.into_iter().skip(offset).take(count).collect();
    cx.show(json!({
        "lists": page,
        "total_items": total,
        "constraints": {"may_create": true, "max_instances": 100, "current_total_instances": total},
        "_links": [],
    }))
}

/// `POST /lists`
pub fn create(cx: &mut Context) -> Answer {
    let body = cx.call.json()?;
    let mut reader = Reader::new(&body, SCHEMA)?;
    for field in REQUIRED.iter().filter(|field| body.get(**field).is_none()) {
        reader.refuse(field, "This value should not be blank.");
    }
    let name = reader.text("name").unwrap_or_default();
    reader.done()?;
    let mut audience = Audience::new(name, cx.seed, cx.second());
    apply(&mut audience, &body);
    let shown = json(&mut audience, cx.second(), false);
    cx.account.audiences.push(audience);
    cx.show(shown)
}

/// `GET /lists/{list_id}`
pub fn read(cx: &mut Context, list: &str) -> Answer {
    let (now, lagging) = (cx.second(), cx.settings.lagging_stats);
    let shown = json(cx.audience(list)?, now, lagging);
    cx.show(shown)
}

/// `PATCH /lists/{list_id}`
pub fn update(cx: &mut Context, list: &str) -> Answer {
    cx.audience(list)?;
    let body = cx.call.json()?;
    Reader::new(&body, SCHEMA)?.done()?;
    apply(cx.audience(list)?, &body);
    read(cx, list)
}

fn apply(audience: &mut Audience, body: &Value) {
    if let Some(name) = body["name"].as_str() {
        name.clone_into(&mut audience.name);
    }
    audience.double_optin = body["double_optin"].as_bool().unwrap_or(audience.double_optin);
    audience.marketing_permissions =
        body["marketing_permissions"].as_bool().unwrap_or(audience.marketing_permissions);
    let mut settings = match audience.settings.take() {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    for (name, _) in SCHEMA {
        if let Some(value) = body.get(*name) {
            settings.insert((*name).to_owned(), value.clone());
        }
    }
    audience.settings = Value::Object(settings);
}

fn json(audience: &mut Audience, now: Stamp, lagging: bool) -> Value {
    let stats = audience.shown_stats(now, lagging);
    let setting =
        |name: &str, default: Value| audience.settings.get(name).cloned().unwrap_or(default);
    json!({
        "id": audience.id,
        "web_id": audience.web_id,
        "name": audience.name,
        "contact": setting("contact", contact(&audience.name)),
        "permission_reminder": setting("permission_reminder", json!("You are a patient of ours.")),
        "use_archive_bar": setting("use_archive_bar", json!(true)),
        "campaign_defaults": setting("campaign_defaults", campaign_defaults(&audience.name)),
        "notify_on_subscribe": setting("notify_on_subscribe", json!("")),
        "notify_on_unsubscribe": setting("notify_on_unsubscribe", json!("")),
        "date_created": audience.date_created.text(),
        "list_rating": 3,
        "email_type_option": setting("email_type_option", json!(false)),
        "subscribe_url_short": "",
        "subscribe_url_long": "",
        "beamer_address": "",
        "visibility": "prv",
        "double_optin": audience.double_optin,
        "has_welcome": false,
        "marketing_permissions": audience.marketing_permissions,
        "modules": [],
        "stats": {
            "member_count": stats.subscribed,
            "total_contacts": stats.total,
            "unsubscribe_count": stats.unsubscribed,
            "cleaned_count": stats.cleaned,
            "member_count_since_send": stats.subscribed,
            "unsubscribe_count_since_send": stats.unsubscribed,
            "cleaned_count_since_send": stats.cleaned,
            "campaign_count": 0,
            "campaign_last_sent": "",
            "merge_field_count": audience.merge_fields.len(),
            "avg_sub_rate": 0, "avg_unsub_rate": 0, "target_sub_rate": 0,
            "open_rate": 0, "click_rate": 0,
            "last_sub_date": "",
            "last_unsub_date": "",
        },
        "_links": [],
    })
}

fn contact(company: &str) -> Value {
    json!({"company": company, "address1": "1 High Street", "address2": "", "city": "London",
           "state": "", "zip": "N1 1AA", "country": "GB", "phone": ""})
}

fn campaign_defaults(name: &str) -> Value {
    json!({"from_name": name, "from_email": "news@clinic.test", "subject": "", "language": "en"})
}
