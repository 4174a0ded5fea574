/* fields_auth.c - fields of logins and tokens. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

const struct field fields_login[] = {
    TEXT("username", REQUIRED, .min = 1, .max = 64, DOC("the user's name")),
    TEXT("password", REQUIRED, .min = 1, .max = 256, DOC("the password")),
    TEXT("tenant_name", .min = 1, .max = 63, .fallback = "default", DOC("the tenant to log in to; default when absent")),
    {0}};

const struct field fields_verify_token[] = {TEXT("token", REQUIRED, .min = 1, .max = 4096, DOC("an access token")),
                                            {0}};

SCHEMA(token, "Token", TEXT("access_token"), TEXT("token_type"), INT("expires_in"),
       TEXT("refresh_token", DOC("for POST /auth/refresh, once")), INT("refresh_expires_in"), UUID("session"), OBJECT("user"));

SCHEMA(me, "Me", TEXT("kind"), TEXT("id"), TEXT("name"), TEXT("role"), ARRAY("permissions", .element = FIELD_TEXT),
       ARRAY("limited", .element = FIELD_TEXT, DOC("scopes of a key that give a permission for some names only")),
       TEXT("tenant"), UUID("session", DOC("null for an API key")), OBJECT("limits"));

SCHEMA(token_check, "TokenCheck", BOOL("valid"), TEXT("reason"), OBJECT("claims"));
