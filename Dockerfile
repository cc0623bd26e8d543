# The standalone executable (docs/executable.md) and what it needs, the C library and the authorities of TLS, and no
# shell. Nothing is compiled here: `npm run build:exe` comes first.
#
#   docker build --tag rolesanywhere .
#   docker build --tag rolesanywhere --platform linux/arm64 --build-arg TARGET=linux-arm64 .
ARG BASE=gcr.io/distroless/base-nossl-debian12:nonroot
FROM ${BASE}
ARG TARGET=linux-x64
COPY --chmod=0755 dist/rolesanywhere-${TARGET} /usr/bin/rolesanywhere
COPY dist/rolesanywhere-LICENSES.txt LICENSE /usr/share/doc/rolesanywhere/
# As the base has it: whoever builds on another may not have thought of it.
USER 65532:65532
ENTRYPOINT ["/usr/bin/rolesanywhere"]
