/* metrics_port.h - what there is on the metrics port: /metrics, and the probes /livez, /readyz and /startupz. */
#ifndef AGENTD_METRICS_PORT_H
#define AGENTD_METRICS_PORT_H

#include "endpoint.h"

/* NULL: nothing is there. /metrics is in no table: on the port of the API it does not exist. */
const struct endpoint *metrics_port_find(enum http_method method, struct slice path);
/* True for the row of /metrics. */
bool metrics_port_is_metrics(const struct endpoint *endpoint);

#endif
