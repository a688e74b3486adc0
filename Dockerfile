# The server over HTTP. Configure it with a lockstep.toml that has [auth] (and [http] hosts), mounted at
# /etc/lockstep/lockstep.toml:
#   docker build -t lockstep .
#   docker run -p 8463:8463 -v ./lockstep.toml:/etc/lockstep/lockstep.toml:ro -v lockstep-data:/data lockstep
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin lockstep

FROM debian:bookworm-slim
# The machine's own certificates are what TLS trusts.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin lockstep \
    && install -d -o lockstep -g lockstep /data /files
COPY --from=build /src/target/release/lockstep /usr/local/bin/lockstep
USER 10001
WORKDIR /files
ENV LOCKSTEP_HOME=/data LOCKSTEP_CONFIG=/etc/lockstep/lockstep.toml
VOLUME ["/data"]
EXPOSE 8463
ENTRYPOINT ["lockstep"]
CMD ["serve", "--http", "0.0.0.0:8463"]
