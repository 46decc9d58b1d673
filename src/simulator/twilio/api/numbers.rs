//! The numbers of an account, found by any part of them.

use http::Method;
use serde_json::{Value, json};

use crate::simulator::door::Reply;
use crate::simulator::twilio::door::call::Call;
use crate::simulator::twilio::door::reply::not_found;
use crate::simulator::twilio::world::World;
use crate::simulator::twilio::world::account::Number;

/// `IncomingPhoneNumbers.json`.
pub fn collection(world: &World, account: usize, call: &Call) -> Reply {
    let account = &world.accounts[account];
    let part = call.param("PhoneNumber").unwrap_or_default().trim_start_matches('+');
    let numbers = account.numbers.iter().filter(|own| own.e164.contains(part));
    let shown: Vec<Value> = numbers.map(|own| json(own, &account.sid)).collect();
    Reply::json(200, &json!({"incoming_phone_numbers": shown, "next_page_uri": null, "page": 0}))
}

/// `IncomingPhoneNumbers/{sid}.json`.
pub fn single(world: &mut World, account: usize, call: &Call, file: &str) -> Reply {
    let account = &mut world.accounts[account];
    let sid = file.trim_end_matches(".json");
    let Some(own) = account.numbers.iter_mut().find(|own| own.sid == sid) else {
        return not_found();
    };
    if call.method == Method::POST
        && let Some(url) = call.field("SmsUrl")
    {
        url.clone_into(&mut own.sms_url);
    }
    Reply::json(200, &json(own, &account.sid))
}

fn json(own: &Number, account: &str) -> Value {
    json!({
        "sid": own.sid,
        "account_sid": account,
        "phone_number": own.e164,
        "friendly_name": own.e164,
        "capabilities": {"voice": true, "sms": own.sms, "mms": false, "fax": false},
        "sms_url": own.sms_url,
        "sms_method": "POST",
        "sms_application_sid": "",
        "status_callback": "",
        "status": "in-use",
    })
}
