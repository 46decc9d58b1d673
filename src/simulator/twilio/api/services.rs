//! A messaging service.

use http::Method;
use serde_json::json;

use crate::simulator::door::Reply;
use crate::simulator::twilio::door::call::Call;
use crate::simulator::twilio::door::reply::not_found;
use crate::simulator::twilio::world::World;

/// `/v1/Services/{sid}`.
pub fn answer(world: &mut World, account: usize, call: &Call, sid: &str) -> Reply {
    let account = &mut world.accounts[account];
    let Some(service) = account.services.iter_mut().find(|service| service.sid == sid) else {
        return not_found();
    };
    if call.method == Method::POST {
        let url = |name| call.field(name).map(|url| Some(url.to_owned()).filter(|u| !u.is_empty()));
        if let Some(url) = url("InboundRequestUrl") {
            service.inbound_request_url = url;
        }
        if let Some(url) = url("StatusCallback") {
            service.status_callback = url;
        }
        if let Some(on) = call.field("UseInboundWebhookOnNumber") {
            service.use_inbound_webhook_on_number = on == "true";
        }
    }
    let shown = json!({
        "sid": service.sid,
        "account_sid": account.sid,
        "friendly_name": service.name,
        "inbound_request_url": service.inbound_request_url,
        "inbound_method": "POST",
        "status_callback": service.status_callback,
        "use_inbound_webhook_on_number": service.use_inbound_webhook_on_number,
        "usecase": "marketing",
        "sticky_sender": true,
        "date_created": "2026-01-01T00:00:00Z",
    });
    Reply::json(200, &shown)
}
