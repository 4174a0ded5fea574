/*
 * tenant_bounds.h - what quotas say of tenants, as this worker knew it a second ago: requests per window, and whether a
 * tenant has as many open tasks or workflows as it may have.
 *
 * Asked for once a second in one statement, for all tenants that have quotas; requests look here and cost the database
 * nothing. The keeper counts (keeper/tenants.c), so what is made between two looks may go beyond a quota. While the
 * database cannot be asked, what was known last is kept.
 */
#ifndef AGENTD_TENANT_BOUNDS_H
#define AGENTD_TENANT_BOUNDS_H

#include "base.h"
#include "endpoint.h"

struct db;
struct tenant_bounds;

struct tenant_bounds *tenant_bounds_new(struct db *db);
void tenant_bounds_free(struct tenant_bounds *bounds);
/* Asks again when it is time; called with every turn of the clock. */
void tenant_bounds_tick(struct tenant_bounds *bounds);
/* True if the tenant may make no more of these for now. */
bool tenant_bounds_full(const struct tenant_bounds *bounds, int64_t tenant, enum tenant_bound bound);
/* Requests per window of the whole tenant; 0: not bounded. */
int64_t tenant_bounds_rate(const struct tenant_bounds *bounds, int64_t tenant);

#endif
