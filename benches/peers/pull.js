// Pull, compare, push: with Mailchimp's own Node client, as its documentation shows it.
//
// Reads every member, compares them with the clinic's export, and sends what differs as one batch.
// `node pull.js 1` reads page after page; `node pull.js 9` has nine pages under way at once.
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const mailchimp = require("@mailchimp/mailchimp_marketing");

const LIST = process.env.MAILCHIMP_AUDIENCE;
const PAGE = 1000;
const AT_ONCE = Number(process.argv[2] ?? 1);
const FIELDS = [
  "members.id",
  "members.email_address",
  "members.status",
  "members.merge_fields.FNAME",
  "members.merge_fields.LNAME",
  "total_items",
];

mailchimp.setConfig({ apiKey: process.env.MAILCHIMP_KEY, server: "us6" });
mailchimp.basePath = `${process.env.MAILCHIMP_URL}/3.0`;

async function pull() {
  const members = new Map();
  const read = async (offset) => {
    const page = await mailchimp.lists.getListMembersInfo(LIST, { count: PAGE, offset, fields: FIELDS });
    for (const member of page.members) members.set(member.email_address.toLowerCase(), member);
    return page.total_items;
  };
  const total = await read(0);
  let next = PAGE;
  const reader = async () => {
    while (next < total) {
      const offset = next;
      next += PAGE;
      await read(offset);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  return members;
}

function wanted() {
  const [, ...lines] = readFileSync(process.env.PATIENTS_CSV, "utf8").trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [email, FNAME, LNAME] = line.split(",");
      return [email.toLowerCase(), { FNAME, LNAME }];
    }),
  );
}

function differences(members, patients) {
  const operations = [];
  for (const [email, names] of patients) {
    const member = members.get(email);
    const digest = () => createHash("md5").update(email).digest("hex");
    if (!member) {
      const body = { email_address: email, status: "subscribed", merge_fields: names };
      operations.push({ method: "PUT", path: `/lists/${LIST}/members/${digest()}`, body: JSON.stringify(body) });
    } else if (
      member.status === "subscribed" &&
      (member.merge_fields.FNAME !== names.FNAME || member.merge_fields.LNAME !== names.LNAME)
    ) {
      const body = { merge_fields: names };
      operations.push({ method: "PATCH", path: `/lists/${LIST}/members/${digest()}`, body: JSON.stringify(body) });
    }
  }
  for (const [email, member] of members) {
    if (member.status === "subscribed" && !patients.has(email)) {
      operations.push({ method: "DELETE", path: `/lists/${LIST}/members/${member.id}` });
    }
  }
  return operations;
}

async function push(operations) {
  let batch = await mailchimp.batches.start({ operations });
  while (batch.status !== "finished") {
    await new Promise((wake) => setTimeout(wake, 500));
    batch = await mailchimp.batches.status(batch.id);
  }
  if (batch.errored_operations) throw new Error(`${batch.errored_operations} operations failed`);
}

async function main() {
  const operations = differences(await pull(), wanted());
  if (operations.length > 0) await push(operations);
}

main().catch((error) => {
  console.error(error.response?.text ?? error);
  process.exit(1);
});
