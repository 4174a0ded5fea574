/*
 * otlp.h - spans as a request of the OpenTelemetry Protocol over HTTP, in its JSON form
 * (https://opentelemetry.io/docs/specs/otlp/, opentelemetry-proto v1: ExportTraceServiceRequest).
 *
 * What the mapping of protobuf to JSON is bent to there: ids are hexadecimal, enums numbers, 64-bit integers text.
 * Pure.
 */
#ifndef AGENTD_OTLP_H
#define AGENTD_OTLP_H

#include "base.h"
#include "buf.h"
#include "json_write.h"
#include "span.h"

/* Whose spans they are. */
struct otlp_resource {
	const char *version;
	const char *instance; /* of this node */
	const char *host;
	const char *environment;
};

/* Begins the request in out. */
void otlp_begin(struct json_writer *writer, struct buf *out, const struct otlp_resource *resource);
/* One span more; process is the one that it comes from. */
void otlp_add(struct json_writer *writer, const struct span *span, const char *process);
void otlp_end(struct json_writer *writer);
/* How many spans a collector says that it refused, in its answer to a request that it took; 0: none, or it said
 * nothing. */
int64_t otlp_rejected(struct slice answer);

/*
 * Reads the next header of "name=value,name=value" (percent-encoded, as the OTEL_EXPORTER_OTLP_HEADERS of others) from
 * *rest, and writes "name: value" into out, with its NUL. False: there is none; *wrong_r says whether that is an error.
 */
MUST_CHECK bool otlp_header(const char **rest, char *out, size_t size, bool *wrong_r);

#endif
