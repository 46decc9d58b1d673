//! The merge fields of an audience.

use serde_json::{Value, json};

use crate::simulator::mailchimp::api::query::window;
use crate::simulator::mailchimp::api::schema::Reader;
use crate::simulator::mailchimp::api::{Answer, Context};
use crate::simulator::mailchimp::audience::merge::{MergeField, TYPES};
use crate::simulator::mailchimp::door::problem::Problem;

const SCHEMA: &[(&str, &str)] = &[
    ("tag", "string"),
    ("name", "string"),
    ("type", "string"),
    ("required", "boolean"),
    ("public", "boolean"),
];

/// `GET /lists/{list_id}/merge-fields`
pub fn index(cx: &mut Context, list: &str) -> Answer {
    let (count, offset) = window(cx.call)?;
    let kind = cx.call.param("type");
    let required = cx.call.param("required").map(|text| text == "true");
    let audience = cx.audience(list)?;
    let admits = |field: &&MergeField| {
        kind.is_none_or(|kind| field.kind == kind) && required.is_none_or(|r| field.required == r)
    };
    let found: Vec<Value> =
        audience.merge_fields.iter().filter(admits).map(|f| f.json(list)).collect();
    let total = found.len();
    let page: Vec<Value> = found.into_iter().skip(offset).take(count).collect();
    cx.show(json!({"merge_fields": page, "list_id": list, "total_items": total, "_links": []}))
}

/// `POST /lists/{list_id}/merge-fields`
pub fn create(cx: &mut Context, list: &str) -> Answer {
    cx.audience(list)?;
    let body = cx.call.json()?;
    let mut reader = Reader::new(&body, SCHEMA)?;
    let name = reader.text("name").unwrap_or_default();
    let kind = reader.text("type").unwrap_or_default();
    if name.is_empty() {
        reader.refuse("name", "This value should not be blank.");
    }
    if !TYPES.contains(&kind) {
        let accepted = TYPES.join(", ");
        reader.refuse(
            "type",
            format!("Data presented is not one of the accepted values: {accepted}"),
        );
    }
    let tag = reader.text("tag").unwrap_or_default().to_uppercase();
    reader.done()?;
    let audience = cx.audience(list)?;
    let merge_id = audience.merge_fields.iter().map(|f| f.merge_id).max().unwrap_or_default() + 1;
    let tag = if tag.is_empty() { format!("MMERGE{merge_id}") } else { tag };
    if audience.merge_fields.iter().any(|field| field.tag == tag) {
        return Err(Problem::new(
            400,
            "Invalid Resource",
            format!("A Merge Field with the tag \"{tag}\" already exists for this list."),
        ));
    }
    let mut field = MergeField::new(merge_id, &tag, name, kind);
    field.required = body["required"].as_bool().unwrap_or_default();
    field.public = body["public"].as_bool().unwrap_or_default();
    let shown = field.json(list);
    audience.merge_fields.push(field);
    cx.show(shown)
}
