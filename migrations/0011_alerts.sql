-- What an admin is told of by e-mail and webhook, once each: it stands until it is no longer so.
CREATE TABLE alerts (
    clinic_id UUID NOT NULL,
    id UUID NOT NULL,
    list_id UUID NOT NULL,
    kind TEXT NOT NULL
        CHECK (kind IN ('brake', 'first_plan', 'red', 'parked_removals', 'strangers')),
    links BIGINT NOT NULL,
    since BIGINT NOT NULL,
    ended_at BIGINT,
    mailed_at BIGINT,
    hooked_at BIGINT,
    PRIMARY KEY (clinic_id, id),
    FOREIGN KEY (clinic_id, list_id) REFERENCES lists (clinic_id, id)
);
CREATE UNIQUE INDEX alerts_open ON alerts (clinic_id, list_id, kind) WHERE ended_at IS NULL;
