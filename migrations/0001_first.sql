-- One text for SQLite and PostgreSQL. Instants are milliseconds since 1970 by our own clock, ids are
-- UUIDs, JSON is TEXT. `clinic_id` leads every primary key, unique index and foreign key.

-- The oldest binary that can work on these tables; a later migration raises it.
CREATE TABLE schema_fits (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    oldest_binary TEXT NOT NULL
);
INSERT INTO schema_fits (one, oldest_binary) VALUES (1, '0.1.0');

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    holder UUID NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE clinics (
    clinic_id UUID NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    source_swept_at BIGINT,
    source_cursor BIGINT,
    sweep_no BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE lists (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    slug TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    account_pin TEXT,
    audience_pin TEXT,
    region TEXT,
    audience_double_opt_in BOOLEAN NOT NULL DEFAULT FALSE,
    settings_read_at BIGINT,
    approved_at BIGINT,
    retiring_at BIGINT,
    retired_at BIGINT,
    swept_at BIGINT,
    delta_cursor BIGINT,
    observed_at BIGINT,
    policy_digest TEXT,
    PRIMARY KEY (clinic_id, id)
);
CREATE UNIQUE INDEX lists_by_slug ON lists (clinic_id, slug);

CREATE TABLE patients (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    source_id TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('source', 'import')),
    status TEXT NOT NULL
        CHECK (status IN ('active', 'archived', 'merged', 'deceased', 'deleted', 'vanished')),
    record TEXT NOT NULL,
    digest BIGINT NOT NULL,
    -- What the record says of consent and restriction, and what of it was turned into events.
    consents TEXT NOT NULL,
    applied TEXT,
    seen_sweep BIGINT NOT NULL DEFAULT 0,
    missing_sweeps BIGINT NOT NULL DEFAULT 0,
    missed_sweep BIGINT NOT NULL DEFAULT 0,
    erased_at BIGINT,
    PRIMARY KEY (clinic_id, id)
);
CREATE UNIQUE INDEX patients_by_source_id ON patients (clinic_id, source_id);
CREATE INDEX patients_unapplied ON patients (clinic_id, id)
    WHERE applied IS NULL OR applied <> consents;

CREATE TABLE patient_standings (
    clinic_id UUID NOT NULL,
    patient_id UUID NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    standing TEXT NOT NULL,
    PRIMARY KEY (clinic_id, patient_id, channel),
    FOREIGN KEY (clinic_id, patient_id) REFERENCES patients (clinic_id, id)
);

-- An erased contact keeps its hash as a tombstone.
CREATE TABLE contacts (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    address TEXT,
    hash TEXT NOT NULL,
    key_id TEXT NOT NULL,
    standing TEXT NOT NULL,
    erased_at BIGINT,
    PRIMARY KEY (clinic_id, id)
);
CREATE UNIQUE INDEX contacts_by_hash ON contacts (clinic_id, channel, hash);

CREATE TABLE holders (
    clinic_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    patient_id UUID NOT NULL,
    holds_now BOOLEAN NOT NULL,
    PRIMARY KEY (clinic_id, contact_id, patient_id),
    FOREIGN KEY (clinic_id, contact_id) REFERENCES contacts (clinic_id, id),
    FOREIGN KEY (clinic_id, patient_id) REFERENCES patients (clinic_id, id)
);
CREATE INDEX holders_by_patient ON holders (clinic_id, patient_id, contact_id);

-- One contact on one list; without a contact, a member whom the clinic never knew.
CREATE TABLE links (
    clinic_id UUID NOT NULL,
    id UUID NOT NULL,
    list_id UUID NOT NULL,
    ordinal BIGINT NOT NULL,
    contact_id UUID,
    address_hash TEXT,
    suppressed TEXT CHECK (suppressed IN ('withdrawn', 'erased', 'complained', 'objected')),
    status TEXT CHECK (status IN ('pending', 'subscribed', 'unsubscribed', 'cleaned', 'archived',
        'non_subscribed', 'absent', 'forgotten')),
    member_key TEXT,
    last_changed BIGINT,
    signed_up_at BIGINT,
    opted_in_at BIGINT,
    entry TEXT CHECK (entry IN ('contact', 'api', 'staff', 'unknown')),
    complained BOOLEAN NOT NULL DEFAULT FALSE,
    digest BIGINT NOT NULL DEFAULT 0,
    seen_at BIGINT,
    base_status TEXT CHECK (base_status IN ('pending', 'subscribed', 'unsubscribed', 'cleaned',
        'archived', 'non_subscribed', 'absent', 'forgotten')),
    base_by TEXT CHECK (base_by IN ('us', 'them')),
    base_at BIGINT,
    invitation_key TEXT,
    invitation_at BIGINT,
    invitation_voided BOOLEAN NOT NULL DEFAULT FALSE,
    invitation_confirmed BOOLEAN NOT NULL DEFAULT FALSE,
    intent_verb TEXT CHECK (intent_verb IN ('update', 'invite', 'subscribe', 'unsubscribe',
        'archive', 'erase')),
    intent_from TEXT CHECK (intent_from IN ('pending', 'subscribed', 'unsubscribed', 'cleaned',
        'archived', 'non_subscribed', 'absent', 'forgotten')),
    intent_invitation TEXT,
    intent_at BIGINT,
    removed_there BIGINT,
    moved_there BIGINT,
    moved_hash TEXT,
    moved_told BIGINT,
    class TEXT CHECK (class IN ('in_step', 'pending', 'due', 'waiting', 'braked', 'parked',
        'unproven', 'unknown', 'cannot_leave', 'held_but_dropped', 'held_without_basis')),
    reason TEXT,
    due_at BIGINT,
    -- Stale: facts changed since it was planned. The version counts those changes, so that a plan
    -- made from older facts cannot call the link settled.
    stale BOOLEAN NOT NULL DEFAULT TRUE,
    version BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, list_id) REFERENCES lists (clinic_id, id),
    FOREIGN KEY (clinic_id, contact_id) REFERENCES contacts (clinic_id, id)
);
CREATE UNIQUE INDEX links_by_ordinal ON links (clinic_id, list_id, ordinal);
CREATE UNIQUE INDEX links_by_member ON links (clinic_id, list_id, member_key);
CREATE UNIQUE INDEX links_by_contact_on_list ON links (clinic_id, contact_id, list_id);
CREATE INDEX links_by_hash ON links (clinic_id, list_id, address_hash)
    WHERE address_hash IS NOT NULL;
CREATE INDEX links_moved ON links (clinic_id, list_id, moved_hash) WHERE moved_hash IS NOT NULL;
CREATE INDEX links_stale ON links (clinic_id, list_id, ordinal) WHERE stale;
CREATE INDEX links_due ON links (clinic_id, list_id, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE parked (
    clinic_id UUID NOT NULL,
    link_id UUID NOT NULL,
    list_id UUID NOT NULL,
    verb TEXT NOT NULL
        CHECK (verb IN ('update', 'invite', 'subscribe', 'unsubscribe', 'archive', 'erase')),
    reason TEXT NOT NULL,
    tries BIGINT NOT NULL,
    next_try BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, link_id),
    FOREIGN KEY (clinic_id, link_id) REFERENCES links (clinic_id, id)
);

CREATE TABLE runs (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    list_id UUID,
    woken_by TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    outcome TEXT,
    summary TEXT,
    PRIMARY KEY (clinic_id, id)
);
CREATE INDEX runs_by_id ON runs (id);

CREATE TABLE operations (
    clinic_id UUID NOT NULL,
    run_id UUID NOT NULL,
    ordinal BIGINT NOT NULL,
    id UUID NOT NULL,
    list_id UUID NOT NULL,
    link_id UUID NOT NULL,
    verb TEXT NOT NULL
        CHECK (verb IN ('update', 'invite', 'subscribe', 'unsubscribe', 'archive', 'erase')),
    reason TEXT NOT NULL,
    counted TEXT NOT NULL CHECK (counted IN ('no', 'removal', 'invitation')),
    from_status TEXT NOT NULL CHECK (from_status IN ('pending', 'subscribed', 'unsubscribed',
        'cleaned', 'archived', 'non_subscribed', 'absent', 'forgotten')),
    payload TEXT,
    invitation TEXT,
    state TEXT NOT NULL CHECK (state IN ('planned', 'waiting', 'braked', 'submitted',
        'acknowledged', 'doubtful', 'refused', 'superseded')),
    job TEXT,
    planned_at BIGINT NOT NULL,
    submitted_at BIGINT,
    settled_at BIGINT,
    PRIMARY KEY (clinic_id, run_id, ordinal),
    FOREIGN KEY (clinic_id, run_id) REFERENCES runs (clinic_id, id),
    FOREIGN KEY (clinic_id, list_id) REFERENCES lists (clinic_id, id),
    FOREIGN KEY (clinic_id, link_id) REFERENCES links (clinic_id, id)
);
CREATE UNIQUE INDEX operations_by_id ON operations (clinic_id, id);
CREATE INDEX operations_by_link ON operations (clinic_id, link_id, run_id);
CREATE INDEX operations_open ON operations (clinic_id, list_id, run_id)
    WHERE state IN ('planned', 'waiting', 'braked', 'submitted');
CREATE INDEX operations_counted ON operations (clinic_id, list_id, settled_at)
    WHERE state = 'acknowledged' AND counted <> 'no';

-- What an admin decided about the plan of one run: its operations may be made until then, or not.
CREATE TABLE approvals (
    clinic_id UUID NOT NULL,
    id UUID NOT NULL,
    run_id UUID NOT NULL,
    approved BOOLEAN NOT NULL,
    decided_by TEXT NOT NULL,
    reason TEXT,
    decided_at BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, run_id) REFERENCES runs (clinic_id, id)
);

-- What an admin accepts although there is much of it at once: a source that shrank, withdrawals by
-- bare flags, members gone from a list (L23).
CREATE TABLE acceptances (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    id UUID NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('source', 'withdrawals', 'members')),
    list_id UUID,
    decided_by TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, list_id) REFERENCES lists (clinic_id, id),
    CHECK ((list_id IS NOT NULL) = (what = 'members'))
);

CREATE TABLE ledger_heads (
    clinic_id UUID NOT NULL PRIMARY KEY REFERENCES clinics (clinic_id),
    seq BIGINT NOT NULL,
    mac TEXT NOT NULL
);

CREATE TABLE ledger (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    seq BIGINT NOT NULL,
    event_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('granted', 'soft_opt_in', 'confirmed', 'withdrawn',
        'objected', 'preferred', 'restricted', 'unrestricted', 'bounced', 'complained', 'erased',
        'grandfathered', 'address_changed', 'delivered')),
    contact_id UUID,
    patient_id UUID,
    recorded_at BIGINT NOT NULL,
    unique_hash TEXT NOT NULL,
    key_id TEXT NOT NULL,
    commitment TEXT NOT NULL,
    mac TEXT NOT NULL,
    PRIMARY KEY (clinic_id, seq)
);
CREATE UNIQUE INDEX ledger_by_unique ON ledger (clinic_id, unique_hash);
CREATE INDEX ledger_by_contact ON ledger (clinic_id, contact_id) WHERE contact_id IS NOT NULL;

-- The patients whom a line is about or binds.
CREATE TABLE ledger_patients (
    clinic_id UUID NOT NULL,
    patient_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, patient_id, seq),
    FOREIGN KEY (clinic_id, seq) REFERENCES ledger (clinic_id, seq)
);

-- Deleted on erasure; the line's commitment stays.
CREATE TABLE ledger_detail (
    clinic_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    payload TEXT NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (clinic_id, seq),
    FOREIGN KEY (clinic_id, seq) REFERENCES ledger (clinic_id, seq)
);

CREATE TABLE suppressions (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    hash TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('withdrawn', 'erased', 'complained', 'objected')),
    clock TEXT NOT NULL CHECK (clock IN ('clinic', 'provider', 'listwarden')),
    key_id TEXT NOT NULL,
    event_id UUID NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, hash, kind, clock)
);

CREATE TABLE feedback (
    clinic_id UUID NOT NULL,
    id UUID NOT NULL,
    patient_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    event_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('withdrawn', 'objected', 'complained', 'confirmed',
        'bounced', 'address_changed')),
    channel TEXT CHECK (channel IN ('email', 'sms')),
    list_id UUID,
    actor TEXT NOT NULL CHECK (actor IN ('person', 'clinic', 'admin', 'provider', 'listwarden')),
    at BIGINT NOT NULL,
    done_at BIGINT,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, patient_id) REFERENCES patients (clinic_id, id),
    FOREIGN KEY (clinic_id, seq) REFERENCES ledger (clinic_id, seq)
);
CREATE INDEX feedback_pending ON feedback (clinic_id, id) WHERE done_at IS NULL;
