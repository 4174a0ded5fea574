/*
 * json_print.h - JSON out, in the order it came in.
 *
 * Unlike jansson's writer it gives numbers the shortest form that reads back as the same double (0.85, not
 * 0.84999999999999998) and escapes all that could disturb a terminal; what it writes is JSON all the same.
 */
#ifndef AGENTCTL_JSON_PRINT_H
#define AGENTCTL_JSON_PRINT_H

#include "base.h"

#include <jansson.h>

/* Several lines, indented. No line feed after the last. */
void json_print_pretty(FILE *out, const json_t *value);
/* One line. */
void json_print_line(FILE *out, const json_t *value);
/* The line as a string; free() it. */
MUST_CHECK char *json_print_text(const json_t *value);
/* text as a JSON string, in quotes. */
void json_print_string(FILE *out, const char *text, size_t len);

#endif
