-- Networks of this root, the addresses that are in use on them, and the ports that are published.
CREATE TABLE networks (
  id             TEXT PRIMARY KEY,            -- 64 hexadecimal digits
  name           TEXT NOT NULL UNIQUE,
  bridge         TEXT NOT NULL UNIQUE,        -- link on the host: `sh<id8>n0`
  subnet         TEXT,                        -- `10.200.0.0/16`; NULL until the bridge was made once
  mtu            INTEGER NOT NULL DEFAULT 1500,
  created        INTEGER NOT NULL             -- UTC nanoseconds
) WITHOUT ROWID;

CREATE TABLE addresses (
  serial         INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: names the link, leads round the subnet
  network        TEXT NOT NULL REFERENCES networks (id),
  container      TEXT NOT NULL,               -- its row may not be there yet
  ip             TEXT NOT NULL,
  UNIQUE (network, ip)
);
CREATE INDEX addresses_by_container ON addresses (container);

CREATE TABLE published_ports (
  address        INTEGER NOT NULL REFERENCES addresses (serial) ON DELETE CASCADE,
  position       INTEGER NOT NULL,            -- order of the sockets that hold them
  host_ip        TEXT NOT NULL,
  host_port      INTEGER NOT NULL,
  container_port INTEGER NOT NULL,
  protocol       TEXT NOT NULL,               -- tcp, udp
  PRIMARY KEY (address, position)
) WITHOUT ROWID;
CREATE INDEX published_ports_by_port ON published_ports (host_port, protocol);
