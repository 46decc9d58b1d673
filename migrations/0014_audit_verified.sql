-- The first line of the audit log that did not fit when it was last looked at; none where all did.
ALTER TABLE audit_head ADD COLUMN bad_line BIGINT;
