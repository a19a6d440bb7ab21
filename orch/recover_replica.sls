# Rebuilds a replica that is broken, if the guards in `replica_repair` of the master's configuration permit it:
#
#   salt-run state.orch orch.recover_replica pillar='{"host": "db2"}'
#
# Nothing but the name of the host is taken from whoever asks. What is so is found out by jobs. The name may come from an
# event, which any minion can fire: it stands in quotes, because it would be read as YAML elsewhere.

recover_a_replica:
  salt.runner:
    - name: replica.recover
    - host: {{ pillar["host"] | json }}
