/* fields_auth.c - fields of logins, tokens and API keys. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const key_types[] = {"secret", "public", NULL};
static const char *const roles[] = {"admin", "operator", "viewer", "guest", "agent", NULL};

const struct field fields_login[] = {
    TEXT("username", REQUIRED, .min = 1, .max = 64, DOC("the user's name")),
    TEXT("password", REQUIRED, .min = 1, .max = 256, DOC("the password")),
    TEXT("tenant_name", .min = 1, .max = 63, .fallback = "default", DOC("the tenant to log in to; default when absent")),
    {0}};

const struct field fields_verify_token[] = {TEXT("token", REQUIRED, .min = 1, .max = 4096, DOC("an access token")),
                                            {0}};

const struct field fields_key[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 200, DOC("what the key is for")),
    TEXT("type", .choices = key_types, .fallback = "secret", DOC("public keys may only read")),
    TEXT("role", .choices = roles, DOC("the key's role: at most what you may do yourself; yours when absent")),
    INT("rate_limit", .min = 1, .max = 1000000000, .fallback = "1000", DOC("requests per window")),
    INT("expires_in_days", .min = 1, .max = 3650, .fallback = "365", DOC("life of the key")),
    {0}};

const struct field fields_verify_key[] = {TEXT("key", REQUIRED, .min = 1, .max = 200, DOC("a whole API key")), {0}};

SCHEMA(token, "Token", TEXT("access_token"), TEXT("token_type"), INT("expires_in"),
       TEXT("refresh_token", DOC("for POST /auth/refresh, once")), INT("refresh_expires_in"), UUID("session"), OBJECT("user"));

SCHEMA(me, "Me", TEXT("kind"), TEXT("id"), TEXT("name"), TEXT("role"), ARRAY("permissions", .element = FIELD_TEXT),
       TEXT("tenant"), UUID("session", DOC("null for an API key")), OBJECT("limits"));

SCHEMA(token_check, "TokenCheck", BOOL("valid"), TEXT("reason"), OBJECT("claims"));

SCHEMA(key, "Key", TEXT("key_id"), TEXT("name"), TEXT("type"), TEXT("role"), TEXT("owner"), TEXT("status"),
       INT("rate_limit"), TIME("created_at"), TIME("expires_at"), TIME("last_used"), INT("usage_count"),
       INT("failed_attempts"), INT("days_until_expiration"));

SCHEMA(new_key, "NewKey", TEXT("key_id"), TEXT("key", DOC("shown this once")), TEXT("name"), TEXT("type"), TEXT("role"),
       TEXT("owner"), TEXT("status"), INT("rate_limit"), TIME("created_at"), TIME("expires_at"));

SCHEMA(key_check, "KeyCheck", BOOL("valid"), TEXT("reason"), TEXT("key_id"), TEXT("owner"), TEXT("role"));
