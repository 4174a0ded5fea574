/*
 * text.h - text of strangers made fit for a terminal: escaping, and width in columns. Pure.
 *
 * Everything that came from the server or from a command is escaped before it reaches a terminal, so that it can
 * neither move the cursor nor hide a line. Widths follow wcwidth() of a UTF-8 locale.
 */
#ifndef AGENTCTL_TEXT_H
#define AGENTCTL_TEXT_H

#include "base.h"

/* Chooses a character set that knows widths, whatever the environment says. Call once. */
void text_init(void);

/* The bytes (1-4) of the well-formed character at text and the character; 0 when there is none. */
size_t text_decode(const char *text, size_t len, uint32_t *character_r);
/* The offset of the first byte that is no UTF-8, or len. */
size_t text_valid_length(const char *text, size_t len);
/* True for control characters and those that reorder or hide text. */
bool text_is_unsafe(uint32_t character);

/* A copy, NUL-terminated, with everything unsafe and every wrong byte as \xNN or \u{NNNN}; free() it. */
MUST_CHECK char *text_escape(const char *text, size_t len);
/* The same, but line feeds and tabs stay. */
MUST_CHECK char *text_escape_lines(const char *text, size_t len);

/* Columns that a text without unsafe characters takes. */
int text_width(const char *text);
/* Writes text in exactly width columns, cut with an ellipsis or padded; width 0: as it is. */
void text_write_fitted(FILE *out, const char *text, int width);

#endif
