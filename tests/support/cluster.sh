#!/bin/sh
# Keeps one PostgreSQL cluster in a temporary directory, for whoever holds this script's standard input. When that
# closes, even because its holder was killed, the cluster dies and its directory goes: no test leaves a server behind.
#
# First answers `ok DIRECTORY`; then takes one command a line, and answers each with `ok` or `failed WHY`:
#   init               makes an empty cluster, whose superuser is `leasehold`
#   backup PORT NAME   makes a standby, NAME, of the primary that listens on PORT
#   start PORT         starts the server, and does not wait until it answers
#   kill               kills every process of it at once, as a power cut would
#   stop               stops it in good order
#   pause, resume      freezes every process of it, and thaws them
#   alive              says whether the server runs
set -u
# An interrupt at the terminal reaches the whole group: the directory is still removed afterwards.
trap '' INT TERM HUP
unset PGDATA PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE PGOPTIONS

answer() { printf '%s\n' "$*"; }
refuse() { answer "failed $*"; exit 1; }

programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$programs/postgres" ] || programs=$(dirname "$(command -v postgres || echo /nowhere/postgres)")
[ -x "$programs/initdb" ] || refuse "no PostgreSQL server is installed: apt-get install postgresql"
version=$("$programs/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
[ "$version" -ge 15 ] || refuse "PostgreSQL $version is older than 15"

directory=$(mktemp -d "${TMPDIR:-/tmp}/leasehold-postgres.XXXXXX") || refuse "no temporary directory"
data=$directory/data
log=$directory/log

# PostgreSQL refuses to run as root.
demote=
if [ "$(id -u)" -eq 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    demote="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups --"
    chown "$user" "$directory"
fi
server=

children() { cat "/proc/$server/task/$server/children" 2>/dev/null; }

# A child that ends between being listed and being signalled is none of the caller's concern.
signal() {
    kill "-$1" "$server" && { kill "-$1" $(children) 2>/dev/null || true; }
}

kill_now() {
    [ -n "$server" ] || return 0
    # Stopped first, it starts no child while its children are counted.
    kill -STOP "$server" 2>/dev/null
    kill -KILL "$server" $(children) 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}

# Ends the server with a signal; one that does not end within ten seconds is killed.
end_with() {
    [ -n "$server" ] || return 0
    kill -CONT "$server" $(children) 2>/dev/null
    kill "-$1" "$server" 2>/dev/null
    for _ in $(seq 200); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    kill_now
}

settings() {
    cat <<SETTINGS
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = '16MB'
fsync = on
synchronous_commit = on
max_wal_size = '256MB'
# Files of the data directory, which goes; not of /dev/shm, where a killed server's would stay.
dynamic_shared_memory_type = mmap
log_line_prefix = '%m [%p] %d '
SETTINGS
}

init() {
    $demote "$programs/initdb" --no-sync -A trust -U leasehold -E UTF8 --locale=C -D "$data" >>"$log" 2>&1 || return 1
    settings >>"$data/postgresql.conf"
}

backup() {
    $demote "$programs/pg_basebackup" --no-sync -R -X stream -c fast -D "$data" \
        -d "host=127.0.0.1 port=$1 user=leasehold application_name=$2" >>"$log" 2>&1 || return 1
    # Else it would wait for the primary's standbys once it is promoted.
    echo "synchronous_standby_names = ''" >>"$data/postgresql.auto.conf"
}

answer "ok $directory"
while read -r command first second; do
    case $command in
        init) init ;;
        backup) backup "$first" "$second" ;;
        start)
            $demote "$programs/postgres" -D "$data" -p "$first" >>"$log" 2>&1 </dev/null &
            server=$!
            ;;
        kill) kill_now ;;
        stop) end_with INT ;;
        pause) signal STOP ;;
        resume) signal CONT ;;
        alive) [ -n "$server" ] && kill -0 "$server" 2>/dev/null ;;
        *) false ;;
    esac && answer ok || answer "failed $command; $(tail -n 3 "$log" 2>/dev/null | tr '\n' ' ')"
done

# An immediate shutdown takes its System V segment along; a killed server's is removed by its number.
if [ -n "$server" ]; then
    end_with QUIT
elif [ -f "$data/postmaster.pid" ]; then
    segment=$(sed -n 7p "$data/postmaster.pid" | awk '{ print $2 }')
    [ -n "$segment" ] && ipcrm -m "$segment" 2>/dev/null
fi
rm -rf "$directory"
