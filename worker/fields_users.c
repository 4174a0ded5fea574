/* fields_users.c - fields of users and their passwords. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

static const char *const roles[] = {"admin", "operator", "viewer", "guest", "agent", NULL};

/* Passwords have no bounds here: all that is wrong with one is told in its own words (password.h). */
#define NEW_PASSWORD_DOC                                                                                  \
	"12 characters or more, at most 256 bytes; not a common one, not with the user name in it, no plain " \
	"sequence or repetition"

const struct field fields_user[] = {
    TEXT("username", REQUIRED, .min = 1, .max = 64, DOC("what to log in with; no blanks; never changes")),
    TEXT("password", REQUIRED, DOC(NEW_PASSWORD_DOC)),
    TEXT("role", .choices = roles, .fallback = "viewer", DOC("at most what you may do yourself")),
    TEXT("display_name", .max = 200, DOC("for people")),
    {0}};

const struct field fields_user_patch[] = {
    TEXT("role", .choices = roles, DOC("at most what you may do yourself")),
    BOOL("active", DOC("false: may not log in, and neither sessions nor keys of the user are accepted")),
    TEXT("display_name", .max = 200, DOC("for people; empty: none")),
    {0}};

const struct field fields_user_password[] = {TEXT("password", REQUIRED, DOC(NEW_PASSWORD_DOC)), {0}};

const struct field fields_password_change[] = {
    TEXT("current_password", REQUIRED, .min = 1, DOC("the password that you have now")),
    TEXT("new_password", REQUIRED, DOC(NEW_PASSWORD_DOC)),
    {0}};

const struct field query_users[] = {UUID_PAGE,
                                    TEXT("role", .choices = roles, DOC("only those with this role")),
                                    BOOL("active", DOC("only those who are, or are not")),
                                    TEXT("username", .min = 1, .max = 64, DOC("only the one of exactly this name")),
                                    {0}};

SCHEMA(user, "User", TEXT("id"), TEXT("username"), TEXT("display_name"), TEXT("role"), BOOL("active"), INT("version"),
       TIME("created_at"), TIME("updated_at"), TIME("last_login"), TIME("password_changed_at"));
