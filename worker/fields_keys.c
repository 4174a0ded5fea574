/* fields_keys.c - fields of API keys. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const key_types[] = {"secret", "public", NULL};
static const char *const key_states[] = {"active", "expired", "revoked", "suspended", NULL};
static const char *const roles[] = {"admin", "operator", "viewer", "guest", "agent", NULL};

const struct field fields_key[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 200, DOC("what the key is for; two keys may have one name")),
    TEXT("type", .choices = key_types, .fallback = "secret",
         DOC("public keys are for web pages: they may only read (GET), and only from allowed_origins")),
    ARRAY(
        "scopes", .element = FIELD_TEXT, .min = 1, .max = 50, .fallback = "[\"default\"]",
        DOC("what the key may do, at most what its role and its owner may at the moment: default is all of that; "
            "workflow:read a permission; workflow:* those of a group; task:execute@role=sena a permission for one "
            "role, "
            "agent:read@agent=web-* for agents whose id begins so, workflow:create@template=review for one template. "
            "What the path, the body or the task names decides; an endpoint that names nothing of the kind is closed")),
    TEXT("role", .choices = roles, DOC("the key's role: at most what you may do yourself; yours when absent")),
    INT("rate_limit", .min = 1, .max = 1000000000, .fallback = "1000", DOC("requests per window")),
    INT("expires_in_days", .min = 1, .max = 3650, .fallback = "365", DOC("life of the key")),
    ARRAY("allowed_ips", .element = FIELD_TEXT, .max = 50, .fallback = "[]",
          DOC("addresses and ranges (192.0.2.7, 10.0.0.0/8, 2001:db8::/32) it may be used from; none: from anywhere")),
    ARRAY("allowed_origins", .element = FIELD_TEXT, .max = 50, .fallback = "[]",
          DOC("of a public key, which needs one: scheme://host[:port] as browsers send it")),
    {0}};

const struct field fields_rotate[] = {INT("overlap_s", .min = 0, .max = 2592000, .fallback = "3600",
                                          DOC("how long the old key goes on working; never longer than it would have")),
                                      {0}};

const struct field fields_verify_key[] = {TEXT("key", REQUIRED, .min = 1, .max = 200, DOC("a whole API key")), {0}};

#define KEY_MADE                                                                                                   \
	TEXT("key_id"), TEXT("name"), TEXT("type", .choices = key_types), TEXT("role"),                                \
	    ARRAY("scopes", .element = FIELD_TEXT), TEXT("owner"), TEXT("status", .choices = key_states),              \
	    INT("rate_limit"), ARRAY("allowed_ips", .element = FIELD_TEXT),                                            \
	    ARRAY("allowed_origins", .element = FIELD_TEXT), TEXT("rotated_from", DOC("the key whose place it took")), \
	    TIME("created_at"), TIME("expires_at")

SCHEMA(key, "Key", KEY_MADE, TEXT("rotated_to", DOC("the key that took its place")), TIME("last_used"),
       INT("usage_count"),
       INT("failed_attempts", DOC("with this key id and a wrong secret, or when or where it may not be used")),
       INT("days_until_expiration"));

SCHEMA(new_key, "NewKey", KEY_MADE, TEXT("key", DOC("shown this once")));

SCHEMA(rotated_key, "RotatedKey", KEY_MADE, TEXT("key", DOC("shown this once")),
       TIME("old_expires_at", DOC("until when the old key works")));

SCHEMA(key_check, "KeyCheck", BOOL("valid"),
       TEXT("reason", DOC("malformed, unknown (or of another tenant), revoked, suspended or expired")), TEXT("key_id"),
       TEXT("name"), TEXT("type", .choices = key_types), TEXT("owner"), TEXT("role"),
       ARRAY("scopes", .element = FIELD_TEXT), INT("rate_limit"), INT("remaining", DOC("requests, at the moment")),
       INT("expires_in_s"));
