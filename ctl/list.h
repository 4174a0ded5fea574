/*
 * list.h - lists of the server, page after page, up to --limit.
 */
#ifndef AGENTCTL_LIST_H
#define AGENTCTL_LIST_H

#include "output.h"

/* Gets the list at path (which may have a query) and shows it. */
enum ctl_exit list_show(const struct ctl *ctl, const char *path, const char *what, const struct output_field *fields,
                        const char *id_key);

#endif
