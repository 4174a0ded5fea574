DROP TABLE keeper_lease;
