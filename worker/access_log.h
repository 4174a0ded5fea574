/*
 * access_log.h - a line for each request that ended (setting ACCESS_LOG), and one for each that was slow.
 *
 * What a client sent is in it as far as it cannot be a secret: the path, but neither the query string, nor a header,
 * nor the body. Lines of one turn of the loop are written together.
 */
#ifndef AGENTD_ACCESS_LOG_H
#define AGENTD_ACCESS_LOG_H

#include "base.h"

struct access_log;
struct request;
struct worker;

struct access_log *access_log_new(struct worker *worker);
/* Writes what is left; NULL is fine. */
void access_log_free(struct access_log *log);
/* The request has ended, and is whole still. */
void access_log_note(struct access_log *log, const struct request *request, int64_t took_us);

#endif
