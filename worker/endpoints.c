/*
 * endpoints.c - the endpoint table: the whole API, one row each, one file of rows a group. See endpoint.h for what a row
 * says.
 */
#include "api.h"
#include "endpoint.h"
#include "reach.h"
#include "schemas.h"

const char ENDPOINT_DERIVED[] = "derived";

#define DERIVED(name)          \
	{                          \
		name, ENDPOINT_DERIVED \
	}
#define RETRY_DERIVED \
	DERIVED("retry_backoff"), DERIVED("retry_base_ms"), DERIVED("retry_max_ms"), DERIVED("retry_jitter")

const struct endpoint endpoint_table[] = {
#include "endpoints_open.def"
#include "endpoints_auth.def"
#include "endpoints_sessions.def"
#include "endpoints_users.def"
#include "endpoints_keys.def"
#include "endpoints_audit.def"
#include "endpoints_config.def"
#include "endpoints_agents.def"
#include "endpoints_alerts.def"
#include "endpoints_workflows.def"
#include "endpoints_tasks.def"
#include "endpoints_limits.def"
#include "endpoints_schedules.def"
#include "endpoints_messages.def"
#include "endpoints_metrics.def"
#include "endpoints_memory.def"
#include "endpoints_events.def"
#include "endpoints_health.def"
#include "endpoints_system.def"
#include "endpoints_tenants.def"
};

const int endpoint_count = ARRAY_LENGTH(endpoint_table);
