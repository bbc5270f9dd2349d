# A static binary, and nothing else. Build: docker build -t sensor .
# Run: docker run --rm --network host --cap-drop ALL --cap-add BPF --cap-add NET_ADMIN --cap-add PERFMON --read-only sensor
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN target="$(uname -m)-unknown-linux-gnu" \
    && cargo build --locked --release --package sensor --bin sensor --features sensor/k8s --target "$target" \
        --config "target.$target.rustflags = ['-Ctarget-feature=+crt-static']" \
    && install -D "target/$target/release/sensor" /out/sensor

FROM scratch
COPY --from=build /out/sensor /sensor
ENTRYPOINT ["/sensor"]
CMD ["attach", "--output", "json"]
