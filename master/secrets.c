/* secrets.c - see secrets.h. A secret setting that is in no row here is wiped when the node has started. */
#include "secrets.h"
#include "config.h"
#include "crypto.h"
#include "heritage.h"
#include "services.h"

/* SECRET, DATABASE_URL and DB_PASSWORD live on in the heritage, and nowhere else. */
static const struct {
	enum config_setting setting;
	bool server, keeper; /* needs it */
} needs[] = {
    {SETTING_PREVIOUS_SECRET, true, false},  {SETTING_JWT_KEY, true, false},
    {SETTING_JWT_PREVIOUS_KEY, true, false}, {SETTING_REDIS_URL, true, true},
    {SETTING_REDIS_PASSWORD, true, true},    {SETTING_DB_DIRECT_URL, false, true},
    {SETTING_METRICS_TOKEN, true, false},
};

static bool
is_needed(enum config_setting setting)
{
	for (size_t i = 0; i < ARRAY_LENGTH(needs); i++)
		if (needs[i].setting == setting)
			return true;
	return false;
}

void
secrets_forget_used(const struct config *config)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (config_is_secret((enum config_setting)i) && !is_needed((enum config_setting)i))
			config_forget(config, (enum config_setting)i);
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
