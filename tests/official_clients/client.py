"""Walks one patient through Mailchimp's own Python client."""

import hashlib
import io
import json
import os
import tarfile
import time

import requests
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError

LIST = os.environ["MAILCHIMP_LIST_ID"]
EMAIL = "Py.Patient@clinic-mail.test"
HASH = hashlib.md5(EMAIL.lower().encode()).hexdigest()


def connect():
    client = Client({"api_key": os.environ["MAILCHIMP_API_KEY"]})
    client.api_client.host = os.environ["MAILCHIMP_URL"]
    return client


def refusal(call, *args):
    """Returns the problem a call is refused with."""
    try:
        call(*args)
    except ApiClientError as error:
        return error.status_code, json.loads(error.text)
    raise AssertionError("was not refused")


def finished(client, batch_id):
    for _ in range(100):
        batch = client.batches.status(batch_id)
        if batch["status"] == "finished":
            return batch
        time.sleep(0.1)
    raise AssertionError("the batch never finished")


def outcomes(batch):
    archive = requests.get(batch["response_body_url"], timeout=10).content
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        assert tar.getnames()[0] == "."
        files = [tar.extractfile(member) for member in tar if member.isfile()]
        return [outcome for file in files for outcome in json.load(file)]


def main():
    client = connect()
    assert client.ping.get()["health_status"] == "Everything's Chimpy!"
    assert client.root.get_root()["account_id"]
    assert any(found["id"] == LIST for found in client.lists.get_all_lists()["lists"])
    assert client.lists.get_list(LIST)["double_optin"] is False

    added = client.lists.add_list_member(LIST, {"email_address": EMAIL, "status": "subscribed"})
    assert added["id"] == HASH and added["status"] == "subscribed"
    status, problem = refusal(
        client.lists.add_list_member, LIST, {"email_address": EMAIL, "status": "subscribed"}
    )
    assert (status, problem["title"]) == (400, "Member Exists")

    page = client.lists.get_list_members_info(LIST, count=1000, fields=["members.id", "total_items"])
    assert {"id": HASH} in page["members"]
    changed = client.lists.set_list_member(LIST, HASH, {"merge_fields": {"FNAME": "Py"}})
    assert changed["full_name"] == "Py"
    changed = client.lists.update_list_member(LIST, HASH, {"status": "unsubscribed"})
    assert changed["status"] == "unsubscribed"

    tags = {"tags": [{"name": "knee", "status": "active"}]}
    assert client.lists.update_list_member_tags(LIST, HASH, tags).status_code == 204
    assert client.lists.get_list_member_tags(LIST, HASH)["tags"][0]["name"] == "knee"
    assert client.searchMembers.search("py.patient")["full_search"]["total_items"] == 1

    many = client.lists.batch_list_members(
        LIST, {"members": [{"email_address": EMAIL, "status": "subscribed"}], "update_existing": True}
    )
    assert many["total_updated"] == 1

    hook = client.lists.create_list_webhook(LIST, {"url": "https://clinic.test/py", "events": {"unsubscribe": True}, "sources": {"user": True}})
    assert hook["signing_secret"]
    assert client.lists.delete_list_webhook(LIST, hook["id"]).status_code == 204

    operation = {"method": "GET", "path": f"/lists/{LIST}/members/{HASH}", "operation_id": "read"}
    batch = client.batches.start({"operations": [operation]})
    [outcome] = outcomes(finished(client, batch["id"]))
    assert outcome["status_code"] == 200 and json.loads(outcome["response"])["id"] == HASH

    assert client.lists.delete_list_member(LIST, HASH).status_code == 204
    status, problem = refusal(client.lists.delete_list_member, LIST, HASH)
    assert (status, problem["title"]) == (405, "Method Not Allowed")
    assert client.lists.get_list_member(LIST, HASH)["status"] == "archived"
    assert client.lists.delete_list_member_permanent(LIST, HASH).status_code == 204
    assert refusal(client.lists.get_list_member, LIST, HASH)[0] == 404
    print("mailchimp-marketing (Python): all calls answered as expected")


if __name__ == "__main__":
    main()
