-- Money that is to be given back, and time that was.

-- One row for each invoice whose money is owed to whoever paid it: not delivered, not what was asked for, or paid twice.
CREATE TABLE debt (
    id             TEXT    PRIMARY KEY,
    payment_id     TEXT    NOT NULL REFERENCES payment (id),
    owner_id       INTEGER NOT NULL REFERENCES owner (id),
    invoice_id     TEXT,
    why            TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    due_since_s    REAL    NOT NULL,
    updated_at_s   REAL    NOT NULL,
    amount_cents   INTEGER,
    requested_at_s REAL,
    refund_id      TEXT,
    provider_state TEXT,
    refusal        TEXT,
    version        INTEGER NOT NULL
) STRICT;

-- Nobody owes the same money twice, so that nobody can ask for it back twice.
CREATE UNIQUE INDEX debt_of_invoice ON debt (payment_id, ifnull(invoice_id, ''));
CREATE INDEX debt_by_state ON debt (state);

-- What is looked for every minute.
CREATE INDEX payment_disputed ON payment (id) WHERE state = 'disputed';
CREATE INDEX grant_never_served ON access_grant (payment_id) WHERE state = 'revoked' AND starts_at_s IS NULL AND used_s = 0;

-- Seconds in which a grant could not be used, and which were added at its end.
ALTER TABLE access_grant ADD COLUMN compensated_s REAL NOT NULL DEFAULT 0;
CREATE INDEX grant_by_end ON access_grant (router_id, ends_at_s) WHERE ends_at_s IS NOT NULL;

-- Each outage for which time was given back. What lies before its end was dealt with on that router.
CREATE TABLE outage (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    router_id    INTEGER NOT NULL REFERENCES router (id),
    cause        TEXT    NOT NULL CHECK (cause IN ('router', 'uplink')),
    began_s      REAL    NOT NULL,
    ended_s      REAL    NOT NULL,
    grants       INTEGER NOT NULL,
    given_back_s REAL    NOT NULL
) STRICT;
CREATE INDEX outage_of_router ON outage (router_id, ended_s);

-- Of a router that has been silent for long: when it last answered, so that a restart in between forgets nothing.
CREATE TABLE silent_router (
    router_id      INTEGER PRIMARY KEY REFERENCES router (id),
    answered_at_s  REAL    NOT NULL
) STRICT;
