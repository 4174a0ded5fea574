DROP FUNCTION agentd_announce;
DROP TABLE changes, changes_head;
