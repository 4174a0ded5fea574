/* openapi.h - the OpenAPI 3.1 document, made from the endpoint table. */
#ifndef AGENTD_OPENAPI_H
#define AGENTD_OPENAPI_H

#include "base.h"
#include "buf.h"

void openapi_write(struct buf *out);

#endif
