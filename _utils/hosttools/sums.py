"""The statements by which two servers are compared: chunk checksums of all rows, and digests of all definitions.

A row's checksums (CRC-32 and CRC-32C, which processors compute by themselves) are those of an unambiguous text of
its columns; a chunk adds up those of its rows, so that neither the order of rows nor the plan of the query matters, and
equal rows do not cancel each other out. They find what went wrong; who forges on purpose is another matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from .sql import identifier, quote

CHUNKS = 16
TRANSACTIONAL = ("InnoDB",)
SYSTEM = ("mysql", "information_schema", "performance_schema", "sys")
_HIDDEN = ", ".join(quote(name) for name in SYSTEM)

# Their text says all of them and has no separator in it; of everything else length and checksums of the bytes count.
PLAIN = frozenset(
    ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double", "date", "time", "datetime", "timestamp",
     "year")
)

# Each row of a list says of how many it is one, so that a list that was cut is seen as that.
TABLES = f"""SELECT JSON_OBJECT('schema', table_schema, 'name', table_name, 'type', table_type, 'engine', engine,
    'of', COUNT(*) OVER ()) FROM information_schema.tables WHERE table_schema NOT IN ({_HIDDEN}) AND table_type IN
    ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') ORDER BY table_schema, table_name;"""
COLUMNS = f"""SELECT JSON_OBJECT('schema', table_schema, 'table', table_name, 'name', column_name, 'type', data_type,
    'virtual', extra LIKE '%VIRTUAL GENERATED%', 'of', COUNT(*) OVER ()) FROM information_schema.columns
    WHERE table_schema NOT IN ({_HIDDEN}) ORDER BY table_schema, table_name, ordinal_position;"""

# InnoDB takes a snapshot at this level alone. A derived table that is kept is computed once; merged, it would be for
# every sum over it.
BEGIN = """SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
SET SESSION wait_timeout=604800, net_write_timeout=3600, group_concat_max_len=1048576,
    idle_transaction_timeout=0, idle_readonly_transaction_timeout=0, idle_write_transaction_timeout=0,
    optimizer_switch='derived_merge=off';"""
SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT;"
LOCK = "SET SESSION lock_wait_timeout={seconds}; FLUSH TABLES WITH READ LOCK;"
UNLOCK = "UNLOCK TABLES;"
_STATUS = "SELECT variable_value FROM information_schema.session_status WHERE variable_name="
MARK = f"""SET @f=({_STATUS}'BINLOG_SNAPSHOT_FILE'), @p=CAST(({_STATUS}'BINLOG_SNAPSHOT_POSITION') AS UNSIGNED);
SELECT JSON_OBJECT('what', 'mark', 'file', @f, 'position', CAST(@p AS UNSIGNED),
    'gtid', COALESCE(BINLOG_GTID_POS(@f, @p), ''));"""
STANDING = """SELECT JSON_OBJECT('what', 'mark', 'file', '', 'position', 0, 'gtid', @@gtid_slave_pos);"""

# Of every kind of object a digest of all that defines it; nothing that a replica may have otherwise.
DEFINITIONS = {
    "column": f"""SELECT CONCAT_WS('.', table_schema, table_name, column_name), CONCAT_WS('|', ordinal_position,
        COALESCE(column_default, '-'), is_nullable, column_type, COALESCE(collation_name, '-'), extra,
        COALESCE(generation_expression, '-')) FROM information_schema.columns WHERE table_schema NOT IN ({_HIDDEN})""",
    "index": f"""SELECT CONCAT_WS('.', table_schema, table_name, index_name, seq_in_index), CONCAT_WS('|', non_unique,
        column_name, COALESCE(sub_part, '-'), index_type, COALESCE(collation, '-'))
        FROM information_schema.statistics WHERE table_schema NOT IN ({_HIDDEN})""",
    "table": f"""SELECT CONCAT_WS('.', table_schema, table_name), CONCAT_WS('|', table_type, COALESCE(engine, '-'),
        COALESCE(table_collation, '-'), COALESCE(create_options, '-'), table_comment) FROM information_schema.tables
        WHERE table_schema NOT IN ({_HIDDEN})""",
    "constraint": f"""SELECT CONCAT_WS('.', constraint_schema, table_name, constraint_name), constraint_type
        FROM information_schema.table_constraints WHERE constraint_schema NOT IN ({_HIDDEN})""",
    "foreign key": f"""SELECT CONCAT_WS('.', constraint_schema, table_name, constraint_name), CONCAT_WS('|',
        unique_constraint_schema, referenced_table_name, match_option, update_rule, delete_rule)
        FROM information_schema.referential_constraints WHERE constraint_schema NOT IN ({_HIDDEN})""",
    "check": f"""SELECT CONCAT_WS('.', constraint_schema, table_name, constraint_name), check_clause
        FROM information_schema.check_constraints WHERE constraint_schema NOT IN ({_HIDDEN})""",
    "view": f"""SELECT CONCAT_WS('.', table_schema, table_name), CONCAT_WS('|', view_definition, check_option, definer,
        security_type) FROM information_schema.views WHERE table_schema NOT IN ({_HIDDEN})""",
    "routine": f"""SELECT CONCAT_WS('.', routine_schema, routine_name, routine_type), CONCAT_WS('|',
        COALESCE(routine_definition, '-'), definer, security_type, sql_mode, is_deterministic, sql_data_access,
        COALESCE(dtd_identifier, '-')) FROM information_schema.routines WHERE routine_schema NOT IN ({_HIDDEN})""",
    "parameter": f"""SELECT CONCAT_WS('.', specific_schema, specific_name, routine_type, ordinal_position),
        CONCAT_WS('|', COALESCE(parameter_mode, '-'), COALESCE(parameter_name, '-'), dtd_identifier)
        FROM information_schema.parameters WHERE specific_schema NOT IN ({_HIDDEN})""",
    "trigger": f"""SELECT CONCAT_WS('.', trigger_schema, event_object_table, trigger_name), CONCAT_WS('|',
        event_manipulation, action_timing, action_order, action_statement, definer, sql_mode)
        FROM information_schema.triggers WHERE trigger_schema NOT IN ({_HIDDEN})""",
    # Whether an event is enabled differs on a replica by intent.
    "event": f"""SELECT CONCAT_WS('.', event_schema, event_name), CONCAT_WS('|', event_definition, definer, event_type,
        COALESCE(interval_value, '-'), COALESCE(interval_field, '-'), sql_mode, on_completion)
        FROM information_schema.events WHERE event_schema NOT IN ({_HIDDEN})""",
    "schema": f"""SELECT schema_name, CONCAT_WS('|', default_character_set_name, default_collation_name)
        FROM information_schema.schemata WHERE schema_name NOT IN ({_HIDDEN})""",
    "user": "SELECT CONCAT_WS('@', user, host), priv FROM mysql.global_priv",
    "schema grant": "SELECT CONCAT_WS('@', user, host), GROUP_CONCAT(privilege_type ORDER BY privilege_type) FROM ("
    " SELECT grantee AS user, table_schema AS host, privilege_type FROM information_schema.schema_privileges) AS s"
    " GROUP BY user, host",
    "table grant": "SELECT CONCAT_WS('@', user, host, db, table_name), CONCAT_WS('|', table_priv, column_priv)"
    " FROM mysql.tables_priv",
    "column grant": "SELECT CONCAT_WS('@', user, host, db, table_name, column_name), column_priv"
    " FROM mysql.columns_priv",
    "routine grant": "SELECT CONCAT_WS('@', user, host, db, routine_name, routine_type), proc_priv"
    " FROM mysql.procs_priv",
    "role": "SELECT CONCAT_WS('@', user, host, role), admin_option FROM mysql.roles_mapping",
}


def inventory() -> str:
    """The queries that list tables and columns."""
    return TABLES + COLUMNS


def definitions() -> str:
    """The queries that give a digest of every definition."""
    return "".join(
        f"SELECT JSON_OBJECT('what', {quote(kind)}, 'name', n, 'digest', MD5(d), 'of', COUNT(*) OVER ()) FROM "
        f"({_named(query)}) AS listed ORDER BY n;"
        for kind, query in DEFINITIONS.items()
    )


def _named(query: str) -> str:
    """The query with its two columns called n and d, whatever they were."""
    return f"SELECT x.a AS n, x.b AS d FROM (SELECT '' AS a, '' AS b FROM DUAL WHERE FALSE UNION ALL {query}) AS x"


def tables(printed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `inventory` gave, as tables with their columns."""
    found = {(each["schema"], each["name"]): {**each, "columns": []} for each in printed if "engine" in each}
    for each in printed:
        if "virtual" in each and (each["schema"], each["table"]) in found and not each["virtual"]:
            found[each["schema"], each["table"]]["columns"].append((each["name"], each["type"]))
    return list(found.values())


def is_transactional(table: Mapping[str, Any]) -> bool:
    """Whether a snapshot holds it still. A sequence is a table that does not take part in transactions."""
    return table["engine"] in TRANSACTIONAL and table["type"] != "SEQUENCE"


def count(table: Mapping[str, Any]) -> str:
    """The query for the chunks of a table: number of rows, and the sums of two independent checksums of them."""
    row = f"CONCAT_WS('|', {', '.join(map(_text, table['columns']))})"
    history = " FOR SYSTEM_TIME ALL" if table["type"] == "SYSTEM VERSIONED" else ""
    place = f"{identifier(table['schema'])}.{identifier(table['name'])}"
    return f"""SELECT JSON_OBJECT('what', 'chunk', 'schema', {quote(table['schema'])}, 'table', {quote(table['name'])},
        'chunk', c, 'rows', r, 'one', CAST(s AS CHAR), 'other', CAST(t AS CHAR), 'lost', l, 'of', COUNT(*) OVER ())
        FROM (
        SELECT k & {CHUNKS - 1} AS c, COUNT(*) AS r, SUM(k) AS s, SUM(l) AS t, SUM(k IS NULL) AS l
        FROM (SELECT CRC32({row}) AS k, CRC32C({row}) AS l FROM {place}{history}) AS digests
        GROUP BY c) AS chunks ORDER BY c;"""


def _text(column: Sequence[str]) -> str:
    name, kind = identifier(column[0]), column[1].lower()
    if kind == "float":  # as a double it shows all of its digits
        return f"COALESCE(CAST({name} AS DOUBLE), 'N')"
    if kind in PLAIN:
        return f"COALESCE(CAST({name} AS CHAR), 'N')"
    bytes_of = f"CAST({name} AS BINARY)"
    return f"COALESCE(CONCAT(LENGTH({bytes_of}), ':', CRC32({bytes_of}), ':', CRC32C({bytes_of})), 'N')"


def digest_of(chunks: Sequence[Mapping[str, Any]]) -> str:
    """One digest of all chunks of a table."""
    parts = [f"{each['chunk']}:{each['rows']}:{each['one']}:{each['other']}" for each in chunks]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
