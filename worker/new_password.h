/*
 * new_password.h - a password that somebody is to have from now on: is it good, and its hash, made off the event loop.
 */
#ifndef AGENTD_NEW_PASSWORD_H
#define AGENTD_NEW_PASSWORD_H

#include "password.h"
#include "request.h"

/* Lives in the request's arena. */
struct new_password {
	struct request *request;
	char hash[PASSWORD_HASH_SIZE];
};

/* Adds an error for each thing that is wrong with password for username. */
void new_password_check(struct slice password, struct slice username, const char *pointer, struct field_errors *errors);

/* STEP_WAIT: the request goes on with its next step when the hash is there. STEP_DONE: the answer says why not. */
enum step new_password_hash(struct new_password *new, struct slice password);

/* The answer when the queue of the pool is full: 503, to come again. */
enum step new_password_busy(struct request *request);

#endif
