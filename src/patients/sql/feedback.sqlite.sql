CREATE TABLE listwarden_feedback (
    event_id    TEXT NOT NULL,
    patient_id  TEXT NOT NULL,
    channel     TEXT,
    kind        TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    list        TEXT,
    "by"        TEXT NOT NULL,
    recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (event_id, patient_id)
);
