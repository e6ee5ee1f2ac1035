#!/bin/sh
# A pass every five minutes where there is neither cron nor systemd:
#   EVERY=300 examples/loop.sh --config rebal.toml
# Every pass is a process of its own, so nothing that goes wrong in one is left over in the next. A signal ends the
# loop; a pass under way ends by itself first.
every=${EVERY:-300}
trap 'exit 0' INT TERM
while :; do
  rebal "$@" rebalance --quiet >/dev/null
  code=$?
  case $code in
    0 | 3) ;;                                  # done; another pass runs
    2) echo "rebal: a configuration that does not work" >&2; exit 2 ;;
    6) echo "rebal: halted; see rebal risk-check" >&2 ;;
    *) echo "rebal: the pass ended with $code" >&2 ;;
  esac
  # To the next whole multiple, so that passes do not drift.
  now=$(date +%s)
  sleep $((every - now % every)) &
  wait $!
done
