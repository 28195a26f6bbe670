-- Time that moves from one device to another, devices that log out, and guesses at the codes that move it.

-- Seconds of a grant that ran on a device that had it before; what is left goes to the device in hand.
ALTER TABLE access_grant ADD COLUMN used_s REAL NOT NULL DEFAULT 0;
-- Bytes that were counted on a row which has gone from the router since: a new row there begins at zero.
ALTER TABLE access_grant ADD COLUMN used_bytes INTEGER NOT NULL DEFAULT 0;
-- Its device is to stay outside, by its user's own wish, while the time runs on.
ALTER TABLE access_grant ADD COLUMN logged_out INTEGER NOT NULL DEFAULT 0;

-- Devices that lost what they had, by a move, a log-out or the operator's hand, until the router has confirmed that they are out.
-- A crash in the middle of shutting out can leave what no row of ours shows: a session, a host that is let through.
CREATE TABLE unconfirmed_device (
    router_id INTEGER NOT NULL REFERENCES router (id),
    mac       TEXT    NOT NULL,
    PRIMARY KEY (router_id, mac)
) STRICT, WITHOUT ROWID;

-- Wrong codes, by device, address and owner, so that a restart does not give anybody more tries.
CREATE TABLE claim_try (
    key  TEXT NOT NULL,
    at_s REAL NOT NULL
) STRICT;
CREATE INDEX claim_try_key ON claim_try (key, at_s);
CREATE INDEX claim_try_age ON claim_try (at_s);
