DROP TABLE settings, settings_head;
