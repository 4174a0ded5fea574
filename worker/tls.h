/*
 * tls.h - optional TLS 1.2 and 1.3 (OpenSSL) under a connection; the only file that calls libssl.
 *
 * Reads and writes look like recv and send on a non-blocking socket: > 0 bytes, 0 the end, -1 with errno (EAGAIN: try
 * when the socket is ready). The handshake happens inside the first reads.
 */
#ifndef AGENTD_TLS_H
#define AGENTD_TLS_H

#include "base.h"

#include <sys/types.h>

struct tls;
struct tls_session;

/* Loads a certificate chain and its key (PEM). NULL: *error_r says why, static or until the next call. */
MUST_CHECK struct tls *tls_new(const char *cert_file, const char *key_file, const char **error_r);
void tls_free(struct tls *tls);

MUST_CHECK struct tls_session *tls_session_new(struct tls *tls, int fd);
/* NULL is fine. */
void tls_session_free(struct tls_session *session);
/* True if decrypted bytes wait that no event on the socket will announce. */
bool tls_pending(const struct tls_session *session);
ssize_t tls_read(struct tls_session *session, char *out, size_t size);
ssize_t tls_write(struct tls_session *session, const char *data, size_t size);

#endif
