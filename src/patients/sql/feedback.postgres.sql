CREATE TABLE listwarden_feedback (
    event_id    uuid NOT NULL,
    patient_id  text NOT NULL,
    channel     text,
    kind        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    list        text,
    "by"        text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, patient_id)
);
