-- Where providers send what they have to tell, and what they sent.

-- The path's token is kept as a hash to be found by, and sealed to be shown again; signing secrets
-- that a provider shows once are kept sealed.
CREATE TABLE endpoints (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    token_hash TEXT NOT NULL,
    token TEXT NOT NULL,
    account TEXT NOT NULL,
    audience TEXT,
    origin TEXT NOT NULL CHECK (origin IN ('contact', 'staff', 'any')),
    hook_id TEXT,
    signed BOOLEAN NOT NULL,
    secret TEXT,
    created_at BIGINT NOT NULL,
    removed_at BIGINT,
    PRIMARY KEY (clinic_id, id)
);
-- A delivery names nothing but the token.
CREATE UNIQUE INDEX endpoints_by_token ON endpoints (token_hash);

-- The key makes a repeated delivery the same one; it outlives the sealed body.
CREATE TABLE deliveries (
    clinic_id UUID NOT NULL,
    id UUID NOT NULL,
    endpoint_id UUID NOT NULL,
    unique_key TEXT NOT NULL,
    body TEXT,
    media_type TEXT NOT NULL,
    proven BOOLEAN NOT NULL,
    received_at BIGINT NOT NULL,
    attended_at BIGINT,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, endpoint_id) REFERENCES endpoints (clinic_id, id)
);
CREATE UNIQUE INDEX deliveries_by_key ON deliveries (clinic_id, endpoint_id, unique_key);
CREATE INDEX deliveries_waiting ON deliveries (clinic_id, id) WHERE attended_at IS NULL;
CREATE INDEX deliveries_held ON deliveries (clinic_id, received_at) WHERE body IS NOT NULL;

-- The keys this store was written with: another master key would recognise nobody.
CREATE TABLE keys_used (
    key_id TEXT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);

-- A link that somebody waits for: planned at once, between the pages of any sweep.
ALTER TABLE links ADD COLUMN urgent BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX links_urgent ON links (clinic_id, list_id, ordinal) WHERE urgent;
