/* edition.c - see edition.h. */
#include "edition.h"
#include "audit_chain.h"
#include "config.h"
#include "crypto.h"
#include "env_file.h"
#include "heritage.h"
#include "launch.h"
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
	edition->variables = launch_take_variables();
	edition->api.fd = edition->metrics.fd = -1;
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
	                          .backups = (int)config->log_backups,
	                          .levels = config->log_levels};

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
	for (int i = 0; i < 2 && edition->secret; i++)
		crypto_derive(slice_of(i && *config->previous_secret ? config->previous_secret : edition->secret),
		              "agentd secrets of channels 1", edition->channel_keys[i], sizeof(edition->channel_keys[i]));
	return edition->secret != NULL;
}

static bool
listen_api(struct edition *edition, const struct edition *before)
{
	static const struct listen_names names = {"AGENTD_HOST", "AGENTD_PORT"};
	const struct config *config = edition->config;

	if (before && listen_is_same_place(&before->api, config->host, (int)config->port)) {
		edition->api = before->api;
		return true;
	}
	return (!before && listen_inherited(&edition->api, 0, config->host, (int)config->port)) ||
	       listen_open(&edition->api, config->host, (int)config->port, &names);
}

/*
 * A port that somebody asked for is had or nothing starts; the default of development gives way, so that two nodes of one
 * machine need no settings.
 */
static bool
listen_metrics(struct edition *edition, const struct edition *before)
{
	static const struct listen_names names = {"AGENTD_METRICS_HOST", "AGENTD_METRICS_PORT"};
	const struct config *config = edition->config;

	if (!config->metrics)
		return true;
	if (before && listen_is_same_place(&before->metrics, config->metrics_host, (int)config->metrics_port)) {
		edition->metrics = before->metrics;
		return true;
	}
	if ((!before && listen_inherited(&edition->metrics, 1, config->metrics_host, (int)config->metrics_port)) ||
	    listen_open(&edition->metrics, config->metrics_host, (int)config->metrics_port, &names))
		return true;
	if (config->environment != ENVIRONMENT_DEVELOPMENT || config->origins[SETTING_METRICS_PORT] != CONFIG_FROM_DEFAULT)
		return false;
	fputs("agentd: nobody asked for this port by name, so this node goes on without metrics.\n", stderr);
	return true;
}

bool
edition_listen(struct edition *edition, const struct edition *before)
{
	return listen_api(edition, before) && listen_metrics(edition, before);
}

bool
edition_find_database(struct edition *edition, const char *embedded_url)
{
	edition->database_url = embedded_url ? mem_string(embedded_url) : config_database_url(edition->config);
	return edition->database_url != NULL;
}

void
edition_close(struct edition *edition, const struct edition *other)
{
	if (!other || other->api.fd != edition->api.fd)
		listen_close(&edition->api);
	if (!other || other->metrics.fd != edition->metrics.fd)
		listen_close(&edition->metrics);
	edition->api.fd = edition->metrics.fd = -1;
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
	memcpy(heritage->channel_keys, edition->channel_keys, sizeof(heritage->channel_keys));
	heritage->listen_fd = edition->api.fd;
	heritage->metrics_fd = edition->metrics.fd;
}

static void
wipe(char *secret)
{
	if (secret)
		crypto_wipe(secret, strlen(secret));
	free(secret);
}

void
edition_forget(struct edition *edition)
{
	if (edition && edition->variables)
		env_file_free(edition->variables);
	if (edition)
		edition->variables = NULL;
}

void
edition_free(struct edition *edition, const struct edition *other)
{
	if (!edition)
		return;
	edition_close(edition, other);
	wipe(edition->database_url);
	wipe(edition->secret);
	crypto_wipe(edition->channel_keys, sizeof(edition->channel_keys));
	audit_keys_free(edition->audit_keys);
	if (edition->variables)
		env_file_free(edition->variables);
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
