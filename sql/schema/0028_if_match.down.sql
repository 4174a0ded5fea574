DROP FUNCTION agentd_match(text, text);
