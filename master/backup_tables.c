/*
 * backup_tables.c - see backup_tables.h. settled_in is the number of a transaction, which another server gives to
 * another one; it means something within its transaction only.
 */
#include "backup_tables.h"

static const char tables_sql[] =
    "WITH RECURSIVE parts AS ("
    " SELECT c.oid, c.relname FROM pg_class c"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND c.relname NOT IN ('migration_versions', 'nodes', 'keeper_lease')"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype "
    "= "
    "'e')"
    "), levels AS ("
    " SELECT oid, 0 AS level FROM parts"
    " UNION SELECT f.conrelid, l.level + 1 FROM levels l JOIN pg_constraint f ON f.confrelid = l.oid AND f.contype = "
    "'f'"
    " AND f.conrelid <> f.confrelid WHERE l.level < 20"
    "), columns AS ("
    " SELECT p.oid, json_agg(a.attname ORDER BY a.attnum)::text AS names,"
    " string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS list,"
    " string_agg(CASE a.attname WHEN 'settled_in' THEN 'NULL' ELSE quote_ident(a.attname) END, ', ' ORDER BY a.attnum) "
    "AS "
    "values"
    " FROM parts p JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped AND "
    "a.attgenerated = ''"
    " GROUP BY p.oid)"
    " SELECT p.relname, c.names, c.list, c.values FROM parts p JOIN columns c USING (oid)"
    " ORDER BY (SELECT max(l.level) FROM levels l WHERE l.oid = p.oid), p.relname";

struct pg_result *
backup_tables(struct pg_conn *conn, char **error_r)
{
	return database_query(conn, tables_sql, 0, NULL, error_r);
}
