#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sqlite3 on a generated database: fill, index, join, delete, vacuum, check.

Compared: all that it prints, and the database file byte for byte."""

import hashlib

import harness

STATEMENTS = """
PRAGMA cache_size = -200000;
PRAGMA temp_store = memory;
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, born INTEGER, weight REAL, note BLOB);
CREATE TABLE visit(person INTEGER, place TEXT, day INTEGER);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people})
  INSERT INTO person SELECT i, printf('name-%d', (i * 7919) % 100003), 1900 + i % 120, i * 0.37,
                            zeroblob(i % 200) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people} * 3)
  INSERT INTO visit SELECT (i * 104729) % {people} + 1, printf('place-%d', i % 331), i % 3650 FROM n;
COMMIT;
CREATE INDEX visit_person ON visit(person, day);
CREATE INDEX person_name ON person(name);
ANALYZE;
SELECT count(*), sum(born), round(sum(weight), 2), sum(length(note)) FROM person;
SELECT born / 10, count(*), group_concat(DISTINCT place) FROM person JOIN visit ON person = id
  WHERE day < 30 GROUP BY 1 ORDER BY 1;
SELECT name, count(*) OVER (PARTITION BY born ORDER BY id) AS k FROM person ORDER BY name DESC, id
  LIMIT 500;
SELECT place, max(name), json_group_array(day) FROM visit JOIN person ON id = person
  WHERE person % 97 = 0 GROUP BY place ORDER BY 2, 1;
DELETE FROM visit WHERE day % 3 = 0;
UPDATE person SET note = name || '/' || name WHERE id % 7 = 0;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(length(note)) FROM person;
"""


def subject(stage):
    sqlite = harness.require("sqlite3", "sqlite3")
    people = 1_000_000 if stage.arguments.full else 250_000
    output = stage.run([sqlite, "-batch", "-bail", "generated.db"],
                       input=STATEMENTS.format(people=people))
    stage.say(*output.splitlines())
    database = (stage.dir / "generated.db").read_bytes()
    stage.say(len(database), hashlib.sha256(database).hexdigest())


if __name__ == "__main__":
    harness.main(subject)
