// Walks one patient through Mailchimp's own Node client.
const assert = require("node:assert");
const { createHash } = require("node:crypto");
const client = require("@mailchimp/mailchimp_marketing");

const list = process.env.MAILCHIMP_LIST_ID;
const email = "Js.Patient@clinic-mail.test";
const hash = createHash("md5").update(email.toLowerCase()).digest("hex");

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return { status: error.status, title: JSON.parse(error.response.text).title };
  }
  throw new Error("was not refused");
}

async function finished(id) {
  for (let turn = 0; turn < 100; turn += 1) {
    const batch = await client.batches.status(id);
    if (batch.status === "finished") return batch;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error("the batch never finished");
}

async function main() {
  client.setConfig({ apiKey: process.env.MAILCHIMP_API_KEY });
  client.basePath = process.env.MAILCHIMP_URL;

  assert.equal((await client.ping.get()).health_status, "Everything's Chimpy!");
  const lists = await client.lists.getAllLists();
  assert.ok(lists.lists.some((found) => found.id === list));

  const added = await client.lists.addListMember(list, { email_address: email, status: "pending" });
  assert.deepEqual([added.id, added.status], [hash, "pending"]);
  const again = () => client.lists.addListMember(list, { email_address: email, status: "pending" });
  assert.deepEqual(await refusal(again), { status: 400, title: "Member Exists" });

  const page = await client.lists.getListMembersInfo(list, { status: "pending", fields: ["members.id"] });
  assert.deepEqual(page, { members: [{ id: hash }] });
  const set = await client.lists.setListMember(list, hash, { email_address: email, status_if_new: "pending", merge_fields: { FNAME: "Js" } });
  assert.equal(set.full_name, "Js");
  const updated = await client.lists.updateListMember(list, hash, { status: "unsubscribed" });
  assert.equal(updated.status, "unsubscribed");

  await client.lists.updateListMemberTags(list, hash, { tags: [{ name: "hip", status: "active" }] });
  assert.equal((await client.lists.getListMemberTags(list, hash)).tags[0].name, "hip");
  const many = await client.lists.batchListMembers(list, { members: [{ email_address: email, status: "subscribed" }] });
  assert.equal(many.errors[0].error_code, "ERROR_CONTACT_EXISTS");

  const started = await client.batches.start({ operations: [{ method: "GET", path: `/lists/${list}` }] });
  const batch = await finished(started.id);
  assert.deepEqual([batch.total_operations, batch.errored_operations], [1, 0]);

  await client.lists.deleteListMember(list, hash);
  assert.deepEqual(await refusal(() => client.lists.deleteListMember(list, hash)), { status: 405, title: "Method Not Allowed" });
  await client.lists.deleteListMemberPermanent(list, hash);
  const forgotten = () => client.lists.setListMember(list, hash, { email_address: email, status: "pending" });
  assert.deepEqual(await refusal(forgotten), { status: 400, title: "Forgotten Email Not Subscribed" });
  console.log("@mailchimp/mailchimp_marketing (Node): all calls answered as expected");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
