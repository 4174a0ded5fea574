/*
 * json_text.h - what JSON text is: the grammar of RFC 8259 and its escapes, for json_read.c only.
 *
 * The scan accepts exactly the texts that json_parse_payload() accepts. Pure functions
 * that neither block nor allocate.
 */
#ifndef AGENTD_JSON_TEXT_H
#define AGENTD_JSON_TEXT_H

#include "base.h"

#define JSON_TEXT_NO_NUL SIZE_MAX

struct json_text {
	int tokens;         /* keys and values */
	bool escapes;       /* some string has a backslash */
	size_t nul;         /* offset of the first \u0000, or JSON_TEXT_NO_NUL */
	const char *reason; /* only of a text that is refused: see struct json_error */
	size_t offset;
};

/* False: the text is not JSON; found_r says why and where. */
MUST_CHECK bool json_text_scan(struct slice text, struct json_text *found_r);

/*
 * Unescapes what stands between the quotes of a scanned string into out and returns the length. out needs room for
 * text.len bytes: no escape is shorter than what it stands for.
 */
size_t json_text_unescape(struct slice text, char *out);

static inline bool
json_text_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

#endif
