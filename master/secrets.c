/* secrets.c - see secrets.h. A secret setting that is in no row here is wiped when the node has started. */
#include "secrets.h"
#include "config.h"
#include "crypto.h"
#include "edition.h"
#include "env_file.h"
#include "heritage.h"
#include "launch.h"
#include "services.h"

/* SECRET, DATABASE_URL and DB_PASSWORD live on in the heritage, and nowhere else. */
static const struct {
	enum config_setting setting;
	bool server, keeper; /* needs it */
} needs[] = {
    {SETTING_PREVIOUS_SECRET, true, false},  {SETTING_JWT_KEY, true, false},
    {SETTING_JWT_PREVIOUS_KEY, true, false}, {SETTING_REDIS_URL, true, true},
    {SETTING_REDIS_PASSWORD, true, true},    {SETTING_DB_DIRECT_URL, false, true},
    {SETTING_METRICS_TOKEN, true, false},    {SETTING_TRACE_HEADERS, false, true},
    {SETTING_BACKUP_KEY, false, false},
};

static bool
is_needed(enum config_setting setting)
{
	for (size_t i = 0; i < ARRAY_LENGTH(needs); i++)
		if (needs[i].setting == setting)
			return true;
	return false;
}

/* SECRET and the address of the database are read anew by every reload; what lies in a file is found there. */
static bool
is_read_again(const struct config *config, enum config_setting setting)
{
	if (setting == SETTING_DB_PASSWORD)
		return !config->embedded && !*config->database_url;
	return setting == SETTING_SECRET || (setting == SETTING_DATABASE_URL && !config->embedded);
}

void
secrets_forget_used(const struct edition *edition)
{
	char name[CONFIG_NAME_SIZE];

	for (int i = 0; i < SETTING_COUNT; i++) {
		enum config_setting setting = (enum config_setting)i;
		if (!config_is_secret(setting) || is_needed(setting))
			continue;
		if (!is_read_again(edition->config, setting)) {
			config_variable(setting, name);
			launch_drop(name);
			env_file_drop(edition->variables, name);
		}
	}
	for (int i = 0; i < SETTING_COUNT; i++)
		if (config_is_secret((enum config_setting)i) && !is_needed((enum config_setting)i))
			config_forget(edition->config, (enum config_setting)i);
}

static void
wipe(const char *secret)
{
	crypto_wipe((char *)(uintptr_t)secret, strlen(secret));
}

void
secrets_forget_others(const struct heritage *heritage, const struct service_kind *kind)
{
	for (size_t i = 0; i < ARRAY_LENGTH(needs); i++)
		if (!(kind->serves ? needs[i].server : needs[i].keeper))
			config_forget(heritage->config, needs[i].setting);
	if (kind->serves)
		return;
	wipe(heritage->secret);
	if (heritage->direct_url != heritage->database_url)
		wipe(heritage->database_url);
}
