/* run.h - `agentd run`: from settings to a serving node. */
#ifndef AGENTD_RUN_H
#define AGENTD_RUN_H

struct config;

/* Serves until told to stop; returns the exit status. */
int run_node(const struct config *config);
/* The same in a program that a running master has become (upgrade.h): goes on with what the descriptor names. */
int run_resume(const struct config *config, int handover);

#endif
