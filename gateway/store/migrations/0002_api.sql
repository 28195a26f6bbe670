-- What the whole payment API needs: people who log in, links, idempotency, limits.

ALTER TABLE owner ADD COLUMN password_hash TEXT;
-- Digest of the private API key that `api-key-login` takes.
ALTER TABLE owner ADD COLUMN private_key_digest TEXT;
-- Rises when the password or the keys change: tokens of an older generation are worth nothing.
ALTER TABLE owner ADD COLUMN token_generation INTEGER NOT NULL DEFAULT 0;

ALTER TABLE credential ADD COLUMN created_at_s REAL NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN updated_at_s REAL NOT NULL DEFAULT 0;

-- One row for each refresh token. A family is what grew out of one log-in; a token used twice ends its family.
CREATE TABLE refresh_token (
    jti          TEXT    PRIMARY KEY,
    family       TEXT    NOT NULL,
    owner_id     INTEGER NOT NULL REFERENCES owner (id),
    issued_at_s  REAL    NOT NULL,
    expires_at_s REAL    NOT NULL,
    used_at_s    REAL,
    revoked      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX refresh_token_family ON refresh_token (family);

-- Failed log-ins, by name and by address, so that a restart does not open the door again.
CREATE TABLE failed_login (
    key  TEXT NOT NULL,
    at_s REAL NOT NULL
) STRICT;
CREATE INDEX failed_login_key ON failed_login (key, at_s);

ALTER TABLE payment ADD COLUMN kind TEXT NOT NULL DEFAULT 'push' CHECK (kind IN ('push', 'link'));
ALTER TABLE payment ADD COLUMN link_id TEXT;
ALTER TABLE payment ADD COLUMN link_url TEXT;
-- A link stays open at the provider until it is paid or has expired, and we have closed it there.
ALTER TABLE payment ADD COLUMN link_open INTEGER NOT NULL DEFAULT 0;
-- The address that asked, as the socket shows it: for limits only.
ALTER TABLE payment ADD COLUMN asked_from TEXT;

CREATE INDEX payment_newest ON payment (owner_id, created_at_s DESC, id DESC);
CREATE INDEX payment_of_phone ON payment (phone, created_at_s);
CREATE INDEX payment_of_mac ON payment (mac, created_at_s) WHERE mac IS NOT NULL;
CREATE INDEX payment_asked_from ON payment (asked_from, created_at_s) WHERE asked_from IS NOT NULL;
CREATE INDEX payment_of_link ON payment (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX payment_receipt ON payment (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX payment_open_link ON payment (created_at_s) WHERE link_open = 1;
-- Links that are paid and may be paid again by mistake.
CREATE INDEX payment_paid_link ON payment (paid_at_s) WHERE kind = 'link' AND paid_at_s IS NOT NULL;

-- What moves the remaining time of a link's payer to the device in hand.
ALTER TABLE access_grant ADD COLUMN claim_code TEXT;
CREATE UNIQUE INDEX grant_claim_code ON access_grant (claim_code) WHERE claim_code IS NOT NULL;
CREATE INDEX grant_newest ON access_grant (owner_id, created_at_s DESC, id DESC);

-- Money that came without being asked for: a second COMPLETE on one link. To be refunded, never lost.
CREATE TABLE surplus (
    invoice_id TEXT PRIMARY KEY,
    payment_id TEXT NOT NULL REFERENCES payment (id),
    owner_id   INTEGER NOT NULL REFERENCES owner (id),
    value      TEXT,
    currency   TEXT,
    receipt    TEXT,
    at_s       REAL NOT NULL
) STRICT;

CREATE TABLE idempotency (
    owner_id     INTEGER NOT NULL REFERENCES owner (id),
    key          TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    body_digest  TEXT    NOT NULL,
    payment_id   TEXT    NOT NULL REFERENCES payment (id),
    status       INTEGER,
    answer       TEXT,
    created_at_s REAL    NOT NULL,
    PRIMARY KEY (owner_id, key)
) STRICT;
CREATE INDEX idempotency_age ON idempotency (created_at_s);
