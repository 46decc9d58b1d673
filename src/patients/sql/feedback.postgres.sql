CREATE TABLE listwarden_feedback (
    event_id    uuid PRIMARY KEY,
    patient_id  text NOT NULL,
    channel     text,
    kind        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    list        text,
    "by"        text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
