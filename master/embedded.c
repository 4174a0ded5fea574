/* embedded.c - see embedded.h. */
#include "embedded.h"
#include "buf.h"
#include "config.h"
#include "confine.h"
#include "crypto.h"
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *
join(const char *left, const char *right)
{
	struct buf text = {0};

	buf_printf(&text, "%s%s", left, right);
	buf_add_byte(&text, '\0');
	return text.data;
}

static bool
has_programs(const char *bin)
{
	char *postgres = join(bin, "/postgres");
	char *initdb = join(bin, "/initdb");
	bool has = access(postgres, X_OK) == 0 && access(initdb, X_OK) == 0;

	free(postgres);
	free(initdb);
	return has;
}

/* The newest version under Debian's folder; versions of two digits sort as text. */
static char *
find_newest(void)
{
	char *bin = NULL;
	glob_t found;

	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
		for (size_t i = found.gl_pathc; i > 0 && !bin; i--)
			if (has_programs(found.gl_pathv[i - 1]))
				bin = mem_string(found.gl_pathv[i - 1]);
		globfree(&found);
	}
	return bin;
}

static char *
find_in_path(void)
{
	const char *path = getenv("PATH");
	char *copy = mem_string(path ? path : "");
	char *rest = copy;
	char *folder;
	char *bin = NULL;

	while (!bin && (folder = strsep(&rest, ":")))
		if (*folder && has_programs(folder))
			bin = mem_string(folder);
	free(copy);
	return bin;
}

static char *
find_any(void)
{
	char *bin = find_newest();

	return bin ? bin : find_in_path();
}

bool
embedded_is_possible(const struct config *config)
{
	char *bin = *config->postgres_bin_dir ? mem_string(config->postgres_bin_dir) : find_any();
	bool possible = bin != NULL;

	free(bin);
	return possible;
}

static char *
find_bin(const struct config *config)
{
	char *bin = NULL;

	if (*config->postgres_bin_dir) {
		if (has_programs(config->postgres_bin_dir))
			return mem_string(config->postgres_bin_dir);
		fprintf(stderr, "agentd: AGENTD_POSTGRES_BIN_DIR=%s holds no initdb and postgres that can be run.\n",
		        config->postgres_bin_dir);
		return NULL;
	}
	bin = find_any();
	if (!bin)
		fputs("agentd: the embedded database needs PostgreSQL's programs initdb and postgres, and they are not here.\n"
		      "agentd: install the Debian package postgresql-15 (any version from 14 on), name their folder in\n"
		      "agentd: AGENTD_POSTGRES_BIN_DIR, or use a PostgreSQL that runs elsewhere with AGENTD_DATABASE_URL.\n",
		      stderr);
	return bin;
}

/* A socket's path has at most 107 bytes: a deep state folder gets a short folder under /tmp, named by its hash. */
static char *
socket_folder(const char *folder)
{
	struct sockaddr_un address;
	uint8_t hash[CRYPTO_SHA256_SIZE];
	char name[17];

	if (strlen(folder) + strlen("/run/.s.PGSQL.5432.lock") < sizeof(address.sun_path))
		return join(folder, "/run");
	crypto_sha256(slice_of(folder), hash);
	crypto_hex(hash, 8, name);
	return join("/tmp/agentd-", name);
}

char *
embedded_url(const char *folder)
{
	char *socket = socket_folder(folder);
	struct buf url = {0};

	buf_add_text(&url, "user=agentd_server dbname=agentd host='");
	for (const char *at = socket; *at; at++) {
		if (*at == '\'' || *at == '\\')
			buf_add_byte(&url, '\\');
		buf_add_byte(&url, *at);
	}
	buf_add(&url, "'", 2);
	free(socket);
	return url.data;
}

/* The programs that made the cluster, if there is one: newer ones refuse its files. False: they are not here, said so. */
static bool
find_own_bin(struct embedded *embedded)
{
	char version[16], bin[sizeof("/usr/lib/postgresql//bin") + sizeof(version)];

	if (*embedded->config->postgres_bin_dir || !state_read(embedded->data, "PG_VERSION", version, sizeof(version)) ||
	    version[strspn(version, "0123456789")])
		return true;
	snprintf(bin, sizeof(bin), "/usr/lib/postgresql/%s/bin", version);
	if (has_programs(bin)) {
		free(embedded->bin);
		embedded->bin = mem_string(bin);
		return true;
	}
	/* Where versions have no folders of their own, what is in PATH may be the right one. */
	if (strncmp(embedded->bin, "/usr/lib/postgresql/", strlen("/usr/lib/postgresql/")) != 0)
		return true;
	fprintf(stderr,
	        "agentd: the embedded database in %s was made by PostgreSQL %s, whose programs are not here.\n"
	        "agentd: install the Debian package postgresql-%s again; to move to a newer version, `agentd backup FILE`\n"
	        "agentd: with the old one, then `agentd restore FILE` into a new AGENTD_STATE_DIR.\n",
	        embedded->data, version, version);
	return false;
}

bool
embedded_find(const struct config *config, const char *folder, const struct state_user *user,
              struct embedded *embedded_r)
{
	*embedded_r = (struct embedded){.config = config, .user = user, .bin = find_bin(config)};
	if (!embedded_r->bin)
		return false;
	embedded_r->data = join(folder, "/pg");
	embedded_r->socket = socket_folder(folder);
	embedded_r->url = embedded_url(folder);
	return find_own_bin(embedded_r);
}

static void
run_initdb(const struct embedded *embedded)
{
	char *program = join(embedded->bin, "/initdb");
	bool durable = embedded->config->environment != ENVIRONMENT_TESTING;
	int null = open("/dev/null", O_WRONLY);

	confine_user(embedded->user);
	if (null >= 0)
		dup2(null, STDOUT_FILENO);
	execl(program, program, "-D", embedded->data, "-U", "agentd", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
	      durable ? "--data-checksums" : "--no-sync", (char *)NULL);
	fprintf(stderr, "agentd: cannot run %s: %s\n", program, strerror(errno));
	_exit(1);
}

static bool
make_folder(const char *path, const struct state_user *user)
{
	struct stat info;
	uid_t owner = user->uid == (uid_t)-1 ? geteuid() : user->uid;

	if (mkdir(path, 0700) == 0 && user->uid != (uid_t)-1 && chown(path, user->uid, user->gid) != 0)
		return false;
	/* Under /tmp somebody else could have made it first. */
	return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == owner && (info.st_mode & 077) == 0;
}

bool
embedded_prepare(const struct embedded *embedded)
{
	char *marker = join(embedded->data, "/PG_VERSION");
	bool there = access(marker, F_OK) == 0;
	int status = 0;
	pid_t child;

	free(marker);
	if (!make_folder(embedded->socket, embedded->user)) {
		fprintf(stderr, "agentd: the folder %s for the database's socket cannot be made, or is not ours alone.\n",
		        embedded->socket);
		return false;
	}
	if (there)
		return true;
	child = fork();
	if (child == 0)
		run_initdb(embedded);
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "agentd: initdb could not make the embedded database in %s; what it said is above.\n",
		        embedded->data);
		return false;
	}
	return true;
}

static bool
write_rules(const char *data, const char *name, const char *text)
{
	char *path = join(data, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (!done)
		fprintf(stderr, "agentd: cannot write %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
	return done;
}

/*
 * The superuser, who can run programs, is only for root and who started the node. When that was root, whoever has
 * broken into a worker is not among them. As the user who serves, since root must not write into his folder.
 */
static bool
write_access(const struct embedded *embedded, uid_t starter)
{
	struct passwd *entry = getpwuid(starter);
	const char *name = entry ? entry->pw_name : NULL;
	char *ident = NULL;
	bool done;

	if (name && asprintf(&ident, "agentd root agentd\nagentd \"%s\" agentd\n", name) < 0)
		abort();
	/* Who has no name has no rule: then there is no telling him from the workers either, which are the same user. */
	done = write_rules(embedded->data, "/pg_ident.conf", ident ? ident : "") &&
	       write_rules(embedded->data, "/pg_hba.conf",
	                   name ? "local all agentd peer map=agentd\nlocal all all trust\n" : "local all all trust\n");
	free(ident);
	return done;
}

void
embedded_exec(const struct embedded *embedded)
{
	const struct config *config = embedded->config;
	char *program = join(embedded->bin, "/postgres");
	char *socket = join("unix_socket_directories=", embedded->socket);
	/* agentd's own environment holds secrets: the database gets none of it. */
	char *const environment[] = {(char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C.UTF-8", NULL};
	bool durable = config->environment != ENVIRONMENT_TESTING;
	uid_t starter = geteuid();
	char connections[48];

	snprintf(connections, sizeof(connections), "max_connections=%d",
	         (int)(MAX(config->workers, 8) * config->db_pool_size + 40));
	confine_user(embedded->user);
	if (!write_access(embedded, starter))
		return;
	/* A fast shutdown when the master is gone, however it went. */
	prctl(PR_SET_PDEATHSIG, SIGINT);
	execle(program, program, "-D", embedded->data, "-c", "listen_addresses=", "-c", socket, "-c",
	       "unix_socket_permissions=0700", "-c", connections, "-c", "shared_buffers=128MB", "-c", "wal_level=minimal",
	       "-c", "max_wal_senders=0", "-c", durable ? "fsync=on" : "fsync=off", "-c", "log_min_messages=warning", "-c",
	       "log_destination=stderr", "-c", "logging_collector=off", "-c", "max_wal_size=2GB", "-c",
	       /* Statements are short, and memory that is written and then run is refused under systemd. */
	       "checkpoint_completion_target=0.9", "-c", "jit=off", (char *)NULL, environment);
	fprintf(stderr, "agentd: cannot run %s: %s\n", program, strerror(errno));
}

/*
 * The superuser, agentd, only makes the database; agentd itself works as agentd_server, whom row level security holds.
 * What an earlier build has made as the superuser is handed over.
 */
static const char hand_over_sql[] =
    "DO $$ DECLARE line text; BEGIN"
    " IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentd_server') THEN CREATE ROLE agentd_server LOGIN; END "
    "IF;"
    " FOR line IN"
    " SELECT format('DATABASE %I', datname) FROM pg_database"
    " WHERE datname = current_database() AND datdba <> 'agentd_server'::regrole"
    " UNION ALL SELECT format('TABLE %s', oid::regclass) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND relowner <> 'agentd_server'::regrole"
    " UNION ALL SELECT format('SEQUENCE %s', c.oid::regclass) FROM pg_class c"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relowner <> 'agentd_server'::regrole"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid"
    " AND d.deptype IN ('a', 'i'))"
    " UNION ALL SELECT format('ROUTINE %s', oid::regprocedure) FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace AND proowner <> 'agentd_server'::regrole"
    " UNION ALL SELECT format('TYPE %s', c.oid::regclass) FROM pg_class c"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'c' AND relowner <> 'agentd_server'::regrole"
    " LOOP EXECUTE 'ALTER ' || line || ' OWNER TO agentd_server'; END LOOP; END $$";

static char *
make_database(struct pg_conn *conn)
{
	char *error = NULL;
	struct pg_result *result =
	    database_query(conn, "SELECT 1 FROM pg_database WHERE datname = 'agentd'", 0, NULL, &error);

	if (result && database_rows(result) == 0)
		error = database_script(conn, "CREATE DATABASE agentd");
	database_clear(result);
	return error;
}

bool
embedded_wait(const struct embedded *embedded, pid_t child)
{
	char *outer_url = join(embedded->url, " user=agentd dbname=postgres");
	char *inner_url = join(embedded->url, " user=agentd");
	struct pg_conn *conn = database_open_child(outer_url, 30, child);
	char *error = conn ? make_database(conn) : NULL;
	bool made = conn && !error;

	database_close(conn);
	conn = made ? database_open(inner_url, 5) : NULL;
	if (conn)
		error = database_script(conn, hand_over_sql);
	made = conn && !error;
	if (error)
		fprintf(stderr, "agentd: cannot make the database agentd: %s", error);
	database_close(conn);
	free(outer_url);
	free(inner_url);
	free(error);
	return made;
}
