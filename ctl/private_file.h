/*
 * private_file.h - small files, some of them secret: read with care, replaced atomically with mode 0600.
 */
#ifndef AGENTCTL_PRIVATE_FILE_H
#define AGENTCTL_PRIVATE_FILE_H

#include "base.h"

/* The largest file that private_file_read() takes. */
enum { PRIVATE_FILE_MAX = 1 << 20 };

/*
 * Reads the file at path ("-": standard input) into *text_r, NUL-terminated; free it, or wipe it. *text_r is NULL when
 * there is no such file. With is_private a file that others can read or write is refused. False: *why_r says why, to be
 * freed.
 */
MUST_CHECK bool private_file_read(const char *path, bool is_private, char **text_r, size_t *len_r, char **why_r);
/* Puts text in the place of the file; makes its folder (0700) when there is none. False: *why_r says why. */
MUST_CHECK bool private_file_replace(const char *path, const char *text, size_t len, char **why_r);
/* Waits for its turn at the file at path; close() the answer to end it. -1: *why_r says why. */
MUST_CHECK int private_file_lock(const char *path, char **why_r);
/* Overwrites and frees. */
void private_file_wipe(char *text, size_t len);

#endif
