-- Views with readable times, for people at a prompt; the program does not use them.
CREATE FUNCTION readable_time(millis BIGINT) RETURNS TIMESTAMPTZ
    LANGUAGE sql IMMUTABLE AS $$ SELECT to_timestamp(millis / 1000.0) $$;

CREATE VIEW runs_readable AS
SELECT clinic_id, id, woken_by, readable_time(began_at) AS began_at,
    readable_time(ended_at) AS ended_at, outcome
FROM runs;

CREATE VIEW operations_readable AS
SELECT clinic_id, run_id, ordinal, id, list_id, link_id, verb, reason, counted, state,
    readable_time(planned_at) AS planned_at, readable_time(submitted_at) AS submitted_at,
    readable_time(settled_at) AS settled_at
FROM operations;

CREATE VIEW links_readable AS
SELECT clinic_id, list_id, ordinal, id, contact_id, status, base_status, base_by, class, reason,
    stale, readable_time(last_changed) AS last_changed, readable_time(seen_at) AS seen_at,
    readable_time(base_at) AS base_at, readable_time(invitation_at) AS invitation_at,
    readable_time(removed_there) AS removed_there, readable_time(due_at) AS due_at
FROM links;

CREATE VIEW ledger_readable AS
SELECT clinic_id, seq, event_id, kind, contact_id, readable_time(recorded_at) AS recorded_at
FROM ledger;

CREATE VIEW leases_readable AS
SELECT name, epoch, holder, readable_time(expires_at) AS expires_at FROM leases;
