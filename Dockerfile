# Dockerfile - agentd and agentctl with the libraries that they need, and nothing else: no shell, no package manager.
#
#     docker build -t agentd .
#
# The process is number 65532, can write to its state folder only (mount the root read-only), and keeps nothing there
# that another node would need. PostgreSQL is elsewhere: see docker-compose.yml and docs/operations/deploy.md.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	gcc make autoconf automake pkg-config libc6-dev libevent-dev libpq-dev libssl-dev libargon2-dev libhiredis-dev \
	libcurl4-openssl-dev libseccomp-dev libjansson-dev libjsmn-dev uthash-dev libcmocka-dev systemtap-sdt-dev ca-certificates tzdata
WORKDIR /source
COPY . .
RUN autoreconf -fi && mkdir /build && cd /build && /source/configure --prefix=/usr && make -j"$(nproc)" && \
	make install-strip DESTDIR=/installed
# The root of the image: the programs, the libraries that their loader finds, certificates, time zones, one user.
RUN mkdir -p /image/etc/ssl /image/tmp /image/var/lib/agentd /image/usr/bin /image/usr/sbin && cd /image && \
	cp /installed/usr/sbin/agentd usr/sbin/ && cp /installed/usr/bin/agentctl usr/bin/ && \
	ldd usr/sbin/agentd usr/bin/agentctl | grep -o '/[^ ]*\.so[^ ]*' | sort -u | xargs cp -L --parents -t . && \
	cp -aL /etc/ssl/certs /etc/ssl/openssl.cnf etc/ssl/ && cp -a --parents -t . /usr/share/zoneinfo && \
	rm -rf usr/share/zoneinfo/right usr/share/zoneinfo/posix && \
	echo 'agentd:x:65532:65532:agentd:/var/lib/agentd:/nonexistent' >etc/passwd && echo 'agentd:x:65532:' >etc/group && \
	echo 'hosts: files dns' >etc/nsswitch.conf && chmod 1777 tmp && chmod 700 var/lib/agentd && \
	chown 65532:65532 var/lib/agentd && chroot . /usr/sbin/agentd --version && chroot . /usr/bin/agentctl --version

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="agentd" \
	org.opencontainers.image.description="A durable control plane for systems of AI agents" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version="${VERSION}" \
	org.opencontainers.image.revision="${REVISION}" \
	org.opencontainers.image.created="${CREATED}"
COPY --from=build /image/ /
ENV AGENTD_ENV=production AGENTD_STATE_DIR=/var/lib/agentd PATH=/usr/sbin:/usr/bin
USER 65532:65532
VOLUME /var/lib/agentd
EXPOSE 5000 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
	CMD ["/usr/bin/agentctl", "--server", "http://127.0.0.1:5000", "--quiet", "api", "GET", "/livez"]
ENTRYPOINT ["/usr/sbin/agentd"]
CMD ["run"]
