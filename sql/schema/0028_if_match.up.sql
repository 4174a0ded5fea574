-- The header If-Match (RFC 9110 13.1.1): a change of what somebody else has changed meanwhile is refused, under the lock that
-- the change takes. is: a hash of what can be changed, which stands behind the point of an ETag. SQLSTATE: shared/error.def.
CREATE FUNCTION agentd_match(wanted text, "is" text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF wanted <> '*' AND wanted !~ ('(^|[ ,])"([0-9a-f]+[.])?' || "is" || '"') THEN
        RAISE EXCEPTION 'nothing was changed: If-Match names another version than the one that is there; read it again'
            USING ERRCODE = 'AG412';
    END IF;
END $$;
