/*
 * cors.h - which origins a browser may call from: the four policies of the settings (Fetch standard, CORS protocol).
 * Pure.
 */
#ifndef AGENTD_CORS_H
#define AGENTD_CORS_H

#include "base.h"
#include "buf.h"

struct config;

struct cors_verdict {
	bool allowed;
	bool any; /* Access-Control-Allow-Origin: * */
	bool credentials;
	const char *methods;
	const char *headers; /* NULL: whatever was asked for */
	const char *exposed;
	int max_age_s;
};

/* What the policy says of an origin; "null" and an absent origin are never allowed. */
struct cors_verdict cors_judge(const struct config *config, struct slice origin);

#endif
