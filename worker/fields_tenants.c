/* fields_tenants.c - fields of tenants and roles. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

enum { QUOTA_MAX = 1000000000 };

#define QUOTA(name, text) INT(name, .min = 0, .max = QUOTA_MAX, DOC(text))

/* What is absent is not bounded. */
static const struct field quotas[] = {
    QUOTA("max_users", "users"),
    QUOTA("max_keys", "API keys that are not revoked"),
    QUOTA("max_agents", "registered agents"),
    QUOTA("max_schedules", "schedules"),
    QUOTA("max_open_workflows", "workflows that have not ended; looked at once a second, so a burst may go beyond it"),
    QUOTA("max_open_tasks",
          "tasks that wait to be leased or are held; looked at once a second, so a burst may go beyond it"),
    INT("rate_limit", .min = 1, .max = QUOTA_MAX, DOC("requests per window of all its users and keys together")),
    {0}};

#define DESCRIPTION TEXT("description", .max = 1000, DOC("for people"))

const struct field fields_tenant[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 63, DOC("a to z, 0 to 9, - and _; begins with a letter; stays")),
    DESCRIPTION,
    OBJECT("quotas", .fields = quotas, DOC("what it may have at most; what is not named is not bounded")),
    TEXT("admin_username", .min = 1, .max = 64, DOC("makes its first user, an admin; with admin_password")),
    TEXT("admin_password", DOC("the password of admin_username; as for users")),
    {0}};

const struct field fields_tenant_patch[] = {
    DESCRIPTION,
    BOOL("active", DOC("false: nobody of it gets in, and its schedules rest, until it is active again")),
    OBJECT("quotas", .fields = quotas, DOC("those named change, null takes one away; the others stay")),
    {0}};

const struct field query_tenants[] = {INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")),
                                      INT("cursor", .min = 1, .max = 2147483647, DOC("next_cursor of the page before")),
                                      {0}};

SCHEMA(tenant, "Tenant", INT("id"), TEXT("name"), TEXT("description"), TEXT("status"), BOOL("active"), OBJECT("quotas"),
       TIME("created_at"), TIME("deactivated_at"), TEXT("admin_username"), OBJECT("usage"),
       ARRAY("full_of", .element = FIELD_TEXT));

static const struct field role_fields[] = {TEXT("name"), ARRAY("permissions", .element = FIELD_TEXT), {0}};

SCHEMA(roles, "Roles", ARRAY("items", .fields = role_fields), TEXT("next_cursor"));
