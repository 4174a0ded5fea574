/*
 * conn_peer.h - who is at the other end of a connection, and whether he may have one more. For conn.c.
 */
#ifndef AGENTD_CONN_PEER_H
#define AGENTD_CONN_PEER_H

#include "base.h"
#include "conn.h"

struct sockaddr;

/* Names the peer and counts the connection, unless a PROXY header is due that names another. False: refused; close it.
 */
MUST_CHECK bool conn_peer_begin(struct conn *conn, const struct sockaddr *peer);

enum conn_peer_news { CONN_PEER_WAIT, CONN_PEER_KNOWN, CONN_PEER_REFUSED };

/* Reads the PROXY header that is due, and not a byte more. REFUSED: close it. */
MUST_CHECK enum conn_peer_news conn_peer_read(struct conn *conn);

/* The connection is closed: its place is free. */
void conn_peer_end(struct conn *conn);

/* What limits go by: the address, of IPv6 its first 64 bits, of which one host has all. */
void conn_peer_network(const struct cidr *address, char text_r[CIDR_TEXT_SIZE]);

#endif
