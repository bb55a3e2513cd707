import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * The one way in which a server ends and its directory goes away, wanted or not.
 *
 * A small shell in a session of its own waits for the end of its standard input. That comes when `end()` is
 * called, and just as well when this process exits, is interrupted, throws or is killed with SIGKILL: the
 * kernel closes the pipe in every case. So there are no signal handlers that could be missing, and none that
 * could interfere with those of the program under test.
 *
 * Each line it reads is the process group to end; an empty line means that there is none at present.
 */
const script = `
trap '' INT TERM HUP
group=
while read -r line; do group=$line; done
alive() { kill -s 0 -- "-$group"; }
if [ -n "$group" ]; then
  # Postgres' backends are sessions of their own, and stopped ones would wait for ever.
  children=$(grep -ls "^PPid:[[:space:]]*$group$" /proc/[0-9]*/status | cut -d / -f 3)
  kill -s CONT -- "-$group" $children
  kill -s "$2" -- "-$group"
  n=0
  while alive && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
  kill -s KILL -- "-$group" $children
fi 2>/dev/null
# Orphans (backends of a killed postmaster) may still write while they notice: try again.
n=0
while [ -e "$1" ] && [ $n -lt 100 ]; do rm -rf -- "$1" 2>/dev/null || sleep 0.05; n=$((n + 1)); done
`

export interface Guard {
  /** The process group that must not outlive us; null: none. */
  watch(group: number | null): void
  /** Ends the watched group, removes the directory, and resolves when both are gone. */
  end(): Promise<void>
}

/**
 * Guards a directory and the server that runs in it.
 *
 * @param lastSignal what the group gets first; SIGKILL follows after five seconds.
 */
export function guardDirectory(directory: string, lastSignal: 'SIGQUIT' | 'SIGKILL'): Guard {
  const child = spawn('/bin/sh', ['-c', script, 'sluice-guard', directory, lastSignal.slice(3)], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ended = once(child, 'exit')
  // A program that reaches its end without stop() shall end, and its servers with it.
  child.unref()
  const input = child.stdin
  if ('unref' in input && typeof input.unref === 'function') input.unref()

  return {
    watch: (group) => {
      // Ended while somebody waits for what was killed: nothing is left to be forgotten.
      if (group === null && input.writableEnded) return
      input.write(`${group ?? ''}\n`)
    },
    end: async () => {
      child.ref()
      input.end()
      await ended
    },
  }
}
