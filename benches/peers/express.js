// A webhook receiver as people write it: Express, the raw body, and one transaction a request.
//
// SECRET, PORT and DATABASE (postgres://… or a file of SQLite) come from the environment.
'use strict';
const crypto = require('node:crypto');
const express = require('express');

const { SECRET, PORT, DATABASE } = process.env;

const TABLES = `
  CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, body TEXT NOT NULL, received_at TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS opt_outs (event_id TEXT NOT NULL, email TEXT NOT NULL, at TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS links (list_id TEXT NOT NULL, email TEXT NOT NULL, stale BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (list_id, email));
  CREATE INDEX IF NOT EXISTS links_by_email ON links (email);`;

async function postgres() {
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: DATABASE, max: 20 });
  await pool.query(TABLES);
  return async ({ id, body, email, at }) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const event = await client.query(
        'INSERT INTO events (id, body, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [id, body, new Date().toISOString()]);
      if (event.rowCount === 1) {
        await client.query('INSERT INTO opt_outs (event_id, email, at) VALUES ($1, $2, $3)', [id, email, at]);
        await client.query('UPDATE links SET stale = TRUE WHERE email = $1', [email]);
      }
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
}

function sqlite() {
  const db = require('better-sqlite3')(DATABASE);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec(TABLES);
  const add = db.prepare('INSERT INTO events (id, body, received_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const optOut = db.prepare('INSERT INTO opt_outs (event_id, email, at) VALUES (?, ?, ?)');
  const stale = db.prepare('UPDATE links SET stale = TRUE WHERE email = ?');
  return db.transaction(({ id, body, email, at }) => {
    if (add.run(id, body, new Date().toISOString()).changes === 1) {
      optOut.run(id, email, at);
      stale.run(email);
    }
  });
}

function genuine(header, body) {
  const parts = Object.fromEntries((header || '').split(',').map((part) => part.split('=', 2)));
  if (!parts.t || !parts.v1 || Math.abs(Date.now() / 1000 - Number(parts.t)) > 7200) return false;
  const ours = crypto.createHmac('sha256', SECRET).update(`${parts.t}.`).update(body).digest();
  const theirs = Buffer.from(parts.v1, 'hex');
  return ours.length === theirs.length && crypto.timingSafeEqual(ours, theirs);
}

async function main() {
  const keep = DATABASE.startsWith('postgres') ? await postgres() : sqlite();
  const app = express();
  app.post('/webhooks/:token', express.raw({ type: '*/*', limit: '1mb' }), async (request, response) => {
    if (!genuine(request.get('X-Mailchimp-Signature'), request.body)) return response.sendStatus(401);
    const form = new URLSearchParams(request.body.toString());
    if (form.get('type') === 'unsubscribe') {
      await keep({
        id: crypto.createHash('sha256').update(request.body).digest('hex'),
        body: request.body.toString(),
        email: form.get('data[email]'),
        at: form.get('fired_at'),
      });
    }
    response.sendStatus(200);
  });
  app.listen(Number(PORT), '127.0.0.1');
}

main();
