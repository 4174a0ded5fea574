ALTER TABLE api_keys
    DROP COLUMN suspended_by,
    DROP COLUMN rotated_to,
    DROP COLUMN rotated_from,
    DROP COLUMN allowed_origins,
    DROP COLUMN allowed_ips;
