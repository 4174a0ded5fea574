-- API keys: where they may be used from, what took their place, and who suspended them.
ALTER TABLE api_keys
    ADD COLUMN allowed_ips     json NOT NULL DEFAULT '[]',
    ADD COLUMN allowed_origins json NOT NULL DEFAULT '[]',
    ADD COLUMN rotated_from    text,
    ADD COLUMN rotated_to      text,
    ADD COLUMN suspended_by    uuid;
