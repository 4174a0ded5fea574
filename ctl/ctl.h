/*
 * ctl.h - what every file of agentctl shares: the exit codes and the one object that a run is about.
 *
 * struct ctl is filled by main() (options, context) and is read-only for the commands. Data goes to standard output,
 * everything else to standard error.
 */
#ifndef AGENTCTL_CTL_H
#define AGENTCTL_CTL_H

#include "base.h"

#include <jansson.h>

#include "option.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif

/* The exit codes that scripts rely on; 0 is done. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_FOUND = 3,
	CTL_NOT_ALLOWED = 4,
	CTL_CONFLICT = 5,
	CTL_UNREACHABLE = 6,
	CTL_TIMED_OUT = 7,
	CTL_WORKFLOW_FAILED = 8,
	CTL_INTERRUPTED = 130
};

enum ctl_format { CTL_TABLE, CTL_WIDE, CTL_JSON, CTL_JSONL, CTL_NAME };

struct command;
struct context;

struct ctl {
	const struct command *command;
	struct option_words args; /* what follows the command's own words */
	struct option_words options[OPTION_COUNT];
	struct context *context; /* server and key; NULL for commands that need no server */
	enum ctl_format format;
	double timeout_s; /* 0: not given */
	bool quiet;
	bool colour; /* of standard output */
};

/* The last value given for an option, or NULL. A flag that was given is "". */
const char *ctl_option(const struct ctl *ctl, enum option_id id);
bool ctl_flag(const struct ctl *ctl, enum option_id id);
/* Puts the option's whole number into *value_r, or leaves the default there. False: not within low..high; said so. */
MUST_CHECK bool ctl_number(const struct ctl *ctl, enum option_id id, long low, long high, long *value_r);

#endif
