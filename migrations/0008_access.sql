-- Who may ask, what they asked for, and what was done about it.

-- Of a token's secret only the hash is kept.
CREATE TABLE tokens (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'auditor', 'owner')),
    secret_hash TEXT NOT NULL,
    all_clinics BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    used_at BIGINT
);
CREATE TABLE token_clinics (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    token_id UUID NOT NULL REFERENCES tokens (id),
    PRIMARY KEY (clinic_id, token_id)
);
CREATE INDEX token_clinics_by_token ON token_clinics (token_id);

-- One chain for the whole deployment: giving access concerns every clinic.
CREATE TABLE audit_head (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL,
    mac TEXT NOT NULL
);
INSERT INTO audit_head (one, seq, mac) VALUES (1, 0, '');
CREATE TABLE audit (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    request_id UUID NOT NULL,
    token_id UUID,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    clinic_id UUID,
    subject TEXT,
    outcome TEXT NOT NULL CHECK (outcome IN ('begun', 'done', 'failed', 'refused')),
    reason TEXT,
    key_id TEXT NOT NULL,
    mac TEXT NOT NULL
);
CREATE INDEX audit_by_clinic ON audit (clinic_id, seq);

-- Somebody pressed Resync; whichever worker is free takes it up. One waits at most for each clinic
-- and list: pressed again, it is the same.
CREATE TABLE resyncs (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    list_slug TEXT NOT NULL,
    whole BOOLEAN NOT NULL,
    asked_at BIGINT NOT NULL,
    begun_at BIGINT,
    alive_at BIGINT,
    ended_at BIGINT,
    outcome TEXT,
    PRIMARY KEY (clinic_id, id)
);
CREATE UNIQUE INDEX resyncs_open ON resyncs (clinic_id, list_slug) WHERE ended_at IS NULL;
CREATE INDEX resyncs_waiting ON resyncs (asked_at) WHERE ended_at IS NULL;

CREATE INDEX runs_by_list ON runs (clinic_id, list_id, id);
