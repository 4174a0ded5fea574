/*
 * list.h - lists of the server, page after page, up to --limit.
 */
#ifndef AGENTCTL_LIST_H
#define AGENTCTL_LIST_H

#include "output.h"

/* Only gets it: {"items", "next_cursor"}, for the caller to json_decref() whatever the result. */
MUST_CHECK enum ctl_exit list_get(const struct ctl *ctl, const char *path, const char *what, json_t **all_r);
/* Gets the list at path (which may have a query) and shows it. */
enum ctl_exit list_show(const struct ctl *ctl, const char *path, const char *what, const struct output_field *fields,
                        const char *id_key);
/* The same for a list that goes on with `after` and always has a next_cursor. after may be NULL. */
enum ctl_exit list_show_after(const struct ctl *ctl, const char *path, const char *what,
                              const struct output_field *fields, const char *id_key, const char *after);

#endif
