-- The time that the gateway goes by, as it was last kept, and by which clock: one boot of one machine.

-- Within a boot the kernel knows to the second how much time has passed, whatever the wall clock does.
ALTER TABLE clock ADD COLUMN boot_id TEXT;
ALTER TABLE clock ADD COLUMN monotonic_s REAL NOT NULL DEFAULT 0;
-- What was stamped after this moves with the next step of the clock: it was stamped by the same line of time.
ALTER TABLE clock ADD COLUMN since_s REAL NOT NULL DEFAULT 0;
-- Whether a time server or the provider has confirmed that line of time.
ALTER TABLE clock ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1;
-- The sum of all steps that were followed: what lies between two moments is known without them.
ALTER TABLE clock ADD COLUMN stepped_s REAL NOT NULL DEFAULT 0;
