/*
 * verify.h - `agentd restore FILE --verify`: proves that a backup can be restored and that what it holds is whole.
 * Blocks; findings go to standard output, what kept it from looking to standard error.
 */
#ifndef AGENTD_VERIFY_H
#define AGENTD_VERIFY_H

#include "base.h"
#include "restore_load.h"

struct config;

/* url: the database in use, which keeps the record and, if need be or asked for, has the scratch database beside it. */
MUST_CHECK bool verify_backup(const struct config *config, struct restore_load *load, const char *url, bool beside);

#endif
