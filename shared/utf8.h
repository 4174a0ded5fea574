/*
 * utf8.h - one character of UTF-8 at a time, as RFC 3629 defines it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. Pure functions.
 */
#ifndef AGENTD_UTF8_H
#define AGENTD_UTF8_H

#include "base.h"

enum { UTF8_MAX = 4 }; /* bytes that one character takes at most */

/* How many bytes (1 to 4) the well-formed character at the start of the left bytes takes; 0 when it is none. */
size_t utf8_length(const char *at, size_t left);
/* Writes a code point that is neither a surrogate nor above 0x10FFFF; returns its number of bytes. */
size_t utf8_encode(uint32_t code_point, char out[UTF8_MAX]);

#endif
