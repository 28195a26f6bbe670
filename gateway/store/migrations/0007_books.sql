-- Comparing the provider's books with ours, and checking that what must hold does.

-- Up to which moment of the provider's clock an account's invoices were compared with the payments.
CREATE TABLE compared_account (
    credential_id INTEGER PRIMARY KEY REFERENCES credential (id),
    until_s       REAL NOT NULL
) STRICT;

-- How far the audit has come: the last event that it has replayed, and the last payment that it looked at again on its round.
CREATE TABLE audit_progress (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    event_seq     INTEGER NOT NULL,
    payment_rowid INTEGER NOT NULL
) STRICT;
INSERT INTO audit_progress (id, event_seq, payment_rowid) VALUES (1, 0, 0);

-- Payments that were recorded again from the provider's list, because the database had lost them.
CREATE TABLE adopted_payment (
    payment_id TEXT    PRIMARY KEY REFERENCES payment (id),
    owner_id   INTEGER NOT NULL REFERENCES owner (id),
    at_s       REAL    NOT NULL,
    -- Whether the amount named one package; where it did not, somebody has to look at it.
    is_certain INTEGER NOT NULL
) STRICT;
CREATE INDEX adopted_of_owner ON adopted_payment (owner_id);
