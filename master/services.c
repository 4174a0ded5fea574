/* services.c - see services.h. To add a process: a row here, its main, its count in supervise.c's plan. */
#include "services.h"
#include "keeper.h"
#include "worker.h"

#include <signal.h>

const struct service_kind service_kinds[SERVICE_COUNT] = {
    [SERVICE_WORKER] = {.name = "worker",
                        .main = worker_main,
                        .serves = true,
                        .needs_readiness = true,
                        .succeeds = true,
                        .stop_signal = SIGTERM,
                        .stop_order = 0},
    [SERVICE_KEEPER] = {.name = "keeper",
                        .main = keeper_main,
                        .needs_readiness = true,
                        .succeeds = true,
                        .stop_signal = SIGTERM,
                        .stop_order = 1},
    [SERVICE_POSTGRES] = {.name = "postgres", .stop_signal = SIGINT, .stop_order = 2},
};
