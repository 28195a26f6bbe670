-- Times are seconds since 1970 in UTC. Money is in cents. Rows are deactivated, never deleted: payments point at them.

CREATE TABLE owner (
    id           INTEGER PRIMARY KEY,
    username     TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    public_key   TEXT    NOT NULL,
    managed_by   TEXT    NOT NULL CHECK (managed_by IN ('config', 'api')),
    active       INTEGER NOT NULL
) STRICT;

-- Among the active only: the names of somebody who left are free again, and two can swap theirs in the configuration file.
CREATE UNIQUE INDEX owner_username ON owner (username) WHERE active;
CREATE UNIQUE INDEX owner_public_key ON owner (public_key) WHERE active;

CREATE TABLE credential (
    id               INTEGER PRIMARY KEY,
    owner_id         INTEGER NOT NULL REFERENCES owner (id),
    provider         TEXT    NOT NULL,
    environment      TEXT    NOT NULL CHECK (environment IN ('sandbox', 'live')),
    publishable_key  TEXT    NOT NULL,
    secret_sealed    TEXT    NOT NULL,
    challenge_sealed TEXT,
    managed_by       TEXT    NOT NULL CHECK (managed_by IN ('config', 'api')),
    active           INTEGER NOT NULL
) STRICT;

CREATE TABLE router (
    id              INTEGER PRIMARY KEY,
    owner_id        INTEGER NOT NULL REFERENCES owner (id),
    name            TEXT    NOT NULL,
    host            TEXT    NOT NULL,
    port            INTEGER NOT NULL,
    tls             INTEGER NOT NULL,
    tls_fingerprint TEXT,
    tls_ca_file     TEXT,
    username        TEXT    NOT NULL,
    password_sealed TEXT    NOT NULL,
    hotspot_server  TEXT,
    authorize       TEXT    NOT NULL CHECK (authorize IN ('user', 'binding')),
    managed_by      TEXT    NOT NULL CHECK (managed_by IN ('config', 'api')),
    active          INTEGER NOT NULL
) STRICT;

CREATE TABLE package (
    id            INTEGER PRIMARY KEY,
    router_id     INTEGER NOT NULL REFERENCES router (id),
    name          TEXT    NOT NULL,
    price_cents   INTEGER NOT NULL,
    duration_s    INTEGER NOT NULL,
    download_kbps INTEGER,
    upload_kbps   INTEGER,
    data_limit_mb INTEGER,
    devices       INTEGER NOT NULL,
    description   TEXT    NOT NULL,
    managed_by    TEXT    NOT NULL CHECK (managed_by IN ('config', 'api')),
    active        INTEGER NOT NULL
) STRICT;

CREATE TABLE payment (
    id                  TEXT    PRIMARY KEY,
    owner_id            INTEGER NOT NULL REFERENCES owner (id),
    router_id           INTEGER NOT NULL REFERENCES router (id),
    package_id          INTEGER NOT NULL REFERENCES package (id),
    phone               TEXT    NOT NULL,
    amount_cents        INTEGER NOT NULL,
    currency            TEXT    NOT NULL,
    duration_s          INTEGER NOT NULL,
    method              TEXT    NOT NULL,
    provider            TEXT    NOT NULL,
    api_ref             TEXT    NOT NULL UNIQUE,
    mac                 TEXT,
    ip                  TEXT,
    created_at_s        REAL    NOT NULL,
    updated_at_s        REAL    NOT NULL,
    state               TEXT    NOT NULL,
    provider_payment_id TEXT,
    invoice_id          TEXT,
    provider_state      TEXT,
    receipt             TEXT,
    failed_code         TEXT,
    failed_reason       TEXT,
    pushed_at_s         REAL,
    paid_at_s           REAL,
    version             INTEGER NOT NULL
) STRICT;

-- One invoice pays one payment, whatever the provider says.
CREATE UNIQUE INDEX payment_invoice ON payment (provider, invoice_id) WHERE invoice_id IS NOT NULL;
-- What the poller and "one open push per phone" ask for all the time.
CREATE INDEX payment_undecided ON payment (phone) WHERE state IN ('pushing', 'pushed', 'unknown');
CREATE INDEX payment_late ON payment (pushed_at_s) WHERE state IN ('refused', 'failed', 'lapsed');

CREATE TABLE access_grant (
    id            TEXT    PRIMARY KEY,
    payment_id    TEXT    NOT NULL UNIQUE REFERENCES payment (id),
    owner_id      INTEGER NOT NULL REFERENCES owner (id),
    router_id     INTEGER NOT NULL REFERENCES router (id),
    package_id    INTEGER NOT NULL REFERENCES package (id),
    mac           TEXT,
    ip            TEXT,
    duration_s    INTEGER NOT NULL,
    created_at_s  REAL    NOT NULL,
    updated_at_s  REAL    NOT NULL,
    state         TEXT    NOT NULL,
    starts_at_s   REAL,
    ends_at_s     REAL,
    ended_because TEXT,
    version       INTEGER NOT NULL
) STRICT;

CREATE INDEX grant_live ON access_grant (router_id, state) WHERE state IN ('owed', 'unclaimed', 'active', 'ending');
CREATE INDEX grant_device ON access_grant (router_id, mac);

-- Append-only: the audit trail, and the outbox for a hub. Each row is written in the transaction of what it tells.
CREATE TABLE event (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at_s       REAL    NOT NULL,
    kind       TEXT    NOT NULL,
    owner_id   INTEGER,
    payment_id TEXT,
    grant_id   TEXT,
    router_id  INTEGER,
    data       TEXT    NOT NULL
) STRICT;

CREATE INDEX event_payment ON event (payment_id);

CREATE TRIGGER event_is_append_only BEFORE UPDATE ON event BEGIN
    SELECT RAISE (ABORT, 'events are append-only');
END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event BEGIN
    SELECT RAISE (ABORT, 'events are append-only');
END;

-- The newest wall time ever seen: a clock behind it is not trusted.
CREATE TABLE clock (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    newest_wall_s REAL    NOT NULL
) STRICT;
INSERT INTO clock (id, newest_wall_s) VALUES (1, 0);
