# Rebuilds replicas from one backup of a live server, each proved before its old data is given up:
#
#   salt-run state.orch orch.clone_replica pillar='{"source": "db1", "replicas": ["db2", "db3"], "confirm": ["db2", "db3"]}'
#
# `primary` names whom they shall follow, if the source is a replica. `options` may hold whatever else
# `salt-run -d replica.clone` takes, such as {"lock_others": true}; options of the copy are one of these, such as
# {"options": {"limit": "50M"}}.

{% set options = pillar.get("options", {}) %}

clone_replicas:
  salt.runner:
    - name: replica.clone
    - source: {{ pillar["source"] | json }}
    - replicas: {{ pillar["replicas"] | json }}
    - confirm: {{ pillar.get("confirm", []) | json }}
{%- if "primary" in pillar %}
    - primary: {{ pillar["primary"] | json }}
{%- endif %}
{%- for name, value in options.items() %}
    - {{ name | json }}: {{ value | json }}
{%- endfor %}
