"""Pull, compare, push: with Mailchimp's own Python client, as its documentation shows it.

Reads every member, page after page, compares them with the clinic's export, and sends what differs as
one batch.
"""

import csv
import hashlib
import json
import os
import time

import mailchimp_marketing

LIST = os.environ["MAILCHIMP_AUDIENCE"]
PAGE = 1000
FIELDS = [
    "members.id",
    "members.email_address",
    "members.status",
    "members.merge_fields.FNAME",
    "members.merge_fields.LNAME",
    "total_items",
]


def connect():
    client = mailchimp_marketing.Client()
    client.set_config({"api_key": os.environ["MAILCHIMP_KEY"], "server": "us6"})
    client.api_client.host = os.environ["MAILCHIMP_URL"] + "/3.0"
    return client


def pull(client):
    members, offset = {}, 0
    while True:
        page = client.lists.get_list_members_info(
            LIST, count=PAGE, offset=offset, fields=FIELDS
        )
        for member in page["members"]:
            members[member["email_address"].lower()] = member
        offset += PAGE
        if offset >= page["total_items"]:
            return members


def wanted():
    with open(os.environ["PATIENTS_CSV"], newline="") as file:
        return {row["email"].lower(): row for row in csv.DictReader(file)}


def differences(members, patients):
    for email, patient in patients.items():
        names = {"FNAME": patient["given_name"], "LNAME": patient["family_name"]}
        member = members.get(email)
        digest = hashlib.md5(email.encode()).hexdigest()
        path = f"/lists/{LIST}/members/{digest}"
        if member is None:
            body = {"email_address": email, "status": "subscribed", "merge_fields": names}
            yield {"method": "PUT", "path": path, "body": json.dumps(body)}
        elif member["status"] == "subscribed" and member["merge_fields"] != names:
            yield {"method": "PATCH", "path": path, "body": json.dumps({"merge_fields": names})}
    for email, member in members.items():
        if member["status"] == "subscribed" and email not in patients:
            yield {"method": "DELETE", "path": f"/lists/{LIST}/members/{member['id']}"}


def push(client, operations):
    batch = client.batches.start({"operations": operations})
    while batch["status"] != "finished":
        time.sleep(0.5)
        batch = client.batches.status(batch["id"])
    if batch["errored_operations"]:
        raise SystemExit(f"{batch['errored_operations']} operations failed")


client = connect()
operations = list(differences(pull(client), wanted()))
if operations:
    push(client, operations)
