-- What is derived from a master key that was changed for another, sealed under the one that is current: the
-- key itself may go then, and what it hashed, chained and signed is recognised all the same.
ALTER TABLE keys_used ADD COLUMN kept TEXT;

-- Until when no e-mail about an alert is tried again, after the server refused one for good.
ALTER TABLE alerts ADD COLUMN mail_rests_until BIGINT;
