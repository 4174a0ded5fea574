/* cors.c - see cors.h. Origins are compared byte by byte: scheme, host and port all count. */
#include "cors.h"
#include "config.h"

#define EXPOSED "Content-Type, X-Total-Count, X-RateLimit-Limit, X-RateLimit-Remaining"

/* A wildcard never goes with credentials: any page could then act as the user. */
static const struct cors_verdict policies[] = {
    [CORS_OFF] = {.allowed = false},
    [CORS_DEVELOPMENT] = {true, true, false, "GET, POST, PUT, DELETE, PATCH, OPTIONS", NULL, EXPOSED, 3600},
    [CORS_PRODUCTION] = {true, false, true, "GET, POST, PUT, DELETE, OPTIONS",
                         "Content-Type, Authorization, X-API-Key, Accept, Accept-Language",
                         EXPOSED ", X-RateLimit-Reset", 7200},
    [CORS_PUBLIC] = {true, true, false, "GET, OPTIONS", "Content-Type, Accept",
                     "X-RateLimit-Limit, X-RateLimit-Remaining", 86400},
    [CORS_INTERNAL] = {true, false, true, "GET, POST, PUT, DELETE, PATCH, OPTIONS", NULL, EXPOSED, 3600},
};

static bool
is_listed(const char *list, struct slice origin)
{
	while (*list) {
		size_t length;
		list += strspn(list, ", ");
		length = strcspn(list, ", ");
		if (length && slice_equal((struct slice){list, length}, origin))
			return true;
		list += length;
	}
	return false;
}

struct cors_verdict
cors_judge(const struct config *config, struct slice origin)
{
	struct cors_verdict verdict = policies[config->cors_policy];

	if (!origin.data || slice_is(origin, "null"))
		verdict.allowed = false;
	else if (config->cors_policy == CORS_PRODUCTION)
		verdict.allowed = is_listed(config->cors_origins, origin);
	else if (config->cors_policy == CORS_INTERNAL)
		verdict.allowed = is_listed(config->cors_internal_origins, origin);
	return verdict;
}
