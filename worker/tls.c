/* tls.c - see tls.h. Writes may move and be cut: the connection's buffer grows between two attempts. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

/* What tells two states of a file apart; all zeros: it is not there. */
struct version {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed, modified;
};

struct versions {
	struct version cert, key;
};

struct tls {
	SSL_CTX *context;
	const char *cert_file, *key_file;
	int64_t expires_s;
	struct versions tried; /* what was loaded last, or was of no use */
	struct versions seen;  /* at the last look */
};

struct tls_session {
	SSL *ssl;
};

static const char *
openssl_reason(void)
{
	static char reason[256];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	ERR_clear_error();
	return reason;
}

/* HTTP/1.1 is all that is spoken here: who wants something else only must not mistake this for it (RFC 7301 3.2). */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                unsigned int offered_len, void *arg)
{
	static const unsigned char known[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, known, sizeof(known) - 1, offered, offered_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase is an error, not a question on the terminal. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

static void
set_rules(SSL_CTX *context)
{
	INVARIANT(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
	/* Only ciphers with forward secrecy and authenticated encryption. */
	INVARIANT(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
	INVARIANT(SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1);
	/* No tickets: their key would outlive the forward secrecy of all sessions it was used for. Connections live long.
	 */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_TICKET | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context,
	                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
}

static int64_t
end_of(const X509 *certificate)
{
	struct tm parts;

	INVARIANT(ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) == 1);
	return timegm(&parts);
}

static SSL_CTX *
load(const char *cert_file, const char *key_file, const char **error_r)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	INVARIANT(context);
	set_rules(context);
	if (SSL_CTX_use_certificate_chain_file(context, cert_file) == 1 &&
	    SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(context) == 1)
		return context;
	*error_r = openssl_reason();
	SSL_CTX_free(context);
	return NULL;
}

static struct version
version_of(const char *file)
{
	struct version version;
	struct stat facts;

	/* All of it, so that two can be compared as bytes. */
	memset(&version, 0, sizeof(version));
	if (stat(file, &facts) == 0) {
		version.device = facts.st_dev;
		version.inode = facts.st_ino;
		version.size = facts.st_size;
		version.changed = facts.st_ctim;
		version.modified = facts.st_mtim;
	}
	return version;
}

static void
look(const struct tls *tls, struct versions *versions_r)
{
	memset(versions_r, 0, sizeof(*versions_r));
	versions_r->cert = version_of(tls->cert_file);
	versions_r->key = version_of(tls->key_file);
}

struct tls *
tls_new(const char *cert_file, const char *key_file, const char **error_r)
{
	struct tls *tls = mem_zero(sizeof(*tls));

	tls->cert_file = cert_file;
	tls->key_file = key_file;
	/* First: what changes while it is loaded is seen as a change. */
	look(tls, &tls->tried);
	tls->seen = tls->tried;
	tls->context = load(cert_file, key_file, error_r);
	if (!tls->context) {
		free(tls);
		return NULL;
	}
	tls->expires_s = end_of(SSL_CTX_get0_certificate(tls->context));
	return tls;
}

enum tls_news
tls_look(struct tls *tls, const char **error_r)
{
	struct versions before = tls->seen;
	SSL_CTX *context;
	int64_t expires_s;

	look(tls, &tls->seen);
	if (memcmp(&tls->seen, &before, sizeof(before)) != 0 || memcmp(&tls->seen, &tls->tried, sizeof(before)) == 0)
		return TLS_SAME;
	tls->tried = tls->seen;
	context = load(tls->cert_file, tls->key_file, error_r);
	if (!context)
		return TLS_BROKEN;
	expires_s = end_of(SSL_CTX_get0_certificate(context));
	if (expires_s <= time(NULL)) {
		SSL_CTX_free(context);
		*error_r = "the new certificate has expired";
		return TLS_BROKEN;
	}
	SSL_CTX_free(tls->context); /* sessions hold it as long as they live */
	tls->context = context;
	tls->expires_s = expires_s;
	return TLS_RELOADED;
}

int64_t
tls_expires_s(const struct tls *tls)
{
	return tls->expires_s;
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

void
tls_close(struct tls_session *session)
{
	if (SSL_is_init_finished(session->ssl))
		(void)SSL_shutdown(session->ssl);
	ERR_clear_error();
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
