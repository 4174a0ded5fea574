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

/*
 * Loads a certificate chain and its key (PEM); the names are borrowed for its life. NULL: *error_r says why, static or
 * until the next call.
 */
MUST_CHECK struct tls *tls_new(const char *cert_file, const char *key_file, const char **error_r);
void tls_free(struct tls *tls);

enum tls_news { TLS_SAME, TLS_RELOADED, TLS_BROKEN };

/*
 * Looks whether the files have changed; to be called about once a second. New ones are loaded at the second look that
 * finds them alike, so that a certificate and its key may be replaced one after the other. RELOADED: handshakes from
 * now on show the new certificate; sessions live on with the old one. BROKEN: the new files are of no use (*error_r,
 * told once) and nothing has changed.
 */
enum tls_news tls_look(struct tls *tls, const char **error_r);
/* When the certificate ends, in seconds of the epoch. */
int64_t tls_expires_s(const struct tls *tls);

MUST_CHECK struct tls_session *tls_session_new(struct tls *tls, int fd);
/* NULL is fine. */
void tls_session_free(struct tls_session *session);
/* True if decrypted bytes wait that no event on the socket will announce. */
bool tls_pending(const struct tls_session *session);
/* Says to the peer that nothing follows, if that can be said at once. */
void tls_close(struct tls_session *session);
ssize_t tls_read(struct tls_session *session, char *out, size_t size);
ssize_t tls_write(struct tls_session *session, const char *data, size_t size);

#endif
