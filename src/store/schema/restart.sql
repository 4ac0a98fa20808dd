-- Containers that are to be started again after a crash or a reboot: looked for by each command.
CREATE INDEX containers_with_restart_policy ON containers (id) WHERE json_extract(spec, '$.restart') <> 'no';
