"""Walks two patients through Bird's own Python client, against the simulator.

In an environment with `messagebird-sdk` 0.106.0, and with what
`cargo run --example bird_simulator` prints as environment: `python bird_client.py`.
"""

import os
import uuid
from datetime import datetime, timedelta, timezone

import httpx
from bird import Bird
from bird._exceptions import APIStatusError
from bird._generated import WebhookEvent

AUDIENCE = os.environ["BIRD_AUDIENCE_ID"]
SENDER = os.environ["BIRD_SENDER"]
ANN, BEN = "+447911123456", "+447911123457"
EVENTS = [
    "sms.received", "sms.delivered", "sms.undelivered", "sms.rejected",
    "sms_suppression.created", "preference.granted", "preference.revoked",
]


def refusal(call, *args, **kwargs):
    """Returns the status and category a call is refused with."""
    try:
        call(*args, **kwargs)
    except APIStatusError as error:
        return error.status_code, error.type
    raise AssertionError("it was not refused")


bird = Bird(api_key=os.environ["BIRD_API_KEY"], base_url=os.environ["BIRD_URL"], max_retries=0)

assert bird.workspace.get().id.startswith("ws_")
assert [audience.id for audience in bird.audiences.list()] == [AUDIENCE]
assert bird.audiences.get(AUDIENCE).name == "News"

batch = bird.contacts.batch(
    contacts=[{"phone_number": ANN}, {"phone_number": "12"}, {"phone_number": BEN}],
    audience_ids=[AUDIENCE],
    match_on="phone_number",
)
assert [row.status.value for row in batch.data] == ["created", "failed", "created"]
ann, ben = batch.data[0].contact_id, batch.data[2].contact_id
members = [member.contact.id for member in bird.audiences.list_contacts(AUDIENCE, limit=1)]
assert members == [ben, ann], members
assert bird.audiences.membership(AUDIENCE).membership.total == 2
found = list(bird.contacts.list(phone_number=[ANN, BEN], limit=100))
assert [row.audiences[0].id for row in found] == [AUDIENCE, AUDIENCE]
assert bird.contacts.get(ann).phone_number == ANN

granted = bird.preferences.create(
    channel="sms", handle=ANN, status="granted", sender_scope=SENDER, source="client.py"
)
assert granted.applied and granted.preference.origin == "api_key"
revoked = bird.preferences.create(channel="sms", handle=ANN, status="revoked", sender_scope=SENDER)
assert revoked.applied
older = datetime.now(timezone.utc) - timedelta(hours=1)
late = bird.preferences.create(
    channel="sms", handle=ANN, status="granted", sender_scope=SENDER, consented_at=older
)
assert not late.applied and late.preference.status.value == "revoked"
assert len(list(bird.preferences.list(channel="sms", handle=ANN))) == 1

name = str(uuid.uuid4())
sent = {
    bird.sms.send(
        to=BEN, from_=SENDER, text="Reply YES", category="marketing",
        options={"idempotency_key": name},
    ).id
    for _ in range(2)
}
assert len(sent) == 1, "one name, one text"
assert bird.sms.get(sent.pop()).status.value == "delivered"
assert [text.to for text in bird.sms.list(direction="outbound", status=["delivered"])] == [BEN]
held = bird.sms.send(to=ANN, from_=SENDER, text="News", category="marketing")
assert held.status.value == "rejected" and held.last_error.code.value == "recipient_opted_out"

suppression = bird.sms_suppressions.add(destination=BEN, originator=SENDER)
assert suppression.reason.value == "manual" and suppression.blocking
assert [row.id for row in bird.sms_suppressions.list()] == [suppression.id]
bird.sms_suppressions.remove(suppression.id)
assert not bird.sms_suppressions.get(suppression.id).blocking

hook = bird.webhooks.create(url="https://clinic.test/hooks", events=EVENTS)
assert hook.secret.startswith("whsec_")
assert bird.webhooks.update(hook.id, status="paused").status.value == "paused"
assert bird.webhooks.rotate_secret(hook.id).secret != hook.secret
assert [row.id for row in bird.webhooks.list()] == [hook.id]

control = os.environ["BIRD_URL"] + "/_control"
bird.webhooks.update(hook.id, status="active")
for number, body in [(BEN, "Hello"), (BEN, "STOP")]:
    text = {"from": number, "to": SENDER, "body": body}
    httpx.post(control + "/workspaces/0/texts", json=text).raise_for_status()
fate = {"number": "+447911123458", "status": "undelivered", "code": "unreachable"}
httpx.post(control + "/workspaces/0/fates", json=fate).raise_for_status()
for number in [BEN, "+447911123458", "+447911123459"]:
    bird.sms.send(to=number, from_=SENDER, text="News", category="marketing")
told = [row["body"] for row in httpx.get(control + "/webhooks").json()]
kinds = [WebhookEvent.model_validate_json(body).root.type for body in told]
assert kinds == [
    "sms.received", "sms.received", "sms_suppression.created", "preference.revoked",
    "sms.rejected", "sms.undelivered", "sms.delivered",
], kinds
bird.webhooks.delete(hook.id)

unknown = "con_01krdgeqcxet5s7t44vh8rt9mg"
both = [ann, unknown]
assert refusal(bird.audiences.remove_contacts, AUDIENCE, contact_ids=both)[0] == 422
bird.audiences.remove_contacts(AUDIENCE, contact_ids=[ann])
bird.audiences.remove_contact(AUDIENCE, ben)
assert bird.audiences.membership(AUDIENCE).membership.total == 0
bird.contacts.delete(ann)
assert refusal(bird.contacts.get, ann) == (404, "not_found_error")
wrong = Bird(api_key="bk_eu1_wrong", base_url=os.environ["BIRD_URL"], max_retries=0)
assert refusal(wrong.workspace.get) == (401, "auth_error")
print("Bird's Python client is content")
