/* fields_sessions.c - fields of refresh tokens and sessions. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

const struct field fields_refresh[] = {
    TEXT("refresh_token", REQUIRED, .min = 1, .max = 200,
         DOC("the newest refresh token of the session; using an older one ends the session")),
    {0}};

SCHEMA(session, "Session", UUID("id"), TIME("created_at"), TIME("last_used_at", DOC("of its last login or refresh")),
       TIME("expires_at", DOC("unless it is refreshed before")), TEXT("address"), TEXT("user_agent"),
       BOOL("current", DOC("the session of this request")));
