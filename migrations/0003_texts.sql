-- Text messages: what was asked in which words, and what accounts tell of single numbers.

-- The wording of an invitation that we sent ourselves: it is evidence once it is confirmed.
ALTER TABLE links ADD COLUMN invitation_wording TEXT;

-- How far what an account was told has been read.
CREATE TABLE account_notices (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    account TEXT NOT NULL,
    read_until BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, account)
);

-- What was told of single contacts, each once: by webhook or by the provider's log.
CREATE TABLE notices (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    unique_hash TEXT NOT NULL,
    contact_id UUID,
    word TEXT NOT NULL CHECK (word IN ('opted_out', 'yes', 'help', 'undelivered',
        'delivered')),
    at BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, unique_hash)
);
CREATE INDEX notices_by_time ON notices (clinic_id, at);
CREATE INDEX notices_by_contact ON notices (clinic_id, contact_id, word, at);

-- What an admin should look at. What was said stays at the provider; the evidence names it.
CREATE TABLE reviews (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('own_words', 'late_yes')),
    contact_id UUID NOT NULL,
    list_id UUID,
    evidence TEXT NOT NULL,
    at BIGINT NOT NULL,
    closed_at BIGINT,
    closed_because TEXT,
    PRIMARY KEY (clinic_id, id)
);
CREATE UNIQUE INDEX reviews_once ON reviews (clinic_id, kind, contact_id, evidence);
CREATE INDEX reviews_by_contact ON reviews (clinic_id, contact_id);
CREATE INDEX reviews_open ON reviews (clinic_id, id) WHERE closed_at IS NULL;
