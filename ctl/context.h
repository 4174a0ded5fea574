/*
 * context.h - which server, as whom: the configuration file, the environment and the options put together.
 *
 * Server: --server, AGENTCTL_SERVER, the context's, http://127.0.0.1:5000. Key: AGENTCTL_KEY, AGENTCTL_KEY_FILE, the
 * context's. A stored key goes only to the server that it was stored for. The file is
 * {"current_context": NAME, "contexts": {NAME: {"server", "key", "username", "refresh_token", "expires_at"}}}; it is
 * never used while others can read it, and it is replaced as a whole or not at all.
 */
#ifndef AGENTCTL_CONTEXT_H
#define AGENTCTL_CONTEXT_H

#include "ctl.h"

struct context {
	char *path;   /* of the configuration file */
	json_t *file; /* its content; an empty object when there is none */
	char *name;
	char *server;           /* normalised: no slash at the end, no /api/v1 */
	char *key;              /* NULL: none */
	const char *key_origin; /* "AGENTCTL_KEY", ..., for messages; NULL: none */
	char *refresh;          /* of a stored key that was made by a login; NULL: none */
	int64_t expires_s;      /* when the stored key expires, seconds since 1970 */
	int64_t pause_until_s;  /* no use to try a refresh before */
	char *withheld_for;     /* the server that a stored key was kept for, when that is another one */
};

/* Fills *context_r. Anything but CTL_DONE: said why on standard error. */
MUST_CHECK enum ctl_exit context_open(const struct ctl *ctl, struct context *context_r);
void context_close(struct context *context);

/* What a login or a refresh gave. Texts are borrowed. */
struct context_login {
	const char *username; /* NULL: as it was */
	const char *key;
	const char *refresh; /* NULL: none */
	int64_t expires_s;
};

/* From the server's answer. False: there is no token in it. */
MUST_CHECK bool context_login_read(const json_t *answer, struct context_login *login_r);
/* Stores it (NULL: removes it) in the context of this name; a login makes that the current one. False: said why. */
MUST_CHECK bool context_store(struct context *context, const struct context_login *login);
/* Goes on with it instead of the stored key. */
void context_use(struct context *context, const struct context_login *login);
/* Reads the file again, and goes on with the key that it has now. */
void context_reload(struct context *context);

#endif
