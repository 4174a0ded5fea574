/*
 * probe.h - static probes (USDT) for bpftrace, perf and SystemTap: PROBE_n(name, arguments...) of the provider
 * `agentd`.
 *
 * Each is a nop in the code and a note in the binary; arguments must be at hand, for they are computed all the same.
 * Without sys/sdt.h, or configured with --disable-probes, there is nothing. docs/operations/tracing.md lists them.
 */
#ifndef AGENTD_PROBE_H
#define AGENTD_PROBE_H

#include "base.h"

#ifdef ENABLE_PROBES
#include <sys/sdt.h>
#define PROBE_2(name, a, b) DTRACE_PROBE2(agentd, name, a, b)
#define PROBE_3(name, a, b, c) DTRACE_PROBE3(agentd, name, a, b, c)
#define PROBE_4(name, a, b, c, d) DTRACE_PROBE4(agentd, name, a, b, c, d)
#define PROBE_5(name, a, b, c, d, e) DTRACE_PROBE5(agentd, name, a, b, c, d, e)
#else
#define PROBE_2(name, a, b) ((void)(a), (void)(b))
#define PROBE_3(name, a, b, c) (PROBE_2(name, a, b), (void)(c))
#define PROBE_4(name, a, b, c, d) (PROBE_3(name, a, b, c), (void)(d))
#define PROBE_5(name, a, b, c, d, e) (PROBE_4(name, a, b, c, d), (void)(e))
#endif

#endif
