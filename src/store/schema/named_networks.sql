-- Networks that users make: their own subnets, IPv6, no way out.
ALTER TABLE networks ADD COLUMN gateway TEXT;                          -- address of the bridge; NULL: the subnet's first
ALTER TABLE networks ADD COLUMN subnet6 TEXT;
ALTER TABLE networks ADD COLUMN gateway6 TEXT;
ALTER TABLE networks ADD COLUMN is_asked INTEGER NOT NULL DEFAULT 0;   -- its subnets are the user's choice, and stay
ALTER TABLE networks ADD COLUMN ipv6 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE networks ADD COLUMN internal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE networks ADD COLUMN own_mtu INTEGER;                       -- the user's choice; NULL: the host's route's
ALTER TABLE networks ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';     -- JSON

ALTER TABLE addresses ADD COLUMN ip6 TEXT;
CREATE UNIQUE INDEX addresses_by_ip6 ON addresses (network, ip6) WHERE ip6 IS NOT NULL;
