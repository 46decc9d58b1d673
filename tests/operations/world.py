"""A small clinic, a simulated Mailchimp, and the real program between them."""

import collections
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import urllib.request

PROGRAM = os.environ["LISTWARDEN"]
MIGRATIONS = pathlib.Path(__file__).parents[2] / "migrations"
COLUMNS = "id,given_name,email,status,updated_at,email_consent,email_consent_at,email_consent_method,email_consent_wording,email_consent_by"


def address(name):
    """Somebody's address; a name may be one itself."""
    return name if "@" in name else f"{name}@mail.example"


def name_of(address):
    return address.removesuffix("@mail.example")


class World:
    """One clinic, with its store on SQLite, or on PostgreSQL at a server's URL."""

    def __init__(self, postgres=None, latency_ms=0, serve="", register=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="listwarden-operations-"))
        simulator = [PROGRAM, "simulator", "--port", "0", "--latency-ms", str(latency_ms)]
        self.simulator = subprocess.Popen(simulator, stdout=subprocess.PIPE, text=True)
        # Eight lines say where it is, which audience it has and by which key.
        lines = [self.simulator.stdout.readline() for _ in range(8)]
        self.mailchimp, self.audience, key = re.search(
            r"(http://\S+).*audience = \"(\w+)\".*?(\S+-us\d+)", "".join(lines), re.DOTALL).groups()
        self.store = Postgres(postgres) if postgres else Sqlite(self.folder)
        self.outputs = itertools.count()
        self.processes, self.serve_section, self.register = [], serve, register
        self.patients, self.rows = self.folder / "patients.csv", {}
        for folder in ("clinics", "secrets/riverside"):
            (self.folder / folder).mkdir(parents=True)
        self.secret("master_key", secrets.token_hex(32))
        self.secret("riverside/mailchimp_key", key)
        self.configure()
        (self.folder / "clinics/riverside.toml").write_text(f"""
            time_zone = "Europe/London"
            [source]
            kind = "reference"
            [accounts.main]
            provider = "mailchimp"
            api_key = "mailchimp_key"
            base_url = "{self.mailchimp}/3.0"
            [lists.news]
            account = "main"
            audience = "{self.audience}"
            unknown = "report"
            unproven = "hold"
            """)
        self.run("migrate")

    def configure(self, keys=""):
        """Writes listwarden.toml; `keys` is its section [keys]."""
        register = 'register = "register"' if self.register else ""
        (self.folder / "listwarden.toml").write_text(
            f'[store]\nurl = "{self.store.url}"\n{register}\n[run]\nlease_ttl = "10s"\n{self.serve_section}\n{keys}\n')

    def secret(self, name, text):
        file = self.folder / "secrets" / name
        file.write_text(text)
        file.chmod(0o600)

    def start(self, *arguments, program=PROGRAM):
        """Starts the program and leaves it running; what it says goes to a file."""
        with open(self.folder / f"output-{next(self.outputs)}", "w") as output:
            process = subprocess.Popen([program, *arguments], cwd=self.folder, stdout=output, stderr=output)
        self.processes.append(process)
        return process

    def run(self, *arguments, expect=0, program=PROGRAM):
        """Runs the program to its end, which must be as expected; returns what it said."""
        done = subprocess.run([program, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120)
        if done.returncode != expect:
            raise AssertionError(f"{arguments} ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def patient(self, name, status="active", consent="granted"):
        """Writes a patient into the clinic's records."""
        self.row(name, status, consent)
        self.import_rows()

    def row(self, name, status="active", consent="granted"):
        number = len(self.rows) + 1 if name not in self.rows else self.rows[name].split(",")[0]
        asked = ",2026-01-12T09:00:00Z,paper form,v2,front desk" if consent else ",,,,"
        self.rows[name] = f"{number},,{address(name)},{status},,{consent}{asked}"

    def patients_written(self):
        self.patients.write_text("\n".join([COLUMNS, *self.rows.values()]) + "\n")

    def import_rows(self):
        self.patients_written()
        self.run("patients", "import", str(self.patients))

    def propose(self):
        """Runs, and approves what the run proposes."""
        outcome = json.loads(self.run("reconcile", "--json", expect=3).split("\n{")[0])
        self.run("approve", outcome[0]["lists"][0]["run"])

    def approve(self):
        """The same, and runs again."""
        self.propose()
        self.run("reconcile")

    def post(self, path, **body):
        request = urllib.request.Request(f"{self.mailchimp}/_control/{path}", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()

    def contact(self, name, act):
        """Somebody does something at Mailchimp."""
        self.post(f"lists/{self.audience}/contact", email=address(name), act=act)

    def statuses(self):
        """Who is there how, by name."""
        url = f"{self.mailchimp}/_control/lists/{self.audience}/members"
        members = json.load(urllib.request.urlopen(url, timeout=10))
        return {name_of(member["email"]): member["status"] for member in members}

    def invitations(self):
        """How often each was asked to confirm, by name."""
        outbox = json.load(urllib.request.urlopen(f"{self.mailchimp}/_control/outbox", timeout=10))
        return collections.Counter(name_of(mail["email"]) for mail in outbox)

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait(10)
        self.simulator.terminate()
        self.simulator.wait(10)
        self.simulator.stdout.close()
        self.store.end()
        shutil.rmtree(self.folder)


def migrations_before_the_last():
    """What made the tables as they were before the last migration that both engines share."""
    return sorted(MIGRATIONS.glob("*.sql"))[:-1]


class Sqlite:
    """The store as a file; the copy is taken while others may write."""

    def __init__(self, folder):
        self.file, self.copy = folder / "store.db", folder / "backup.db"
        self.url = f"sqlite://{self.file}"

    def back_up(self):
        with sqlite3.connect(self.file) as store:
            store.execute("VACUUM INTO ?", [str(self.copy)])
        store.close()

    def take_back_last_migration(self):
        """Brings everything into tables as they were before the last migration."""
        older = self.file.with_name("older.db")
        with sqlite3.connect(older, isolation_level=None) as old:
            old.execute("ATTACH ? AS new", [str(self.file)])
            made = old.execute("SELECT sql FROM new.sqlite_master WHERE name = '_sqlx_migrations'").fetchone()[0]
            old.executescript(made)
            for migration in migrations_before_the_last():
                old.executescript(migration.read_text())
            for (table,) in old.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
                columns = ", ".join(row[1] for row in old.execute(f"PRAGMA main.table_info({table})"))
                # What a migration put there is among what is brought over.
                old.execute(f"DELETE FROM main.{table}")
                old.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
            old.execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        old.close()
        self.lose()
        older.rename(self.file)

    def lose(self):
        for file in self.file.parent.glob("store.db*"):
            file.unlink()

    def restore(self):
        self.lose()
        shutil.copy(self.copy, self.file)

    def end(self):
        pass


class Postgres:
    """The store as a database of its own; the copy is a dump."""

    def __init__(self, server):
        self.server, self.name = server, f"operations_{secrets.token_hex(6)}"
        self.url = f"{server.rsplit('/', 1)[0]}/{self.name}"
        self.copy = pathlib.Path(tempfile.gettempdir()) / f"{self.name}.dump"
        self.sql(f"CREATE DATABASE {self.name}")

    def count(self, query):
        """What a question for one number answers."""
        return int(self.asked(self.url, query))

    @staticmethod
    def asked(url, query):
        asked = ["psql", "--quiet", "--tuples-only", "--no-align", "--command", query, url]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout

    def sql(self, statement):
        subprocess.run(["psql", "--quiet", "--command", statement, self.server], check=True)

    def back_up(self):
        subprocess.run(["pg_dump", "--format=custom", f"--file={self.copy}", self.url], check=True)

    def take_back_last_migration(self):
        """Brings everything into tables as they were before the last migration."""
        older = f"{self.name}_older"
        old, new = (f"{self.server.rsplit('/', 1)[0]}/{name}" for name in (older, self.name))
        self.sql(f"CREATE DATABASE {older}")
        made = subprocess.run(["pg_dump", "--schema-only", "--table=_sqlx_migrations", new],
                              check=True, capture_output=True).stdout
        own = sorted((MIGRATIONS / "postgres").glob("*.sql"))
        for script in [made, *(file.read_bytes() for file in [*migrations_before_the_last(), *own])]:
            subprocess.run(["psql", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", old],
                           input=script, check=True, stdout=subprocess.DEVNULL)
        tables = self.asked(old, """SELECT c.relname, string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
            GROUP BY c.relname""")
        for table, columns in (line.split("|") for line in tables.splitlines()):
            rows = subprocess.run(["psql", "--quiet", "--command", f"COPY (SELECT {columns} FROM {table}) TO STDOUT", new],
                                  check=True, capture_output=True).stdout
            # Tables refer to each other; and what a migration put there is among what is brought over.
            put = ["SET session_replication_role = replica", f"DELETE FROM {table}", f"COPY {table} ({columns}) FROM STDIN"]
            subprocess.run(["psql", "--quiet", *(f"--command={step}" for step in put), old], input=rows, check=True)
        last = int(sorted(MIGRATIONS.glob("*.sql"))[-1].name.split("_")[0])
        self.asked(old, f"DELETE FROM _sqlx_migrations WHERE version = {last}")
        self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")
        self.sql(f"ALTER DATABASE {older} RENAME TO {self.name}")

    def lose(self):
        self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {self.name}")

    def restore(self):
        self.lose()
        subprocess.run(["pg_restore", "--exit-on-error", f"--dbname={self.url}", self.copy], check=True)

    def end(self):
        self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")
        self.copy.unlink(missing_ok=True)
