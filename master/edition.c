/* edition.c - see edition.h. */
#include "edition.h"
#include "audit_chain.h"
#include "config.h"
#include "crypto.h"
#include "heritage.h"
#include "log.h"
#include "state.h"

#include <errno.h>
#include <unistd.h>

struct edition *
edition_new(const struct config *config, struct config *owned)
{
	struct edition *edition = mem_zero(sizeof(*edition));

	edition->config = config;
	edition->owned = owned;
	edition->listen_fd = -1;
	return edition;
}

bool
edition_open_log(const struct edition *edition, const struct state_user *user)
{
	const struct config *config = edition->config;
	struct log_options log = {.level = (enum log_level)config->log_level,
	                          .json = config->log_format == LOG_FORMAT_JSON,
	                          .file = config->log_file,
	                          .max_bytes = config->log_max_bytes,
	                          .backups = (int)config->log_backups};

	if (user->uid != (uid_t)-1) {
		log.owner = user->uid;
		log.group = user->gid;
	}
	if (log_open(&log))
		return true;
	fprintf(stderr, "agentd: cannot open AGENTD_LOG_FILE=%s: %s\n", config->log_file, strerror(errno));
	return false;
}

bool
edition_find_secret(struct edition *edition, const char *folder)
{
	const struct config *config = edition->config;

	edition->secret = *config->secret ? mem_string(config->secret) : state_secret(folder);
	if (edition->secret)
		edition->audit_keys =
		    audit_keys_new((const char *const[]){edition->secret, config->previous_secret}, AUDIT_KEYS_MAX);
	return edition->secret != NULL;
}

bool
edition_listen(struct edition *edition, const struct edition *before)
{
	const struct config *config = edition->config;

	snprintf(edition->host, sizeof(edition->host), "%s", config->host);
	edition->port = (int)config->port;
	if (before && strcmp(before->host, edition->host) == 0 && before->port == edition->port) {
		edition->listen_fd = before->listen_fd;
		memcpy(edition->address, before->address, sizeof(edition->address));
		return true;
	}
	if (!before)
		edition->listen_fd = listen_inherited(edition->address);
	if (edition->listen_fd < 0)
		edition->listen_fd = listen_open(config->host, (int)config->port, edition->address);
	return edition->listen_fd >= 0;
}

bool
edition_find_database(struct edition *edition, const char *embedded_url)
{
	edition->database_url = embedded_url ? mem_string(embedded_url) : config_database_url(edition->config);
	return edition->database_url != NULL;
}

void
edition_close(struct edition *edition)
{
	if (edition->listen_fd >= 0)
		close(edition->listen_fd);
	edition->listen_fd = -1;
}

void
edition_give(const struct edition *edition, struct heritage *heritage)
{
	const struct config *config = edition->config;

	heritage->config = config;
	heritage->database_url = edition->database_url;
	heritage->direct_url = *config->db_direct_url ? config->db_direct_url : edition->database_url;
	heritage->secret = edition->secret;
	heritage->previous_secret = config->previous_secret;
	heritage->audit_keys = edition->audit_keys;
	heritage->listen_fd = edition->listen_fd;
}

static void
wipe(char *secret)
{
	if (secret)
		crypto_wipe(secret, strlen(secret));
	free(secret);
}

void
edition_free(struct edition *edition, const struct edition *other)
{
	if (!edition)
		return;
	if (edition->listen_fd >= 0 && (!other || other->listen_fd != edition->listen_fd))
		close(edition->listen_fd);
	wipe(edition->database_url);
	wipe(edition->secret);
	audit_keys_free(edition->audit_keys);
	for (int i = 0; i < SETTING_COUNT && !edition->owned; i++)
		if (config_is_secret((enum config_setting)i))
			config_forget(edition->config, (enum config_setting)i);
	config_free(edition->owned);
	free(edition);
}

int
edition_workers(const struct edition *edition)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return edition->config->workers ? (int)edition->config->workers : (int)(cores > 0 ? MIN(cores, 256) : 1);
}
