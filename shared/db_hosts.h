/*
 * db_hosts.h - with which host an attempt to connect begins, when the connection string names several.
 *
 * libpq tries them in order and by itself leaves one that refuses or is not what target_session_attrs asks for. One that
 * says nothing is given up by db_connection.c, with the whole attempt: the next has to begin behind it, or it would
 * never get beyond that silence.
 */
#ifndef AGENTD_DB_HOSTS_H
#define AGENTD_DB_HOSTS_H

#include "base.h"

/* Lists for libpq that win over those of the connection string; NULL: that has no such list. Owned. */
struct db_hosts {
	char *host;
	char *hostaddr;
	char *port;
};

/* The lists of url, turned so that host number first (from 0, modulo their count) is the first. */
void db_hosts_turn(const char *url, int first, struct db_hosts *hosts_r);
void db_hosts_clear(struct db_hosts *hosts);
/* The number of the host behind that one, which is as PQhost() and PQport() tell it. */
int db_hosts_after(const char *url, const char *host, const char *port);

#endif
