/* new_password.c - see new_password.h. */
#include "new_password.h"
#include "password_pool.h"

void
new_password_check(struct slice password, struct slice username, const char *pointer, struct field_errors *errors)
{
	unsigned faults = password_faults(password, username);

	for (int fault = 0; fault < PASSWORD_FAULT_COUNT; fault++)
		if (faults & 1u << fault)
			field_error_add(errors, pointer, password_fault_code((enum password_fault)fault),
			                password_fault_text((enum password_fault)fault));
}

static void
hashed(void *arg, bool ok, const char *hash)
{
	struct new_password *new = arg;
	struct request *request = new->request;

	if (ok)
		memcpy(new->hash, hash, strlen(hash) + 1);
	request_resume(request, ok ? STEP_NEXT : new_password_busy(request));
}

enum step
new_password_hash(struct new_password *new, struct slice password)
{
	if (!password_hash_send(new->request->worker->passwords, password, hashed, new))
		return new_password_busy(new->request);
	return STEP_WAIT;
}

enum step
new_password_busy(struct request *request)
{
	return request_fail(request, ERROR_BUSY,
	                    "too many passwords are being checked at once; nothing was done, try again");
}
