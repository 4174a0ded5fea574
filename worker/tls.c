/* tls.c - see tls.h. Writes may move and be cut: the connection's buffer grows between two attempts. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls {
	SSL_CTX *context;
};

struct tls_session {
	SSL *ssl;
};

struct tls *
tls_new(const char *cert_file, const char *key_file, const char **error_r)
{
	static char reason[256];
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct tls *tls;

	INVARIANT(context);
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(context,
	                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_use_certificate_chain_file(context, cert_file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1) {
		ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
		ERR_clear_error();
		SSL_CTX_free(context);
		*error_r = reason;
		return NULL;
	}
	tls = mem_alloc(sizeof(*tls));
	tls->context = context;
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls)
		SSL_CTX_free(tls->context);
	free(tls);
}

struct tls_session *
tls_session_new(struct tls *tls, int fd)
{
	struct tls_session *session = mem_alloc(sizeof(*session));

	session->ssl = SSL_new(tls->context);
	INVARIANT(session->ssl);
	SSL_set_fd(session->ssl, fd);
	SSL_set_accept_state(session->ssl);
	return session;
}

void
tls_session_free(struct tls_session *session)
{
	if (session)
		SSL_free(session->ssl);
	free(session);
}

static ssize_t
outcome(struct tls_session *session, int result)
{
	switch (SSL_get_error(session->ssl, result)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	default:
		ERR_clear_error();
		errno = EPROTO;
		return -1;
	}
}

bool
tls_pending(const struct tls_session *session)
{
	return SSL_pending(session->ssl) > 0;
}

ssize_t
tls_read(struct tls_session *session, char *out, size_t size)
{
	size_t length;
	size_t total = 0;
	int result;

	/* Until OpenSSL has nothing left: what it has buffered makes no socket readable. */
	while (total < size && (result = SSL_read_ex(session->ssl, out + total, size - total, &length)) == 1)
		total += length;
	if (total > 0)
		return (ssize_t)total;
	return outcome(session, 0);
}

ssize_t
tls_write(struct tls_session *session, const char *data, size_t size)
{
	size_t length;

	if (SSL_write_ex(session->ssl, data, size, &length) == 1)
		return (ssize_t)length;
	return outcome(session, 0);
}
