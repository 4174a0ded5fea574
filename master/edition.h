/*
 * edition.h - what one reading of the settings makes: the configuration, the listening socket, the secrets in use.
 *
 * A reload makes another edition beside the one that serves, and either takes its place or is freed. Functions may block
 * on the disk; messages go to standard error.
 */
#ifndef AGENTD_EDITION_H
#define AGENTD_EDITION_H

#include "base.h"
#include "crypto_seal.h"
#include "listen.h"

struct audit_keys;
struct config;
struct heritage;
struct state_user;

struct edition {
	const struct config *config;
	struct config *owned; /* the same, if it is to be freed with the edition */
	struct listen_socket api;
	struct listen_socket metrics; /* fd -1: the settings want none */
	char **variables;    /* what the configuration was read from, for the way back of an upgrade */
	char *database_url; /* NULL until it is known */
	char *secret;
	struct audit_keys *audit_keys;
	uint8_t channel_keys[2][CRYPTO_SEAL_KEY];
};

/* Of the settings that were just loaded (launch.h); nothing is opened yet. */
MUST_CHECK struct edition *edition_new(const struct config *config, struct config *owned);
/* Opens the log file, as the user who serves. */
MUST_CHECK bool edition_open_log(const struct edition *edition, const struct state_user *user);
/* The secret of the settings, or that of the folder. */
MUST_CHECK bool edition_find_secret(struct edition *edition, const char *folder);
/* Opens the sockets: what was handed to the program (systemd), what `before` has if it is the same place, or new ones. */
MUST_CHECK bool edition_listen(struct edition *edition, const struct edition *before);
/* The database of the settings; embedded: the url of that. */
MUST_CHECK bool edition_find_database(struct edition *edition, const char *embedded_url);
/* Nobody listens there any more, as far as the master is concerned; what `other` (or NULL) has too stays open. */
void edition_close(struct edition *edition, const struct edition *other);
/* What a child gets of it. */
void edition_give(const struct edition *edition, struct heritage *heritage);
/* In a child: wipes what the settings were read from. */
void edition_forget(struct edition *edition);
/* Wipes, closes the sockets unless `other` has the same, and frees. NULL is fine. */
void edition_free(struct edition *edition, const struct edition *other);

/* worker processes that the settings ask for */
int edition_workers(const struct edition *edition);

#endif
