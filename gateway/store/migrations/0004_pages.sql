-- Lists of payments and grants, newest first, stay fast with a million rows: each filter has an index in the order of the pages.

-- In the order of the pages; serves the limits per phone as before.
DROP INDEX payment_of_phone;
CREATE INDEX payment_of_phone ON payment (phone, created_at_s DESC, id DESC);
CREATE INDEX payment_newest_by_state ON payment (owner_id, state, created_at_s DESC, id DESC);
CREATE INDEX payment_newest_by_router ON payment (owner_id, router_id, created_at_s DESC, id DESC);

CREATE INDEX grant_newest_by_state ON access_grant (owner_id, state, created_at_s DESC, id DESC);
CREATE INDEX grant_newest_by_router ON access_grant (owner_id, router_id, created_at_s DESC, id DESC);
CREATE INDEX grant_newest_by_mac ON access_grant (owner_id, mac, created_at_s DESC, id DESC) WHERE mac IS NOT NULL;
