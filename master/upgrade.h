/*
 * upgrade.h - SIGUSR2: the master becomes the program that is in its file now, as the same process.
 *
 * First the new program is run beside it (`agentd upgrade-check`): are the settings valid for it, and can the schema be
 * brought up to date. Then the master hands over what is open (handover.h) and calls execve(2); the workers go on all the
 * while. The new program starts a new generation. If that does not get ready it becomes the program before again, whose
 * file it has open; so a failed upgrade costs nobody a request. As the process stays the same this works as process 1 of
 * a container and under a service manager.
 */
#ifndef AGENTD_UPGRADE_H
#define AGENTD_UPGRADE_H

#include "base.h"

struct config;

/* The command that the new program is asked first. Returns the exit status. */
int upgrade_check_command(const struct config *config, char *(*database_of)(const struct config *));

#endif
