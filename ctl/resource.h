/*
 * resource.h - the commands that are one request: list, get, delete, and a change that answers with the thing changed.
 *
 * What they say to people is made from the noun ("the template").
 */
#ifndef AGENTCTL_RESOURCE_H
#define AGENTCTL_RESOURCE_H

#include "payload.h"
#include "output.h"

struct resource {
	const char *noun;  /* "the template" */
	const char *nouns; /* "the templates" */
	const char *list;  /* path of the list */
	const char *item;  /* path of one, with %s for its id */
	const char *id;    /* the member for -o name */
	const struct output_field *columns, *details;
};

/* filters may be NULL. */
enum ctl_exit resource_list(const struct ctl *ctl, const struct resource *resource,
                            const struct payload_field *filters);
/* The one that the first word after the command names. */
enum ctl_exit resource_get(const struct ctl *ctl, const struct resource *resource);
/* Asks first, unless --yes. */
enum ctl_exit resource_delete(const struct ctl *ctl, const struct resource *resource);
/*
 * One request about the thing that the first word names: format has %s for it. body is taken over (may be NULL).
 * verb is what could not be done ("cancel"), done is what is now so ("is cancelled").
 */
enum ctl_exit resource_change(const struct ctl *ctl, const struct resource *resource, const char *method,
                              const char *format, json_t *body, const char *verb, const char *done);
/* A POST to path that makes a new one. */
enum ctl_exit resource_create(const struct ctl *ctl, const struct resource *resource, const char *path, json_t *body);
/* Shows what a change answered: for people that it is done; JSON or the name for scripts. */
void resource_show_change(const struct ctl *ctl, const struct resource *resource, const json_t *answer,
                          const char *done);
/* True when --yes was given or the person says yes; otherwise *code_r is set and why is said. */
MUST_CHECK bool resource_confirm(const struct ctl *ctl, const char *question, enum ctl_exit *code_r);

#endif
