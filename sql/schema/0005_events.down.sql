DROP TABLE events, nodes;
DROP SEQUENCE events_seq;
