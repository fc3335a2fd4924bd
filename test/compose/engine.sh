#!/bin/sh
# For CI: makes sure that a Docker engine runs and that the images are there which the suite starts from, and builds what its own have in common.
# On a network without a registry the recipes beside this checkout build stand-ins under the published names. Ends with an error where that cannot
# be had.
set -eu
cd "$(dirname "$0")/../.."
stand_ins=../shared/stand-ins
# Those of no profile; and Node's, of the Dockerfile.
images=$(sed -n 's/^    image: \(.*:.*\)$/\1/p' docker-compose.yml | grep -Ev '^(bahi|grafana|prom)/')
images="$images $(sed -n 's/^ARG NODE_IMAGE=//p' Dockerfile)"

install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
  if [ -x "$stand_ins/start-docker" ]; then
    "$stand_ins/start-docker"
  else
    apt-get update -qq
    # Ubuntu's name for it, then Debian's.
    install docker.io docker-buildx docker-compose-v2 || install docker.io docker-buildx docker-compose
    nohup dockerd >/tmp/dockerd.log 2>&1 </dev/null &
  fi
fi
tries=0
until docker info >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "no Docker engine could be started" >&2; exit 1; }
  sleep 1
done

for image in $images; do
  docker image inspect "$image" >/dev/null 2>&1 && continue
  if [ -x "$stand_ins/build-images" ]; then "$stand_ins/build-images" "$image"; else timeout 300 docker pull -q "$image"; fi
done

# The stages that all images share are most of a build, and whoever builds one next finds them.
DOCKER_BUILDKIT=1 timeout 900 docker build --quiet --build-arg APP=front . >/dev/null || echo "not built ahead: Compose builds it" >&2
