-- What `serve` shows of all runs: figures that are added up, and what would cost too much to look for.

-- Counters, and histograms by bucket, over all processes.
CREATE TABLE tallies (
    counter TEXT NOT NULL,
    label TEXT NOT NULL,
    part TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (counter, label, part)
);

-- Whose opt-outs are on their way, since when, and the ledger line of the newest: a row goes when every list
-- and the clinic's own record has them.
CREATE TABLE spreading (
    clinic_id UUID NOT NULL REFERENCES clinics (clinic_id),
    contact_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (clinic_id, contact_id)
);
CREATE INDEX feedback_pending_by_line ON feedback (clinic_id, seq) WHERE done_at IS NULL;

-- When a turn of the list last ended, when one brought it in step, and since when its provider refuses
-- the credential.
ALTER TABLE lists ADD COLUMN turned_at BIGINT;
ALTER TABLE lists ADD COLUMN in_step_at BIGINT;
ALTER TABLE lists ADD COLUMN credential_refused_at BIGINT;
UPDATE lists SET in_step_at = r.at
FROM (SELECT clinic_id, list_id, MAX(ended_at) AS at FROM runs
    WHERE outcome = 'in_step' AND woken_by <> 'webhook' GROUP BY clinic_id, list_id) AS r
WHERE lists.clinic_id = r.clinic_id AND lists.id = r.list_id;

-- When the ledger was last verified, and the line that did not fit then.
ALTER TABLE clinics ADD COLUMN ledger_verified_at BIGINT;
ALTER TABLE clinics ADD COLUMN ledger_bad_line BIGINT;
