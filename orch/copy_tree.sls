# Copies one file or directory from a minion to another, as a step of an orchestration:
#
#   salt-run state.orch orch.copy_tree pillar='{"source": "db1:/srv/data", "destination": "db2:/srv/"}'
#
# `options` may hold whatever `salt-run -d transfer.copy` lists, such as {"special": ["setuid"], "verify": "flight"}.

{% set options = pillar.get("options", {}) %}

copy_a_tree:
  salt.runner:
    - name: transfer.copy
    - src: {{ pillar["source"] | json }}
    - dst: {{ pillar["destination"] | json }}
{%- for name, value in options.items() %}
    - {{ name | json }}: {{ value | json }}
{%- endfor %}
