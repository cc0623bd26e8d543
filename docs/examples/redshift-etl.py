"""A job that loads rows into Amazon Redshift, with a login that lasts minutes.

    python3 redshift-etl.py --cluster warehouse --db-user etl [more options of rolesanywhere redshift]

The words are handed on to `rolesanywhere redshift url`. Needs psycopg2.
"""

import json
import subprocess
import sys

import psycopg2


def connect(options):
    # The login comes over a pipe: in the arguments of a process every user of the machine could read it.
    line = ["rolesanywhere", "redshift", "url", "--format", "psycopg", *options]
    answer = subprocess.run(line, stdout=subprocess.PIPE, text=True)
    if answer.returncode != 0:
        sys.exit(answer.returncode)  # It has said why on stderr.
    return psycopg2.connect(**json.loads(answer.stdout))


rows = [("2030-01-01", 42), ("2030-01-02", 7)]

with connect(sys.argv[1:]) as connection, connection.cursor() as cursor:
    cursor.execute("create temporary table sales (day date, amount integer)")
    cursor.executemany("insert into sales values (%s, %s)", rows)
    cursor.execute("select current_user, sum(amount) from sales")
    user, total = cursor.fetchone()
    print(f"{user} loaded {len(rows)} rows, {total} in all")
