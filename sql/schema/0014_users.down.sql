ALTER TABLE users DROP COLUMN version, DROP COLUMN updated_at, DROP COLUMN password_changed_at;
