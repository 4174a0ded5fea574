/* fields_audit.c - fields of the audit log. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

const struct field query_audit[] = {
    INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")),
    INT("cursor", .min = 1, .max = INT64_MAX, DOC("next_cursor of the page before")),
    TEXT("actor", .min = 1, .max = 200, DOC("only what this one did: a name, or user:ID or key:ID")),
    TEXT("action", .min = 1, .max = 100, DOC("only this, like key.revoke; key is all of key; refused is all refusals")),
    TEXT("subject", .min = 1, .max = 300, DOC("only about the thing of this id or name")),
    TEXT("subject_type", .min = 1, .max = 100,
         DOC("only about things of this kind, like user, key, workflow, setting")),
    TIME("from", DOC("only from this time on")),
    TIME("to", DOC("only before this time")),
    {0}};

const struct field query_audit_chain[] = {INT("cursor", .min = 0, .max = INT64_MAX, .fallback = "0",
                                              DOC("next_cursor of the part before: the number n to begin behind")),
                                          INT("limit", .min = 1, .max = 2000, .fallback = "1000", DOC("rows at most")),
                                          {0}};

SCHEMA(audit, "AuditRow", INT("id"),
       INT("n", DOC("its place in the hash chain; null: not sealed yet, in a second it is")), TIME("at"),
       TEXT("actor", DOC("the name of who did it")), TEXT("actor_id", DOC("user:ID or key:ID")), TEXT("action"),
       TEXT("subject_type"), TEXT("subject_id"), JSON("before", DOC("as it was, without secrets")),
       JSON("after", DOC("as it is since, without secrets")),
       JSON("details", DOC("of a refusal: how often, with which status, why")), TEXT("address"), TEXT("request_id"));
SCHEMA(audit_export, "AuditExport",
       ARRAY("items", .element = FIELD_OBJECT,
             DOC("records; their kind is row, digest, checkpoint, anchor, from or head")),
       TEXT("next_cursor", DOC("the cursor of the next part; null: this was the last")));
SCHEMA(audit_verdict, "AuditVerdict", BOOL("valid"), INT("rows", DOC("that were held against the chain")), INT("first"),
       INT("last"), INT("checkpoints", DOC("that fit and whose signature is good")),
       INT("unknown_keys", DOC("checkpoints that were signed with a secret that is no longer known")),
       OBJECT("problem",
              DOC("the number n of the first row that was touched, and what is wrong with it; null: nothing")),
       OBJECT("head", DOC("the end of the chain, signed, once it was reached: worth keeping elsewhere")),
       TEXT("next_cursor", DOC("the cursor of the next part; null: this was the last")));
