-- Credentials that can be changed through the API, and payments that remember theirs.

-- Put away for good: shown to nobody, kept because payments were made with it.
ALTER TABLE credential ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

-- What a payment was pushed with: its state is asked for with the same, so that a sandbox payment never meets live keys.
ALTER TABLE payment ADD COLUMN credential_id INTEGER REFERENCES credential (id);
-- Until now each owner had one, the configuration file's.
UPDATE payment SET credential_id = (SELECT max(id) FROM credential WHERE credential.owner_id = payment.owner_id);
CREATE INDEX payment_of_credential ON payment (credential_id) WHERE credential_id IS NOT NULL;
