#!/bin/sh
# The first process of the node agent's container. It outlives the agent, so that Envoy goes on while a crashed agent is started again.
ending=
child=
trap 'ending=1; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM INT
while :; do
  /usr/local/bin/node /opt/weir/dist/cluster-agent.js "$@" &
  child=$!
  wait "$child"
  status=$?
  # A signal ends only the waiting.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    status=$?
  done
  child=
  [ -n "$ending" ] && exit "$status"
  echo "the node agent ended with $status; it is started again" >&2
  sleep 1
  [ -n "$ending" ] && exit "$status"
done
